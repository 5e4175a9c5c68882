"""Folders and globs of pictures: everything in them is a part or is counted, in the same order every time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pytest

from lineside.core.errors import ConfigError, FrameError
from lineside.core.pixel_format import PixelFormat
from lineside.reinspect import storage
from lineside.reinspect.part import ONLY_VIEW, Part, RawFormat, Truth
from lineside.reinspect.sources.opening import open_source
from lineside.reinspect.sources.source import SourceOptions


def fill(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode("utf-8", "surrogateescape"))


def listed(where: object, **options: object) -> list[Part]:
    return list(open_source(str(where), options=SourceOptions(**options)).parts())  # type: ignore[arg-type]


def keys(parts: Iterable[Part]) -> list[str]:
    return [part.key for part in parts]


def test_every_picture_below_a_folder_is_a_part(tmp_path: Path) -> None:
    fill(tmp_path, ["b/2.JPG", "b/1.png", "a.tif", "b/c/3.bmp", "z.webp"])

    parts = listed(tmp_path)

    assert ["a.tif", "z.webp", "b/1.png", "b/2.JPG", "b/c/3.bmp"] == keys(parts)
    for part in parts:
        (image,) = part.images.values()
        assert part.key.encode() == storage.read(image)
        assert [ONLY_VIEW] == list(part.images)
        assert (part.truth, part.captured_utc_ns, part.original) == (None, 0, None)


def test_keys_do_not_depend_on_where_the_folder_lies(tmp_path: Path) -> None:
    fill(tmp_path / "here", ["a.png", "b/c.png"])
    before = keys(listed(tmp_path / "here"))
    (tmp_path / "here").rename(tmp_path / "there")

    assert before == keys(listed(tmp_path / "there"))


def test_what_is_no_picture_is_counted_by_its_ending(tmp_path: Path) -> None:
    fill(tmp_path, ["a.png", "notes.txt", "b/notes.TXT", "LICENSE", ".hidden.png", ".git/x.png"])
    source = open_source(str(tmp_path))

    assert ["a.png"] == keys(source.parts())
    assert source.ignored == {
        "files ending in .txt": 2,
        "files without ending": 1,
        "hidden files": 1,
        "hidden folders": 1,
    }
    assert ["a.png"] == keys(source.parts())
    assert 2 == source.ignored["files ending in .txt"]


def test_an_empty_folder_has_no_parts(tmp_path: Path) -> None:
    assert [] == listed(tmp_path)


def test_a_single_picture_is_an_archive_of_one(tmp_path: Path) -> None:
    fill(tmp_path, ["a[1].png", "b.png"])

    assert ["a[1].png"] == keys(listed(tmp_path / "a[1].png"))


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.png", ["a.png"]),
        ("**/*.png", ["a.png", "day1/b.png", "day1/top/c.png", "day2/d.png"]),
        ("day*/*.png", ["day1/b.png", "day2/d.png"]),
        ("day[2-9]", ["day2/d.png", "day2/e.jpg"]),
        ("day?/**/?.*g", ["day1/b.png", "day1/top/c.png", "day2/d.png", "day2/e.jpg"]),
        ("day1/**", ["b.png", "top/c.png"]),
        ("*/*/*", ["day1/top/c.png"]),
    ],
)
def test_a_glob_names_pictures_or_folders_of_them(tmp_path: Path, pattern: str, found: list[str]) -> None:
    fill(tmp_path, ["a.png", "day1/b.png", "day1/top/c.png", "day2/d.png", "day2/e.jpg"])

    assert found == keys(listed(tmp_path / pattern))


def test_a_folder_whose_name_looks_like_a_glob_is_that_folder(tmp_path: Path) -> None:
    fill(tmp_path, ["run[1]/a.png", "run1/b.png"])

    assert ["a.png"] == keys(listed(tmp_path / "run[1]"))


@pytest.mark.parametrize("where", ["nothing", "nothing/*.png", "nothing.png"])
def test_a_place_with_nothing_is_refused(tmp_path: Path, where: str) -> None:
    with pytest.raises(ConfigError, match="there is nothing at"):
        open_source(str(tmp_path / where))


def test_names_of_any_bytes_are_parts(tmp_path: Path) -> None:
    names = [os.fsdecode(b"\xe4\xff.png"), "two\nlines.png", "ünïcode ✓.png", os.fsdecode(b"f\xfc/a.png")]
    fill(tmp_path, names)

    parts = listed(tmp_path)

    assert sorted(names[:3]) + names[3:] == keys(parts)
    for part in parts:
        assert os.fsencode(part.key) == storage.read(part.images[ONLY_VIEW])


def test_links_are_followed_but_not_in_a_circle(tmp_path: Path) -> None:
    fill(tmp_path, ["archive/a/1.png", "elsewhere/2.png"])
    archive = tmp_path / "archive"
    (archive / "more").symlink_to(tmp_path / "elsewhere")
    (archive / "a" / "back").symlink_to(archive)
    (archive / "self.png").symlink_to("self.png")
    (archive / "broken.png").symlink_to("gone.png")

    parts = listed(archive)

    assert ["broken.png", "self.png", "a/1.png", "a/back/", "more/2.png"] == keys(parts)
    why = {part.key: reason(part) for part in parts}
    assert "" == why["a/1.png"] == why["more/2.png"]
    assert "is not there" in why["broken.png"]
    assert "leads in a circle" in why["self.png"]
    assert "leads in a circle" in why["a/back/"]


def reason(part: Part) -> str:
    """Why its image cannot be read; empty for one that can."""
    try:
        storage.read(part.images[ONLY_VIEW])
    except FrameError as error:
        return str(error)
    return ""


WITHOUT_RIGHTS = ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"]
"""What root needs before it obeys a folder's permissions."""


def as_ordinary_user(code: str) -> str:
    command = [*(WITHOUT_RIGHTS if os.geteuid() == 0 else []), sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_folder_that_may_not_be_listed_is_a_part_that_says_so(tmp_path: Path) -> None:
    fill(tmp_path, ["a.png", "locked/b.png", "z/c.png"])
    (tmp_path / "locked").chmod(0)
    code = f"""
from lineside.core.errors import FrameError
from lineside.reinspect import storage
from lineside.reinspect.sources.opening import open_source
for part in open_source({str(tmp_path)!r}).parts():
    try:
        storage.read(part.images[""])
        print(part.key, "read")
    except FrameError as error:
        print(part.key, error)
"""
    said = [line for line in as_ordinary_user(code).splitlines() if "[warning" not in line]
    (tmp_path / "locked").chmod(0o700)

    assert ["a.png read", "z/c.png read"] == [said[0], said[2]]
    assert said[1].startswith("locked/ ") and "permission denied" in said[1]


def test_a_folder_that_may_not_be_listed_at_all_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, ["locked/b.png"])
    (tmp_path / "locked").chmod(0)
    code = f"""
from lineside.core.errors import ConfigError
from lineside.reinspect.sources.opening import open_source
from lineside.reinspect.sources.source import SourceOptions
for kind, options in ("", {{}}), ("folder", {{"view_folders": True}}), ("shards", {{}}):
    try:
        list(open_source({str(tmp_path / "locked")!r}, kind=kind, options=SourceOptions(**options)).parts())
    except ConfigError as error:
        print(error)
"""
    said = as_ordinary_user(code)
    (tmp_path / "locked").chmod(0o700)

    assert 3 == said.count("permission denied; expected a folder that can be listed")


def test_truth_is_told_by_folders_where_it_is_asked_for(tmp_path: Path) -> None:
    fill(tmp_path, ["Good/a.png", "ok/b/c.png", "bad/d.png", "defect/scratch/e.png", "defect/f.png", "new/g.png"])

    truth = {part.key: part.truth for part in listed(tmp_path, truth="folders")}

    assert truth == {
        "Good/a.png": Truth(bad=False),
        "ok/b/c.png": Truth(bad=False),
        "bad/d.png": Truth(bad=True),
        "defect/scratch/e.png": Truth(bad=True, class_name="scratch"),
        "defect/f.png": Truth(bad=True),
        "new/g.png": None,
    }
    assert {None} == {part.truth for part in listed(tmp_path)}


def test_truth_asked_for_where_no_folder_tells_it_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, ["a.png", "b/c.png"])

    with pytest.raises(ConfigError, match=r"no folder in .* says what its parts are"):
        listed(tmp_path, truth="folders")


def test_views_are_told_by_the_names_of_files(tmp_path: Path) -> None:
    fill(tmp_path, ["7_top.png", "7_side.png", "8_top.png", "7.png", "x/7_top.png", "10_side.png", "10_top.png"])
    source = open_source(str(tmp_path), options=SourceOptions(view_pattern=r"(?P<part>.+)_(?P<view>top|side)\.png"))

    parts = list(source.parts())

    assert {"10": ["side", "top"], "7": ["side", "top"], "8": ["top"], "x/7": ["top"]} == {
        part.key: sorted(part.images) for part in parts
    }
    assert b"7_side.png" == storage.read(parts[1].images["side"])
    assert source.ignored == {"pictures whose name is not as view_pattern says": 1}


def test_views_are_told_by_folders(tmp_path: Path) -> None:
    names = ["b/2.png", "a.png", "b.png", "a/1.png", "b/10.png"]
    fill(tmp_path, [f"top/{name}" for name in names])
    fill(tmp_path, [f"side/{name}" for name in names[1:]])
    fill(tmp_path, ["LICENSE"])
    source = open_source(str(tmp_path), options=SourceOptions(view_folders=True))

    parts = list(source.parts())

    assert ["a.png", "b.png", "a/1.png", "b/10.png", "b/2.png"] == keys(parts)
    assert [2, 2, 2, 2, 1] == [len(part.images) for part in parts]
    assert b"side/b/10.png" == storage.read(parts[3].images["side"])
    assert source.ignored == {"files beside the folders of views": 1}


def test_two_pictures_of_one_view_of_a_part_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, ["7_top.png", "7_top.jpg"])

    with pytest.raises(ConfigError, match="part 7 has two pictures of view 'top'"):
        listed(tmp_path, view_pattern=r"(?P<part>.+)_(?P<view>top|side)\.\w+")


@pytest.mark.parametrize("pattern", ["(", "(?P<part>.+).png", "(?P<view>.+)"])
def test_a_view_pattern_that_tells_no_part_or_view_is_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"view_pattern .* expected a regular expression with \(\?P<part>…\)"):
        open_source(str(tmp_path), options=SourceOptions(view_pattern=pattern))


def test_frames_of_pixels_alone_have_the_format_declared(tmp_path: Path) -> None:
    fill(tmp_path, ["a.raw", "b.png", "c.BIN", "d.dat"])
    raw = RawFormat(pixel_format=PixelFormat.MONO12, width_px=640, height_px=480)

    assert {"a.raw": raw, "b.png": None, "c.BIN": raw} == {
        part.key: part.images[ONLY_VIEW].raw for part in listed(tmp_path, raw=raw)
    }
    assert ["d.dat"] == keys(listed(tmp_path, raw=raw, extensions=("dat",)))
    assert ["b.png"] == keys(listed(tmp_path))


def test_the_time_of_exposure_is_told_by_the_name_or_the_file(tmp_path: Path) -> None:
    fill(tmp_path, ["01_200902053521_x.png", "none.png", "01_209902053521_x.png"])
    os.utime(tmp_path / "none.png", ns=(1, 1_700_000_000_123_456_789))
    by_name = {"time_pattern": r"_(?P<time>\d{12})_", "time_format": "%y%m%d%H%M%S"}

    assert [int(datetime(2020, 9, 2, 5, 35, 21, tzinfo=UTC).timestamp()) * 10**9, 0, 0] == [
        part.captured_utc_ns for part in listed(tmp_path, **by_name)
    ]
    source = open_source(str(tmp_path), options=SourceOptions(**by_name))
    assert (3, {"paths that tell no time": 2}) == (len(list(source.parts())), source.ignored)
    assert 1_700_000_000_123_456_789 == listed(tmp_path, time_modified=True)[-1].captured_utc_ns


def test_half_a_rule_for_times_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs both time_pattern and time_format"):
        open_source(str(tmp_path), options=SourceOptions(time_format="%y"))


def test_an_archive_behind_a_url_is_listed_the_same(tmp_path: Path) -> None:
    names = ["b/2.png", "a.png", "b/c/1.jpg", "notes.txt"]
    fill(tmp_path, names)
    memory = fsspec.filesystem("memory")
    for name in names:
        memory.pipe_file(f"/parts/{name}", name.encode())

    remote, local = open_source("memory://parts"), open_source(f"file://{tmp_path}")
    found = list(remote.parts())

    assert keys(found) == keys(local.parts()) == ["a.png", "b/2.png", "b/c/1.jpg"]
    assert [b"a.png", b"b/2.png", b"b/c/1.jpg"] == [storage.read(part.images[ONLY_VIEW]) for part in found]
    assert remote.ignored == local.ignored
    assert ["b/2.png"] == keys(listed("memory://parts/*/*.png"))
    memory.rm("/parts", recursive=True)


def test_a_source_says_what_it_was_taken_for_and_refuses_what_it_does_not_take(tmp_path: Path) -> None:
    fill(tmp_path, ["a.png"])

    assert ("folder", f"pictures in {tmp_path}") == (
        open_source(str(tmp_path)).kind,
        open_source(str(tmp_path)).description,
    )
    with pytest.raises(ConfigError, match="of kind folder, which takes no columns"):
        open_source(str(tmp_path), options=SourceOptions(columns={"path": "file"}))
    with pytest.raises(ConfigError, match="no kind of source 'tape'; expected one of station, folder, manifest"):
        open_source(str(tmp_path), kind="tape")


def test_the_fingerprint_changes_with_place_and_options_alone(tmp_path: Path) -> None:
    fill(tmp_path, ["good/a.png", "good/b.png"])
    first = open_source(str(tmp_path)).fingerprint
    fill(tmp_path, ["good/c.png"])

    assert first == open_source(str(tmp_path)).fingerprint
    assert first != open_source(str(tmp_path / "good")).fingerprint
    assert first != open_source(str(tmp_path), options=SourceOptions(truth="folders")).fingerprint
