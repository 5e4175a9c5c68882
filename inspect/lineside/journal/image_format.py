"""The archive's file format: PNG, with everything about the frame written beside the pixels.

Why PNG, and why with these settings: docs/decisions/0004-lossless-image-format.md.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from lineside.core.errors import FrameError
from lineside.core.frame import Frame
from lineside.core.pixel_format import PixelFormat
from lineside.journal.image_pixels import END, UP, header, pixels_in

__all__ = ["EXTENSION", "MEDIA_TYPE", "decode", "encode", "is_archived"]

EXTENSION = ".png"
MEDIA_TYPE = "image/png"

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PREFIX = "lineside."
_HEAD_BYTES = 8192
"""The facts stand before the pixels; no part id is longer."""
_LEVEL = 1


def encode(frame: Frame, about: Mapping[str, str]) -> bytes:
    """A PNG file with the frame's pixels exactly, its own facts and those of `about` as text chunks.

    10- and 12-bit pixels stand in the low bits of 16, as in the frame: a viewer shows them dark.
    Raises: FrameError when the pixels are not what the frame declares.
    """
    frame.check()
    facts = {**about, **_facts_of(frame)}
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", header(frame.pixel_format, frame.width_px, frame.height_px)),
            *(_chunk(b"iTXt", _text(_PREFIX + key, value)) for key, value in facts.items()),
            _chunk(b"IDAT", isal_zlib.compress(_filtered(frame), _LEVEL)),
            END,
        )
    )


def is_archived(data: bytes) -> bool:
    """Whether `encode` made the file, so that it says of itself what it is."""
    return data.startswith(_SIGNATURE) and f"{_PREFIX}pixel_format".encode() in data[:_HEAD_BYTES]


def decode(data: bytes) -> tuple[Frame, Mapping[str, str]]:
    """The frame as it was encoded, byte for byte, and everything written beside it.

    Raises: FrameError when the file is damaged, or is not one of `encode`'s.
    """
    facts, head, pixels_at = _before_pixels(data)
    try:
        pixel_format = PixelFormat(facts["pixel_format"])
        pixels = _pixels(data, head, pixels_at, pixel_format)
        frame = Frame(
            view=facts["view"],
            pixels=pixels,
            pixel_format=pixel_format,
            frame_id=int(facts["frame_id"]),
            captured_utc_ns=int(facts["captured_utc_ns"]),
            captured_mono_ns=int(facts["captured_mono_ns"]),
            camera_serial=facts["camera_serial"],
            part_id=facts["part_id"],
            simulated=facts["simulated"] == "true",
        )
    except cv2.error as error:
        raise FrameError(f"the image cannot be decoded: {error}", expected="an undamaged PNG file") from error
    except (KeyError, ValueError) as error:
        raise FrameError(
            f"the image says nothing of its {error.args[0]!r}",
            expected="a file of the image archive",
            remedy="declare what it is and inspect it as a file instead",
        ) from error
    return frame.check(), facts


def _facts_of(frame: Frame) -> dict[str, str]:
    return {
        "view": frame.view,
        "pixel_format": frame.pixel_format.value,
        "frame_id": str(frame.frame_id),
        "captured_utc_ns": str(frame.captured_utc_ns),
        "captured_mono_ns": str(frame.captured_mono_ns),
        "camera_serial": frame.camera_serial,
        "part_id": frame.part_id,
        "simulated": "true" if frame.simulated else "false",
    }


def _filtered(frame: Frame) -> NDArray[np.uint8]:
    """The pixels as PNG wants them before compression, (H, 1 + bytes per row): RGB, big-endian, filtered by row."""
    pixels: NDArray[Any] = frame.pixels
    if frame.pixel_format is PixelFormat.BGR8:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    elif pixels.dtype == np.uint16:
        pixels = pixels.astype(">u2")
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(frame.height_px, -1)
    filtered = np.empty((frame.height_px, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])  # wraps, as the standard says
    return filtered


def _text(key: str, value: str) -> bytes:
    """The body of an iTXt chunk: UTF-8, not compressed, no language (PNG specification, 11.3.3.4)."""
    return key.encode("latin-1") + b"\0\0\0\0\0" + value.encode("utf-8", "backslashreplace")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return b"".join((struct.pack(">I", len(body)), kind, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))))


def _before_pixels(data: bytes) -> tuple[dict[str, str], bytes, int]:
    """Our facts, the header, and where the pixels begin; checksums checked. Raises: FrameError."""
    if not data.startswith(_SIGNATURE):
        raise FrameError(f"the image begins with {data[:8]!r}", expected="a PNG file")
    facts, head = {}, b""
    at = len(_SIGNATURE)
    while data[at + 4 : at + 8] not in (b"IDAT", b""):
        length = int.from_bytes(data[at : at + 4])
        kind, body, checksum = (
            data[at + 4 : at + 8],
            data[at + 8 : at + 8 + length],
            data[at + 8 + length : at + 12 + length],
        )
        if zlib.crc32(kind + body) != int.from_bytes(checksum) or len(checksum) != 4:
            raise FrameError(f"the image's {kind!r} chunk is damaged", expected="an undamaged PNG file")
        if kind == b"IHDR":
            head = body
        elif kind == b"iTXt" and body.startswith(_PREFIX.encode()):
            key, _, rest = body.partition(b"\0")
            facts[key.decode("latin-1").removeprefix(_PREFIX)] = rest[4:].decode("utf-8")
        at += 12 + length
    return facts, head, at


def _pixels(data: bytes, head: bytes, pixels_at: int, pixel_format: PixelFormat) -> NDArray[Any]:
    """As the frame had them. Raises: FrameError; cv2.error."""
    width_px, height_px = (int.from_bytes(head[place : place + 4]) for place in (0, 4))
    if width_px and height_px and head == header(pixel_format, width_px, height_px):
        pixels = pixels_in(memoryview(data)[pixels_at:], pixel_format, width_px, height_px)
        if pixels is not None:
            return pixels if pixel_format is not PixelFormat.BGR8 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    decoded: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise FrameError("the image's pixels are damaged", expected="an undamaged PNG file")
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB) if pixel_format is PixelFormat.RGB8 else decoded
