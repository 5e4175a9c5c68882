"""Reference frames and answers: written when a package is made, compared wherever it is opened."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.errors import FrameError, PackageError
from lineside.core.frame import Pixels, check_pixels
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.manifest import Reference

__all__ = ["compare", "encoded_frame", "read_frame", "read_outputs", "write_frame", "write_outputs"]


def write_frame(path: Path, pixels: Pixels, pixel_format: PixelFormat) -> None:
    """Writes the frame as PNG, so that people can look at it. Raises: FrameError, PackageError."""
    path.write_bytes(encoded_frame(pixels, pixel_format))


def encoded_frame(pixels: Pixels, pixel_format: PixelFormat) -> bytes:
    """The frame as the bytes of a PNG. Raises: FrameError, PackageError."""
    check_pixels(pixels, pixel_format)
    stored = pixels[:, :, ::-1] if pixel_format is PixelFormat.RGB8 else pixels
    written, data = cv2.imencode(".png", np.ascontiguousarray(stored))
    if not written:
        raise PackageError(f"a frame {pixels.dtype}{list(pixels.shape)} could not be written as PNG")
    return bytes(data.tobytes())


def read_frame(path: Path, pixel_format: PixelFormat) -> Pixels:
    """The frame in `pixel_format`. Raises: PackageError when the file is something else."""
    data = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if pixels is None:
        raise PackageError(f"{path}: no picture", expected=f"a PNG in {pixel_format}", remedy="pack the graph again")
    if pixel_format is PixelFormat.RGB8 and pixels.ndim == 3:
        pixels = np.ascontiguousarray(pixels[:, :, ::-1])
    frame: Any = pixels
    try:
        check_pixels(frame, pixel_format)
    except FrameError as error:
        raise PackageError(f"{path}: {error.what}", expected=error.expected, remedy="pack the graph again") from error
    checked: Pixels = frame
    return checked


def write_outputs(path: Path, outputs: Mapping[str, NDArray[Any]]) -> None:
    """Writes the graph's outputs by position: their names may hold what no file name may. Raises: PackageError."""
    for name, array in outputs.items():
        if not np.issubdtype(array.dtype, np.number) or not np.all(np.isfinite(array)):
            raise PackageError(
                f"output '{name}' answers a reference frame with NaN, infinity or {array.dtype}",
                expected="finite numbers",
                remedy="check scale, mean and std, or give pictures of real parts as references",
            )
    arrays: dict[str, Any] = {f"output_{index}": array for index, array in enumerate(outputs.values())}
    np.savez_compressed(path, allow_pickle=False, **arrays)


def read_outputs(path: Path, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """The stored outputs under the graph's names, in its order. Raises: PackageError."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[f"output_{index}"] for index, name in enumerate(names)}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise PackageError(
            f"{path}: cannot be read as reference outputs: {error}",
            expected=f"an .npz with one array for each of {list(names)}",
            remedy="pack the graph again",
        ) from error


def compare(
    package: str,
    reference: Reference,
    got: Mapping[str, NDArray[Any]],
    expected: Mapping[str, NDArray[Any]],
    provider: str,
) -> float:
    """The largest absolute difference. Raises: PackageError when it is beyond the stated tolerance."""
    largest = 0.0
    for name, wanted in expected.items():
        answer = got[name]
        if answer.shape != wanted.shape or answer.dtype != wanted.dtype:
            raise PackageError(
                f"{package}: output '{name}' for {reference.input} on {provider} is {answer.dtype}{list(answer.shape)}",
                expected=f"{wanted.dtype}{list(wanted.shape)} as in {reference.output}",
                remedy="this machine computes something else: use another provider, or pack the graph again here",
            )
        if not wanted.size:
            continue
        difference = np.abs(answer.astype(np.float64) - wanted.astype(np.float64))
        allowed = reference.abs_tolerance + reference.rel_tolerance * np.abs(wanted.astype(np.float64))
        largest = max(largest, float(difference.max()))
        if not np.all(difference <= allowed):  # NaN is not within any tolerance
            raise PackageError(
                f"{package}: output '{name}' for {reference.input} on {provider} differs by up to "
                f"{float(difference.max()):.3g} from {reference.output}",
                expected=f"at most {reference.abs_tolerance:g} + {reference.rel_tolerance:g} x |expected|",
                remedy="this machine computes something else: use another provider, or pack the graph again here",
            )
    return largest
