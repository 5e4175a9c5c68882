"""The folder camera on real files: order, names, lists, sizes, and every kind of damaged file."""

import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from camera_cases import pictures

from lineside.cameras.folder import FolderCamera, FolderConfig
from lineside.core.errors import CameraLost, ConfigError
from lineside.core.frame import Frame, MissedFrame
from lineside.core.ports import EndOfSource
from lineside.core.reason import Reason
from lineside.core.trigger import MAX_PART_ID_CHARS

BALLSCREW = Path(__file__).parents[2].parent / "shared" / "data" / "ballscrew"


def folder_camera(path: Path, **keys: object) -> FolderCamera:
    declared = {"backend": "folder", "path": str(path), "pixel_format": "BGR8", "size_px": [160, 120], **keys}
    return FolderCamera("top", FolderConfig.model_validate(declared))


def shots_of(camera: FolderCamera) -> Iterator[Frame | MissedFrame]:
    camera.connect()
    try:
        while True:
            shot = camera.wait(1000)
            assert shot is not None
            yield shot
    except EndOfSource:
        camera.close()


def part_ids(camera: FolderCamera) -> list[str]:
    return [shot.part_id for shot in shots_of(camera)]


def only_shot(path: Path, **keys: object) -> Frame | MissedFrame:
    (shot,) = shots_of(folder_camera(path, **keys))
    return shot


def test_pictures_come_in_natural_order_each_with_its_name(tmp_path: Path) -> None:
    expected = [f"part{number}.png" for number in range(1, 13)]

    assert expected == part_ids(folder_camera(pictures(tmp_path / "line")))


def test_pixels_are_those_of_the_file_in_the_declared_order(tmp_path: Path) -> None:
    line = pictures(tmp_path / "line", 1)
    blue, green, red = 1, 2, 3

    assert (only_shot(line).pixels == (blue, green, red)).all()
    assert (only_shot(line, pixel_format="RGB8").pixels == (red, green, blue)).all()


def test_colour_files_become_grey_only_when_declared(tmp_path: Path) -> None:
    line = pictures(tmp_path / "line", 1)

    refused = only_shot(line, pixel_format="Mono8")
    grey = only_shot(line, pixel_format="Mono8", file_pixel_format="BGR8")

    assert refused.reason is Reason.FRAME_DAMAGED
    assert "expected Mono8" in refused.detail
    assert grey.pixels.shape == (120, 160)


def test_deep_pictures_are_kept_deep_and_checked(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "a.png"), np.full((120, 160), 1023, np.uint16))
    assert cv2.imwrite(str(tmp_path / "b.png"), np.full((120, 160), 1024, np.uint16))

    good, damaged = shots_of(folder_camera(tmp_path, pixel_format="Mono10"))

    assert (good.pixels == 1023).all()
    assert damaged.reason is Reason.FRAME_DAMAGED
    assert "1024" in damaged.detail


def test_folders_below_are_shown_when_asked_for_and_circles_are_not_walked(tmp_path: Path) -> None:
    pictures(tmp_path, 1)
    pictures(tmp_path / "shift2", 2)
    (tmp_path / "shift2" / "round").symlink_to(tmp_path, target_is_directory=True)

    assert part_ids(folder_camera(tmp_path)) == ["part1.png"]
    assert part_ids(folder_camera(tmp_path, recursive=True)) == ["part1.png", "shift2/part1.png", "shift2/part2.png"]


def test_a_pattern_chooses_names_in_any_case(tmp_path: Path) -> None:
    pictures(tmp_path, 3)
    (tmp_path / "part2.png").rename(tmp_path / "Part2.PNG")

    assert part_ids(folder_camera(tmp_path, pattern=["part[23].png"])) == ["Part2.PNG", "part3.png"]


def test_a_list_chooses_pictures_in_its_own_order(tmp_path: Path) -> None:
    pictures(tmp_path, 4)
    (tmp_path / "split.csv").write_text(
        "file,split,label\npart3.png,val,good\npart1.png,val,bad\npart2.png,train,good\npart4.png,test,good\n"
    )

    def shown(**where: object) -> list[str]:
        return part_ids(folder_camera(tmp_path, list_file="split.csv", where=where))

    assert shown() == ["part3.png", "part1.png", "part2.png", "part4.png"]
    assert shown(split="val", label="good") == ["part3.png"]
    assert shown(split=["val", "train"]) == ["part3.png", "part1.png", "part2.png"]


@pytest.mark.parametrize(
    ("text", "where", "told"),
    [
        ("name\na.png\n", {}, "no column 'file'"),
        ("file\npart1.png\n", {"split": "val"}, "no column 'split'"),
        ("file,split\npart1.png,val\n", {"split": "vall"}, "lists no picture"),
        ("file\n../part1.png\n", {}, "expected paths inside the folder"),
        ("file\n/etc/passwd\n", {}, "expected paths inside the folder"),
        ("", {}, "no column 'file'"),
        ("file\n\xff", {}, "UTF-8"),
    ],
)
def test_a_list_that_is_wrong_refuses_to_start(tmp_path: Path, text: str, where: dict[str, str], told: str) -> None:
    (tmp_path / "list.csv").write_bytes(text.encode("latin-1"))

    with pytest.raises(ConfigError, match=told):
        folder_camera(pictures(tmp_path), list_file="list.csv", where=where).connect()


def test_a_filter_without_a_list_refuses_to_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="where needs a list_file"):
        folder_camera(tmp_path, where={"split": "val"})


def test_an_empty_folder_refuses_to_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no picture in .*; expected files named \*\.png"):
        folder_camera(tmp_path).connect()


def damaged_files() -> dict[str, bytes]:
    picture = np.random.default_rng(1).integers(0, 256, (120, 160, 3), np.uint8)
    whole = {kind: cv2.imencode(f".{kind}", picture)[1].tobytes() for kind in ("png", "jpg", "bmp", "tiff")}
    files = {f"{kind}-cut.{kind}": data[: len(data) * 2 // 3] for kind, data in whole.items()}
    files |= {f"{kind}-head.{kind}": data[:12] for kind, data in whole.items()}
    files["empty.png"] = b""
    files["text.jpg"] = b"this is not a picture"
    files["bit.png"] = whole["png"][:5000] + bytes([whole["png"][5000] ^ 1]) + whole["png"][5001:]
    files["bomb.png"] = whole["png"][:16] + struct.pack(">II", 100_000, 100_000) + whole["png"][24:]
    return files


@pytest.mark.parametrize("fit", ["refuse", "resize"])
@pytest.mark.parametrize("name", damaged_files())
def test_a_damaged_file_is_a_missed_frame_and_the_next_one_comes(tmp_path: Path, name: str, fit: str) -> None:
    (tmp_path / name).write_bytes(damaged_files()[name])
    pictures(tmp_path / "good", 1)
    (tmp_path / "good" / "part1.png").rename(tmp_path / "z.png")

    damaged, good = shots_of(folder_camera(tmp_path, fit=fit))

    assert (damaged.part_id, damaged.reason) == (name, Reason.FRAME_DAMAGED)
    assert name in damaged.detail
    assert isinstance(good, Frame)


def test_a_file_that_claims_too_many_pixels_is_not_decoded(tmp_path: Path) -> None:
    shot = only_shot(pictures(tmp_path, 1), max_pixels=100, fit="resize")

    assert "160 x 120 px; expected at most 100 px" in shot.detail


def test_a_file_that_went_away_is_a_missed_frame_with_its_name(tmp_path: Path) -> None:
    camera = folder_camera(pictures(tmp_path, 2))
    camera.connect()
    (tmp_path / "part1.png").unlink()

    gone, there = camera.wait(1000), camera.wait(1000)

    assert isinstance(gone, MissedFrame)
    assert (gone.part_id, gone.reason) == ("part1.png", Reason.NO_FRAME)
    assert isinstance(there, Frame)


def test_a_pipe_in_the_list_does_not_block_the_camera(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "part1.png")
    (tmp_path / "list.csv").write_text("file\npart1.png\n")

    assert only_shot(tmp_path, list_file="list.csv").reason is Reason.NO_FRAME


def test_names_that_are_no_text_are_written_out_and_long_ones_keep_their_end(tmp_path: Path) -> None:
    picture = cv2.imencode(".png", np.zeros((120, 160, 3), np.uint8))[1].tobytes()
    (tmp_path / "line\n1.png").write_bytes(picture)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/odd\xff.png")).write_bytes(picture)
    for letter in "pq":
        deep = tmp_path / (letter * 200) / ("f" * 100)
        deep.mkdir(parents=True)
        (deep / "part7.png").write_bytes(picture)

    ids = part_ids(folder_camera(tmp_path, recursive=True))

    assert {"line\\n1.png", "odd\\xff.png"} < set(ids)
    assert len(set(ids)) == 4
    assert all(len(part_id) <= MAX_PART_ID_CHARS and part_id.isprintable() for part_id in ids)
    assert sum(part_id.endswith("f/part7.png") for part_id in ids) == 2


@pytest.mark.parametrize(
    ("fit", "size_px", "fits"),
    [
        ("refuse", [161, 120], False),
        ("pad", [164, 121], True),
        ("pad", [159, 121], False),
        ("crop", [150, 120], True),
        ("crop", [150, 121], False),
        ("resize", [80, 100], True),
    ],
)
def test_a_picture_of_another_size_is_fitted_as_declared(
    tmp_path: Path, fit: str, size_px: list[int], fits: bool
) -> None:
    shot = only_shot(pictures(tmp_path, 1), fit=fit, size_px=size_px)

    assert isinstance(shot, Frame) is fits
    if isinstance(shot, Frame):
        assert [shot.width_px, shot.height_px] == size_px
        assert (shot.check().pixels == (1, 2, 3)).all()
        assert shot.pixels.flags.c_contiguous
    else:
        assert f"picture of 160 x 120 px; expected {size_px[0]} x {size_px[1]} px" in shot.detail


def test_padding_and_cropping_keep_the_middle(tmp_path: Path) -> None:
    picture = np.zeros((120, 160, 3), np.uint8)
    picture[60, 80] = 255
    assert cv2.imwrite(str(tmp_path / "a.png"), picture)

    padded = only_shot(tmp_path, fit="pad", size_px=[164, 126])
    cropped = only_shot(tmp_path, fit="crop", size_px=[100, 80])

    assert padded.pixels[63, 82].tolist() == [255, 255, 255]
    assert cropped.pixels[40, 50].tolist() == [255, 255, 255]


def test_a_looping_folder_begins_again_and_goes_on_counting(tmp_path: Path) -> None:
    camera = folder_camera(pictures(tmp_path, 2), loop=True)
    camera.connect()

    shown = [camera.capture(number, 100) for number in range(5)]

    assert [shot.part_id for shot in shown] == ["part1.png", "part2.png", "part1.png", "part2.png", "part1.png"]
    assert [shot.frame_id for shot in shown] == [1, 2, 3, 4, 5]


def test_the_end_stays_the_end(tmp_path: Path) -> None:
    camera = folder_camera(pictures(tmp_path, 1))
    camera.connect()
    camera.capture(1, 100)

    for _ in range(2):
        with pytest.raises(EndOfSource):
            camera.capture(2, 100)
        with pytest.raises(EndOfSource):
            camera.wait(100)


def test_between_two_pictures_of_a_takt_the_line_stands_still(tmp_path: Path) -> None:
    camera = folder_camera(pictures(tmp_path, 2), takt_ms=3_600_000)
    camera.connect()

    assert isinstance(camera.wait(1), Frame)
    assert camera.wait(1) is None
    assert isinstance(camera.capture(2, 1), Frame)


def test_a_frame_was_captured_when_its_file_was_written(tmp_path: Path) -> None:
    os.utime(pictures(tmp_path, 1) / "part1.png", ns=(0, 1_234_567_891_000_000_000))
    before_mono_ns = time.monotonic_ns()

    frame = only_shot(tmp_path)

    assert frame.captured_utc_ns == 1_234_567_891_000_000_000
    assert before_mono_ns <= frame.captured_mono_ns <= time.monotonic_ns()


def test_a_closed_folder_is_lost(tmp_path: Path) -> None:
    camera = folder_camera(pictures(tmp_path, 1))
    camera.connect()
    camera.close()

    with pytest.raises(CameraLost):
        camera.wait(1)


def test_a_relative_path_starts_at_the_project(tmp_path: Path) -> None:
    pictures(tmp_path / "archive", 1)
    config = FolderConfig(backend="folder", path=Path("archive"), pixel_format="BGR8", size_px=(160, 120))

    camera = FolderCamera("top", config.rooted(tmp_path))

    assert part_ids(camera) == ["part1.png"]


@pytest.mark.skipif(not BALLSCREW.is_dir(), reason="the ballscrew photographs are not on this machine")
def test_a_real_archive_gives_one_shot_for_each_picture_of_its_list(tmp_path: Path) -> None:
    where = {"split": "val"}
    listed = [line.split(",") for line in (BALLSCREW / "split.csv").read_text().splitlines()]
    expected = [row[0] for row in listed if row[1] == "val"]
    camera = folder_camera(BALLSCREW, list_file="split.csv", where=where, size_px=[1130, 460])

    shots = list(shots_of(camera))

    assert expected == [shot.part_id for shot in shots]
    assert any(isinstance(shot, Frame) for shot in shots)
    assert all("expected 1130 x 460 px" in shot.detail for shot in shots if isinstance(shot, MissedFrame))
