"""Which lossless file for the image archive? Size, encode and decode time on real and rendered pictures, one core.

Run: `python tests/bench/bench_image_formats.py [WORD...]`, with words to choose sets of pictures. Formats whose library
is absent are left out and named. Photographs come from the data folder beside the checkout, where there is one. A
format that does not return the same pixels is named, without figures.
"""

from __future__ import annotations

import importlib
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]
Encode = Callable[[Pixels], bytes]
Decode = Callable[[bytes, Pixels], Pixels]

DATA = Path(__file__).parents[2].parent / "shared" / "data"
PICTURES_PER_SET = 12


def pictures() -> Iterator[tuple[str, list[Pixels]]]:
    """Sets of pictures by name; colour as BGR."""
    for name, flag in (("ballscrew", cv2.IMREAD_COLOR), ("cookie", cv2.IMREAD_COLOR), ("figurine", cv2.IMREAD_COLOR)):
        yield from _photographs(name, flag)
    yield from _photographs("strip", cv2.IMREAD_GRAYSCALE)
    rng = np.random.default_rng(7)
    plates = [_plate(rng, 255, np.uint8) for _ in range(4)]
    yield "rendered, Mono8 with noise", plates
    yield "rendered, BGR8 with noise", [np.ascontiguousarray(np.dstack([plate] * 3)) for plate in plates[:2]]
    yield "rendered, Mono12 with noise", [_plate(rng, 4095, np.uint16) for _ in range(4)]


def _photographs(name: str, flag: int) -> Iterator[tuple[str, list[Pixels]]]:
    files = sorted(
        path for path in (DATA / name).rglob("*") if path.suffix in (".jpg", ".png") and "mask" not in str(path)
    )
    if not files:
        print(f"{name}: not there ({DATA / name})")
        return
    chosen = files[:: max(1, len(files) // PICTURES_PER_SET)][:PICTURES_PER_SET]
    yield name, [cv2.imread(str(path), flag) for path in chosen]


def _plate(rng: np.random.Generator, full_scale: int, dtype: type) -> Pixels:
    """A grey plate of 1280x1024 px with holes, a lamp's fall-off and the noise of a sensor (1 % of full scale)."""
    y, x = np.mgrid[0:1024, 0:1280]
    plate = 0.55 - 0.15 * ((x - 640) ** 2 + (y - 512) ** 2) / 640**2
    for centre_x, centre_y in ((300, 300), (980, 300), (300, 720), (980, 720)):
        plate[(x - centre_x) ** 2 + (y - centre_y) ** 2 < 60**2] = 0.05
    noisy = plate + rng.normal(0.0, 0.01, plate.shape)
    return (noisy.clip(0, 1) * full_scale).astype(dtype)


def candidates() -> Iterator[tuple[str, Encode, Decode]]:
    """Formats by name with both directions."""
    yield from _png()
    for name, code in (("LZW", 5), ("deflate", 8), ("zstd", 50000)):
        yield f"TIFF {name} (cv2)", *_cv2(".tiff", [cv2.IMWRITE_TIFF_COMPRESSION, code])
    yield "TIFF LZW + predictor (cv2)", *_cv2(".tiff", [cv2.IMWRITE_TIFF_COMPRESSION, 5, cv2.IMWRITE_TIFF_PREDICTOR, 2])
    yield "WebP lossless (cv2)", *_cv2(".webp", [cv2.IMWRITE_WEBP_QUALITY, 101])
    yield "JPEG 2000 lossless (cv2)", *_cv2(".jp2", [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000])
    yield "JPEG XL effort 1 (cv2)", *_cv2(".jxl", [cv2.IMWRITE_JPEGXL_DISTANCE, 0, cv2.IMWRITE_JPEGXL_EFFORT, 1])
    yield from _raw()
    codecs = _library("imagecodecs")
    if codecs:
        yield "QOI (imagecodecs)", codecs.qoi_encode, lambda data, like: codecs.qoi_decode(data)
        yield (
            "JPEG XL effort 1 (imagecodecs)",
            lambda a: codecs.jpegxl_encode(a, lossless=True, effort=1, numthreads=1),
            lambda data, like: codecs.jpegxl_decode(data, numthreads=1),
        )
        yield "JPEG-LS (imagecodecs)", codecs.jpegls_encode, lambda data, like: codecs.jpegls_decode(data)


def _png() -> Iterator[tuple[str, Encode, Decode]]:
    strategies = {"default": 0, "filtered": 1, "huffman": 2, "RLE": 3}
    filters = {"none": 8, "sub": 16, "up": 32, "avg": 64, "paeth": 128, "fast": 56}
    for level, strategy, filter_name in (
        (0, "default", "none"),
        (1, "default", "sub"),
        (1, "default", "paeth"),
        (1, "RLE", "sub"),
        (1, "RLE", "paeth"),
        (1, "huffman", "up"),
        (3, "default", "sub"),
        (3, "filtered", "fast"),
    ):
        options = [cv2.IMWRITE_PNG_COMPRESSION, level, cv2.IMWRITE_PNG_STRATEGY, strategies[strategy]]
        yield (
            f"PNG {level} {strategy} {filter_name} (cv2)",
            *_cv2(".png", [*options, cv2.IMWRITE_PNG_FILTER, filters[filter_name]]),
        )
    isal, zlib_ng = _library("isal.isal_zlib"), _library("zlib_ng.zlib_ng")
    decode = _cv2(".png", [])[1]
    yield "PNG up (numpy, zlib 1 huffman)", lambda a: _own_png(a, _huffman), decode
    if isal:
        yield "PNG up (numpy, isal 0)", lambda a: _own_png(a, lambda data: isal.compress(data, 0)), decode
        yield "PNG up (numpy, isal 1)", lambda a: _own_png(a, lambda data: isal.compress(data, 1)), decode
    if zlib_ng:
        yield "PNG up (numpy, zlib-ng 1)", lambda a: _own_png(a, lambda data: zlib_ng.compress(data, 1)), decode
        yield "PNG up (numpy, zlib-ng 2)", lambda a: _own_png(a, lambda data: zlib_ng.compress(data, 2)), decode


def _huffman(data: bytes) -> bytes:
    compressor = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_HUFFMAN_ONLY)
    return compressor.compress(data) + compressor.flush()


def _own_png(pixels: Pixels, compress: Callable[[bytes], bytes]) -> bytes:
    height, width = pixels.shape[:2]
    ordered = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    rows = (
        np.ascontiguousarray(ordered.astype(">u2") if pixels.dtype == np.uint16 else ordered)
        .view(np.uint8)
        .reshape(height, -1)
    )
    filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = 2
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, pixels.itemsize * 8, 2 if pixels.ndim == 3 else 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", compress(filtered.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def _raw() -> Iterator[tuple[str, Encode, Decode]]:
    zstandard, lz4 = _library("zstandard"), _library("lz4.frame")
    if zstandard:
        pack, unpack = zstandard.ZstdCompressor(level=1).compress, zstandard.ZstdDecompressor().decompress
        yield "raw + zstd 1", lambda a: pack(a.tobytes()), lambda data, like: _as(unpack(data), like)
        yield "raw + delta + zstd 1", lambda a: pack(_delta(a)), lambda data, like: _sum(unpack(data), like)
    if lz4:
        yield "raw + lz4", lambda a: lz4.compress(a.tobytes()), lambda data, like: _as(lz4.decompress(data), like)
        yield (
            "raw + delta + lz4",
            lambda a: lz4.compress(_delta(a)),
            lambda data, like: _sum(lz4.decompress(data), like),
        )


def _delta(pixels: Pixels) -> bytes:
    difference = pixels.copy()
    difference[1:] -= pixels[:-1]
    return (difference.view(np.uint8).reshape(-1, pixels.itemsize).T if pixels.itemsize > 1 else difference).tobytes()


def _sum(data: bytes, like: Pixels) -> Pixels:
    flat = np.frombuffer(data, np.uint8)
    if like.itemsize > 1:
        flat = np.ascontiguousarray(flat.reshape(like.itemsize, -1).T).reshape(-1)
    return np.cumsum(flat.view(like.dtype).reshape(like.shape), axis=0, dtype=like.dtype)


def _as(data: bytes, like: Pixels) -> Pixels:
    return np.frombuffer(data, like.dtype).reshape(like.shape)


def _cv2(extension: str, options: list[int]) -> tuple[Encode, Decode]:
    def encode(pixels: Pixels) -> bytes:
        done, data = cv2.imencode(extension, pixels, options)
        if not done:
            raise ValueError(f"{extension} not written")
        return bytes(data)

    return encode, lambda data, like: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"left out, not installed: {name}")
        return None


def measure(encode: Encode, decode: Decode, images: list[Pixels]) -> tuple[float, float, float] | str:
    """Size as a share of the raw pixels, and encode and decode time per million bytes of them (ms); or why not."""
    raw = sum(image.nbytes for image in images)
    try:
        for image in images[:1]:  # warm up
            decode(encode(image), image)
        started = time.perf_counter()
        files = [encode(image) for image in images]
        encoded = time.perf_counter()
        back = [decode(data, image) for data, image in zip(files, images, strict=True)]
        decoded = time.perf_counter()
    except Exception as error:  # noqa: BLE001 - a candidate that cannot is a line of the table
        return f"cannot: {str(error).strip().splitlines()[-1][:60]}"
    if not all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(back, images, strict=True)):
        return "not the same pixels"
    size = sum(map(len, files)) / raw
    return size, (encoded - started) * 1e9 / raw, (decoded - encoded) * 1e9 / raw


def main() -> None:
    cv2.setNumThreads(1)
    formats = list(candidates())
    only = sys.argv[1:]
    for name, images in pictures():
        if only and not any(word in name for word in only):
            continue
        print(f"\n{name}: {len(images)} pictures of about {images[0].shape} {images[0].dtype}")
        print(f"  {'format':<34}{'size':>8}{'encode':>12}{'decode':>12}   (of raw; ms per million raw bytes)")
        for label, encode, decode in formats:
            answer = measure(encode, decode, images)
            if isinstance(answer, str):
                print(f"  {label:<34}{answer}")
            else:
                print(f"  {label:<34}{answer[0]:>8.3f}{answer[1]:>12.2f}{answer[2]:>12.2f}")


if __name__ == "__main__":
    main()
