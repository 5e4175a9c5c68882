"""Every way in which an image can be bad is a reason by name, and what is good is exactly what was declared."""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lineside.core.errors import FrameError
from lineside.core.frame import Frame
from lineside.core.pixel_format import PixelFormat
from lineside.journal import image_format
from lineside.reinspect.part import ImageRef, RawFormat
from lineside.reinspect.reading import ReadLimits, read_image

MONO8, MONO12, MONO16, RGB8, BGR8 = (
    PixelFormat.MONO8,
    PixelFormat.MONO12,
    PixelFormat.MONO16,
    PixelFormat.RGB8,
    PixelFormat.BGR8,
)
RANDOM = np.random.default_rng(7)
GREY = RANDOM.integers(0, 256, (24, 32), dtype=np.uint8)
COLOUR = RANDOM.integers(0, 256, (24, 32, 3), dtype=np.uint8)
DEEP = RANDOM.integers(0, 4096, (24, 32), dtype=np.uint16)


def encoded(extension: str, pixels: Any) -> bytes:
    return bytes(cv2.imencode(extension, pixels)[1])


def written(folder: Path, content: bytes, name: str = "picture.png") -> ImageRef:
    path = folder / name
    path.write_bytes(content)
    return ImageRef(url=str(path))


def frame_of(ref: ImageRef, pixel_format: PixelFormat, **limits: int) -> Frame:
    answer = read_image(ref, [pixel_format], ReadLimits(**limits)).frames[pixel_format]
    assert isinstance(answer, Frame), answer
    return answer


def reason(ref: ImageRef, pixel_format: PixelFormat = MONO8, **limits: int) -> str:
    answer = read_image(ref, [pixel_format], ReadLimits(**limits)).frames[pixel_format]
    assert isinstance(answer, FrameError)
    return str(answer)


def archived(pixels: Any, pixel_format: PixelFormat) -> bytes:
    frame = Frame(
        view="top",
        pixels=pixels,
        pixel_format=pixel_format,
        frame_id=5,
        captured_utc_ns=1_700_000_000_000_000_000,
        captured_mono_ns=6,
        camera_serial="C-1",
        part_id="P-5",
    )
    return image_format.encode(frame, {"trigger_number": "5"})


@pytest.mark.parametrize("extension", [".png", ".bmp", ".tiff", ".pgm"])
def test_a_lossless_grey_picture_is_its_pixels(tmp_path: Path, extension: str) -> None:
    frame = frame_of(written(tmp_path, encoded(extension, GREY)), MONO8)

    assert np.array_equal(GREY, frame.pixels)
    assert frame.pixel_format is MONO8


@pytest.mark.parametrize("extension", [".png", ".tiff"])
def test_sixteen_bits_stay_sixteen_bits(tmp_path: Path, extension: str) -> None:
    ref = written(tmp_path, encoded(extension, DEEP))

    assert np.array_equal(DEEP, frame_of(ref, MONO12).pixels)
    assert np.array_equal(DEEP, frame_of(ref, MONO16).pixels)
    assert "frame declared Mono8 is an array uint16[24, 32]" in reason(ref, MONO8)


@pytest.mark.parametrize("extension", [".png", ".jpg", ".webp", ".bmp", ".tiff"])
def test_a_colour_picture_is_right_in_either_order(tmp_path: Path, extension: str) -> None:
    ref = written(tmp_path, encoded(extension, COLOUR))
    both = read_image(ref, [BGR8, RGB8], ReadLimits()).frames

    bgr, rgb = both[BGR8], both[RGB8]

    assert isinstance(bgr, Frame)
    assert isinstance(rgb, Frame)
    assert np.array_equal(bgr.pixels, rgb.pixels[:, :, ::-1])
    assert np.array_equal(bgr.pixels, cv2.imdecode(np.frombuffer(encoded(extension, COLOUR), np.uint8), -1))


def test_what_the_name_says_does_not_matter_the_content_does(tmp_path: Path) -> None:
    frame = frame_of(written(tmp_path, encoded(".png", GREY), "really-a-png.jpg"), MONO8)

    assert np.array_equal(GREY, frame.pixels)


@pytest.mark.parametrize(
    ("pixels", "declared", "got"),
    [
        (GREY, BGR8, "frame declared BGR8 is an array uint8[24, 32]; expected uint8[height, width, 3]"),
        (GREY, RGB8, "frame declared RGB8 is an array uint8[24, 32]"),
        (COLOUR, MONO8, "frame declared Mono8 is an array uint8[24, 32, 3]; expected uint8[height, width]; declare"),
        (np.dstack([COLOUR, GREY]), BGR8, "frame declared BGR8 is an array uint8[24, 32, 4]"),
        (GREY, MONO16, "frame declared Mono16 is an array uint8[24, 32]"),
        (DEEP * 16, MONO12, "in a picture declared Mono12; expected 0 to 4095"),
    ],
)
def test_another_format_than_the_declared_one_is_refused_by_name(
    tmp_path: Path, pixels: Any, declared: PixelFormat, got: str
) -> None:
    assert got in reason(written(tmp_path, encoded(".png", pixels)), declared)


@pytest.mark.parametrize("extension", [".png", ".jpg", ".bmp", ".webp", ".gif"])
def test_a_file_that_is_cut_off_is_named(tmp_path: Path, extension: str) -> None:
    content = encoded(extension, COLOUR)

    assert "cannot be decoded" in reason(written(tmp_path, content[: len(content) * 2 // 3]), BGR8)


def test_a_flipped_bit_is_named_by_the_hash_also_where_it_decodes(tmp_path: Path) -> None:
    content = bytearray(encoded(".bmp", GREY))
    sha256 = hashlib.sha256(content).hexdigest()
    content[-5] ^= 4
    ref = written(tmp_path, bytes(content))
    told = ImageRef(url=ref.url, sha256=sha256)

    assert not np.array_equal(GREY, frame_of(ref, MONO8).pixels)
    assert f"file is damaged: {len(content)} bytes with SHA-256 {hashlib.sha256(content).hexdigest()}" in reason(told)
    assert f"expected {sha256}, as was recorded" in reason(told)
    assert read_image(told, [MONO8], ReadLimits()).sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "file of 0 bytes"),
        (b"no picture at all", "file of 17 bytes is not a picture"),
        (bytes(5000), "file of 5000 bytes is not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' width='8' height='6'/>", "cannot be decoded"),
    ],
)
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    assert told in reason(written(tmp_path, content))


def test_the_smallest_and_the_widest_picture_are_pictures(tmp_path: Path) -> None:
    one = np.full((1, 1), 7, np.uint8)
    wide = RANDOM.integers(0, 256, (2, 30_000), dtype=np.uint8)

    assert np.array_equal(one, frame_of(written(tmp_path, encoded(".png", one)), MONO8).pixels)
    assert np.array_equal(wide, frame_of(written(tmp_path, encoded(".png", wide)), MONO8).pixels)


def cmyk_jpeg() -> bytes:
    """8x8 px in four inks: the tables of a grey one, a header for four components, and four blocks without anything."""
    grey, tables, at = encoded(".jpg", np.zeros((8, 8), np.uint8)), b"", 2
    while grey[at + 1] != 0xDA:
        length = 2 + int.from_bytes(grey[at + 2 : at + 4])
        tables += grey[at : at + length] if grey[at + 1] in (0xDB, 0xC4) else b""
        at += length
    components = b"".join(bytes((number, 0x11, 0)) for number in (1, 2, 3, 4))
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 20, 8, 8, 8, 4) + components
    scan = (
        b"\xff\xda" + struct.pack(">HB", 14, 4) + b"".join(bytes((number, 0)) for number in (1, 2, 3, 4)) + b"\0\x3f\0"
    )
    return b"\xff\xd8" + tables + frame + scan + b"\x28\xa2\x8a" + b"\xff\xd9"


def test_inks_are_no_colours(tmp_path: Path) -> None:
    content = cmyk_jpeg()
    assert cv2.imdecode(np.frombuffer(content, np.uint8), -1).shape == (8, 8, 3), "a decoder would make them up"

    assert "file is a JPEG in CMYK" in reason(written(tmp_path, content, "print.jpg"), BGR8)


def animation(extension: str, frames: int) -> bytes:
    several = cv2.Animation()
    several.frames = [np.dstack([np.roll(COLOUR, step, 1), np.full_like(GREY, 255)]) for step in range(frames)]
    several.durations = [100] * frames
    return bytes(np.asarray(cv2.imencodeanimation(extension, several)[1]).ravel())


@pytest.mark.parametrize(
    ("extension", "name"), [(".gif", "GIF"), (".png", "APNG"), (".webp", "WebP"), (".avif", "AVIF")]
)
def test_an_animation_is_refused_by_name(tmp_path: Path, extension: str, name: str) -> None:
    content = animation(extension, 2)
    assert cv2.imdecode(np.frombuffer(content, np.uint8), -1) is not None, "a decoder would show the first"

    told = reason(written(tmp_path, content), BGR8)

    assert f"({name}); expected one picture" in told


def test_several_pages_are_refused_and_one_page_is_not(tmp_path: Path) -> None:
    pages = bytes(cv2.imencodemulti(".tiff", [GREY, GREY])[1])

    assert "several pages (TIFF)" in reason(written(tmp_path, pages))
    assert np.array_equal(GREY, frame_of(written(tmp_path, encoded(".tiff", GREY)), MONO8).pixels)


def test_one_gif_picture_is_a_picture(tmp_path: Path) -> None:
    assert frame_of(written(tmp_path, encoded(".gif", COLOUR)), BGR8).pixels.shape == (24, 32, 3)


def test_a_large_tiff_whose_directory_lies_behind_the_pixels_is_read(tmp_path: Path) -> None:
    pixels = RANDOM.integers(0, 256, (1100, 1200), dtype=np.uint8)
    content = encoded(".tiff", pixels)
    assert int.from_bytes(content[4:8], "little") > 1 << 20

    assert np.array_equal(pixels, frame_of(written(tmp_path, content), MONO8).pixels)


def bomb(width_px: int, height_px: int) -> bytes:
    """A whole PNG of a few kilobytes, all pixels of which are black."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compressobj()
    packed = b"".join(rows.compress(bytes(1 + width_px)) for _ in range(height_px)) + rows.flush()
    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def test_a_bomb_is_not_decoded_beyond_the_declared_limit(tmp_path: Path) -> None:
    content = bomb(2000, 1500)
    assert len(content) < 10_000
    asked: list[int] = []

    ref = written(tmp_path, content)
    answer = read_image(ref, [MONO8], ReadLimits(max_pixels=1_000_000), asked.append).frames[MONO8]

    assert str(answer).startswith("file that claims 2000 x 1500 px; expected at most 1000000 px")
    assert asked == [], "no room was asked for"
    assert frame_of(ref, MONO8).pixels.shape == (1500, 2000)


def test_a_file_that_is_larger_than_such_a_picture_can_be_is_not_read(tmp_path: Path) -> None:
    ref = written(tmp_path, encoded(".png", GREY) + bytes(2 << 20))

    assert "expected at most 1088576" in reason(ref, max_pixels=10_000)


def test_room_is_asked_for_before_the_pixels_are_there(tmp_path: Path) -> None:
    asked: list[int] = []

    image = read_image(written(tmp_path, encoded(".png", COLOUR)), [BGR8, RGB8], ReadLimits(), asked.append)

    assert asked == [2 * 24 * 32 * 3] == [image.nbytes]


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Root may read everything: while this lasts it is nobody."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


def test_a_forbidden_file_is_named(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    ref = written(tmp_path, encoded(".png", GREY))
    Path(ref.url).chmod(0)
    request.getfixturevalue("ordinary_user")

    assert "permission denied" in reason(ref)


def test_what_is_not_there_a_folder_a_pipe_or_a_device_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    assert "is not there, or no longer" in reason(ImageRef(url=str(tmp_path / "gone.png")))
    assert "is a folder, not a file" in reason(ImageRef(url=str(tmp_path)))
    assert "is neither a file nor a folder" in reason(ImageRef(url=str(tmp_path / "pipe")))
    assert "is neither a file nor a folder" in reason(ImageRef(url="/dev/zero"))
    assert "a link that leads in a circle" in reason(ImageRef(url=str(tmp_path / "loop")))


def test_an_archived_frame_is_what_it_says_of_itself(tmp_path: Path) -> None:
    frame = frame_of(written(tmp_path, archived(DEEP, MONO12)), MONO12)

    assert np.array_equal(DEEP, frame.pixels)
    assert (frame.pixel_format, frame.captured_utc_ns, frame.part_id) == (MONO12, 1_700_000_000_000_000_000, "P-5")


def test_an_archived_frame_of_another_format_is_not_taken_for_the_one_wanted(tmp_path: Path) -> None:
    """Mono12 in sixteen bits would pass as Mono16: it stays what it is, and the inspector refuses it."""
    frame = frame_of(written(tmp_path, archived(DEEP, MONO12)), MONO16)

    assert frame.pixel_format is MONO12


@pytest.mark.parametrize(("kept", "wanted"), [(RGB8, BGR8), (BGR8, RGB8), (RGB8, RGB8)])
def test_the_order_of_colours_is_turned_where_a_candidate_wants_the_other(
    tmp_path: Path, kept: PixelFormat, wanted: PixelFormat
) -> None:
    frame = frame_of(written(tmp_path, archived(COLOUR, kept)), wanted)

    assert frame.pixel_format is wanted
    assert np.array_equal(COLOUR if kept is wanted else COLOUR[:, :, ::-1], frame.pixels)


def test_raw_pixels_are_taken_as_declared_little_endian_and_of_exactly_that_many_bytes(tmp_path: Path) -> None:
    ref = written(tmp_path, DEEP.astype("<u2").tobytes(), "deep.raw")
    raw = ImageRef(url=ref.url, raw=RawFormat(pixel_format=MONO12, width_px=32, height_px=24))
    short = ImageRef(url=ref.url, raw=RawFormat(pixel_format=MONO12, width_px=32, height_px=25))
    flat = ImageRef(url=ref.url, raw=RawFormat(pixel_format=PixelFormat.MONO10, width_px=32, height_px=24))

    assert np.array_equal(DEEP, frame_of(raw, MONO12).pixels)
    assert "1536 bytes of pixels; expected 1600 bytes for 32x25 px Mono12" in reason(short, MONO12)
    assert "declared Mono10; expected 0 to 1023" in reason(flat, PixelFormat.MONO10)


def test_raw_colours_keep_their_order(tmp_path: Path) -> None:
    ref = written(tmp_path, COLOUR.tobytes(), "colour.raw")
    raw = ImageRef(url=ref.url, raw=RawFormat(pixel_format=RGB8, width_px=32, height_px=24))

    assert np.array_equal(COLOUR, frame_of(raw, RGB8).pixels)
    assert np.array_equal(COLOUR[:, :, ::-1], frame_of(raw, BGR8).pixels)


def test_a_stretch_of_a_file_is_an_image(tmp_path: Path) -> None:
    content = encoded(".png", GREY)
    ref = written(tmp_path, b"x" * 100 + content + b"y" * 100, "shard.tar")

    stretch = ImageRef(url=ref.url, offset_bytes=100, length_bytes=len(content))

    assert np.array_equal(GREY, frame_of(stretch, MONO8).pixels)


@pytest.mark.parametrize("extension", [".png", ".jpg", ".bmp", ".tiff", ".webp", ".gif", ".jp2", ".avif", ".pgm"])
def test_whatever_bytes_are_altered_it_is_a_frame_or_a_reason(tmp_path: Path, extension: str) -> None:
    picture = np.tile(COLOUR, (4, 4, 1)) if extension == ".jp2" else COLOUR
    whole = encoded(extension, GREY if extension == ".pgm" else picture)
    for seed in range(120):
        random = np.random.default_rng(seed)
        content = bytearray(whole)
        for place in random.integers(0, len(content), 1 + seed % 6):
            content[place] = random.integers(0, 256)
        if seed % 3 == 0:
            del content[random.integers(1, len(content)) :]
        answer = read_image(written(tmp_path, bytes(content)), [BGR8], ReadLimits(max_pixels=1_000_000)).frames[BGR8]
        assert isinstance(answer, Frame | FrameError)
