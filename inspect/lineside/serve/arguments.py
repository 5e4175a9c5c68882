"""Checks at the door: what clients send, with its limits. Everything here raises InvalidRequest or TooLarge."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from lineside.core.errors import InvalidRequest, TooLarge
from lineside.core.image_in import ImageIn
from lineside.core.trigger import MAX_PART_ID_CHARS
from lineside.wire.codec import PIXEL_FORMATS
from lineside.wire.v1 import inspection_pb2 as pb

__all__ = [
    "due_ms",
    "encoder_count",
    "images_in",
    "not_negative",
    "part_id",
    "positive",
    "reader_name",
    "short_text",
]

_MAX_NAME_CHARS = 128
_MAX_VIEWS = 16
_MAX_SIDE_PX = 65_535
_MAX_DUE_MS = 3_600_000


def short_text(text: str, name: str, max_chars: int = _MAX_NAME_CHARS) -> str:
    """A text of bounded length, without control characters: it ends up in file names, tables and PLC displays."""
    if len(text) > max_chars:
        raise TooLarge(f"{name} of {len(text)} characters", expected=f"at most {max_chars}")
    if not text.isprintable():
        raise InvalidRequest(f"{name} {text!r} has control characters", expected="printable characters")
    return text


def part_id(text: str) -> str:
    """A part id as the line gave it; may be empty."""
    return short_text(text, "part_id", MAX_PART_ID_CHARS)


def reader_name(text: str) -> str:
    """The name of a reader."""
    if not text:
        raise InvalidRequest("the reader name is empty", expected="a name of its own for each program")
    return short_text(text, "reader")


def positive(value: int, name: str) -> int:
    """A number from 1."""
    if value < 1:
        raise InvalidRequest(f"{name} {value}", expected="1 or more")
    return value


def not_negative(value: int, name: str) -> int:
    """A number from 0."""
    if value < 0:
        raise InvalidRequest(f"{name} {value}", expected="0 or more")
    return value


def due_ms(request: pb.TriggerInspectionRequest | pb.PushFramesRequest) -> int | None:
    """The due time that the client asks for in milliseconds; None for the recipe's."""
    if not request.HasField("due_ms"):
        return None
    if not 1 <= request.due_ms <= _MAX_DUE_MS:
        raise InvalidRequest(f"due_ms {request.due_ms}", expected=f"1 to {_MAX_DUE_MS}, or absent for the recipe's")
    return request.due_ms


def encoder_count(request: pb.TriggerInspectionRequest | pb.PushFramesRequest) -> int | None:
    """The encoder count at the trigger; None where the line has no encoder."""
    return request.encoder_count if request.HasField("encoder_count") else None


def images_in(images: Iterable[pb.Image]) -> tuple[ImageIn, ...]:
    """Images with everything declared and, as far as that goes without decoding, checked."""
    checked = tuple(_image_in(image) for image in images)
    if not 1 <= len(checked) <= _MAX_VIEWS:
        raise InvalidRequest(f"{len(checked)} images", expected="one per view of the recipe")
    views = [image.view for image in checked]
    if len(set(views)) < len(views):
        raise InvalidRequest(f"views {', '.join(views)}", expected="each view once")
    return checked


def _image_in(image: pb.Image) -> ImageIn:
    view = short_text(image.view, "view")
    pixel_format = PIXEL_FORMATS.get(image.pixel_format)
    if pixel_format is None:
        raise InvalidRequest(
            f"image of view {view!r} declares pixel format {image.pixel_format}",
            expected=", ".join(PIXEL_FORMATS.values()),
            remedy="declare what the pixels are; nothing is guessed",
        )
    match image.WhichOneof("content"):  # each look at a field of bytes copies it: one look
        case "encoded" if data := image.encoded:
            return ImageIn(data=data, pixel_format=pixel_format, encoded=True, view=view)
        case "raw":
            raw = image.raw
            data = raw.data
        case _:
            raise InvalidRequest(f"image of view {view!r} is empty", expected="raw pixels or an encoded file")
    for side, size_px in (("width_px", raw.width_px), ("height_px", raw.height_px)):
        if not 1 <= size_px <= _MAX_SIDE_PX:
            raise InvalidRequest(f"image of view {view!r} has {side} {size_px}", expected=f"1 to {_MAX_SIDE_PX}")
    row_bytes = pixel_format.nbytes(raw.width_px, 1)
    stride_bytes = raw.stride_bytes or row_bytes
    if stride_bytes < row_bytes or stride_bytes % pixel_format.dtype.itemsize:
        raise InvalidRequest(
            f"image of view {view!r} has stride_bytes {raw.stride_bytes}",
            expected=f"0, or at least {row_bytes} for {raw.width_px} px of {pixel_format} in whole pixel values",
        )
    if len(data) != stride_bytes * raw.height_px:
        raise InvalidRequest(
            f"image of view {view!r} has {len(data)} bytes",
            expected=f"{stride_bytes} x {raw.height_px} = {stride_bytes * raw.height_px} bytes ({pixel_format})",
        )
    if raw.HasField("crc32") and raw.crc32 != (crc32 := zlib.crc32(data)):
        raise InvalidRequest(
            f"image of view {view!r} has CRC-32 {crc32:#010x}",
            expected=f"{raw.crc32:#010x} as declared",
            remedy="send it again: it was damaged on the way",
        )
    return ImageIn(
        data=data,
        pixel_format=pixel_format,
        encoded=False,
        width_px=raw.width_px,
        height_px=raw.height_px,
        stride_bytes=stride_bytes,
        view=view,
    )
