"""Tar shards in WebDataset layout: each image is a stretch of its shard, and a damaged shard says how far it goes."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path

import fsspec
import pytest

from lineside.core.errors import ConfigError, FrameError
from lineside.reinspect import storage
from lineside.reinspect.part import ONLY_VIEW, Part, Truth
from lineside.reinspect.sources.opening import open_source
from lineside.reinspect.sources.source import SourceOptions

NOON_UTC_NS = 1_795_348_800_000_000_000  # 2026-11-22 12:00


def packed(members: Iterable[tuple[str, bytes]], *, kind: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar file with these members."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=kind) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def pictures(*names: str) -> list[tuple[str, bytes]]:
    return [(name, name.encode("utf-8", "surrogateescape") * 100) for name in names]


def listed(where: object, **options: object) -> list[Part]:
    return list(open_source(str(where), options=SourceOptions(**options)).parts())  # type: ignore[arg-type]


def keys(parts: Iterable[Part]) -> list[str]:
    return [part.key for part in parts]


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_each_image_is_a_stretch_of_its_shard(tmp_path: Path, kind: int) -> None:
    (tmp_path / "a.tar").write_bytes(packed(pictures("1.png", "day/2.JPG", "x" * 90 + "/3.png"), kind=kind))

    parts = listed(tmp_path / "a.tar")

    assert ["a.tar/1", "a.tar/day/2", f"a.tar/{'x' * 90}/3"] == keys(parts)
    assert [b"1.png" * 100, b"day/2.JPG" * 100] == [storage.read(part.images[ONLY_VIEW]) for part in parts[:2]]


def test_views_truth_and_facts_of_a_part_stand_beside_each_other(tmp_path: Path) -> None:
    facts = {"part_id": "P7", "captured": "2026-11-22T12:00:00", "truth": "bad", "class": "scratch"}
    members = [
        *pictures("7.top.png", "7.side.png", "7.mask.png"),
        ("7.json", json.dumps(facts).encode()),
        *pictures("8.top.png"),
        ("8.cls", b"good\n"),
        *pictures("9.png"),
        ("9.cls", b"dent"),
    ]
    (tmp_path / "a.tar").write_bytes(packed(members))

    bad, good, dent = listed(tmp_path / "a.tar")

    assert ("a.tar/7", "P7", NOON_UTC_NS) == (bad.key, bad.part_id, bad.captured_utc_ns)
    assert ["top", "side"] == list(bad.images)
    assert bad.truth is not None and bad.truth.mask is not None
    assert (True, "scratch") == (bad.truth.bad, bad.truth.class_name)
    assert b"7.mask.png" * 100 == storage.read(bad.truth.mask)
    assert Truth(bad=False) == good.truth
    assert Truth(bad=True, class_name="dent") == dent.truth


def test_a_class_that_is_a_number_means_what_is_declared(tmp_path: Path) -> None:
    members = [*pictures("1.png"), ("1.cls", b"0"), *pictures("2.png"), ("2.cls", b"3")]
    (tmp_path / "a.tar").write_bytes(packed(members))

    assert [Truth(bad=False), Truth(bad=True, class_name="3")] == [
        part.truth for part in listed(tmp_path / "a.tar", good_class="0")
    ]
    assert [None, None] == [part.truth for part in listed(tmp_path / "a.tar")]


def test_what_is_no_picture_is_counted(tmp_path: Path) -> None:
    members = [
        *pictures("1.png", "1.txt", "README"),
        ("2.json", b"[" * 100_000),
        ("3.json", b"{}"),
        *pictures("4.top.png", "4.top.jpg"),
    ]
    (tmp_path / "a.tar").write_bytes(packed(members))
    source = open_source(str(tmp_path))

    assert ["a.tar/1", "a.tar/4"] == keys(source.parts())
    assert source.ignored == {
        "members ending in .txt": 1,
        "members without ending": 1,
        "members ending in .json": 1,
        "keys without a picture": 1,
        "second pictures of one view of a part": 1,
    }


def test_shards_are_found_by_folder_glob_and_braces(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"s-{number:03d}.tar").write_bytes(packed(pictures("1.png", "2.png")))
    (tmp_path / "README").write_text("about")
    every = [f"s-{number:03d}.tar/{key}" for number in range(3) for key in (1, 2)]

    assert every == keys(listed(tmp_path))
    assert every == keys(listed(tmp_path / "s-*.tar"))
    assert every == keys(listed(tmp_path / "s-{000..002}.tar"))
    assert every[2:] == keys(listed(tmp_path / "s-00{1,2}.tar"))
    assert "3 tar shards" in open_source(str(tmp_path)).description


@pytest.mark.parametrize("braces", ["{}", "{3..1}", "{a}", "{1..b}", "{0..99999999999}"])
def test_braces_that_stand_for_nothing_are_refused(tmp_path: Path, braces: str) -> None:
    with pytest.raises(ConfigError, match="stands for nothing; expected a range such as"):
        open_source(str(tmp_path / f"s-{braces}.tar"))


def test_a_shard_that_is_not_there_is_a_part_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "s-0.tar").write_bytes(packed(pictures("1.png")))

    parts = listed(tmp_path / "s-{0..1}.tar")

    assert ["s-0.tar/1", "s-1.tar/damaged behind byte 0"] == keys(parts)
    with pytest.raises(FrameError, match="is not there, or no longer"):
        storage.read(parts[1].images[ONLY_VIEW])


def test_no_shard_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no shard at"):
        open_source(str(tmp_path / "s-*.tar"))


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tgz"])
def test_a_compressed_shard_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(packed(pictures("1.png"))))

    with pytest.raises(ConfigError, match=r"is compressed: its images cannot be read one by one.*gunzip"):
        open_source(str(tmp_path / name))


WHOLE = packed(pictures("1.png", "2.png", "3.png"), kind=tarfile.USTAR_FORMAT)
"""Each member: 512 bytes of header, 500 bytes of picture, 12 bytes of nothing. Then the end mark, and more zeros."""


@pytest.mark.parametrize(
    ("data", "found"),
    [
        pytest.param(WHOLE[:3072], ["1", "2", "3", "damaged behind byte 3072"], id="no end mark"),
        pytest.param(WHOLE[: 3072 + 512], ["1", "2", "3", "damaged behind byte 3072"], id="half an end mark"),
        pytest.param(WHOLE[:2800], ["1", "2", "3", "damaged behind byte 3072"], id="within the last picture"),
        pytest.param(WHOLE[:2100], ["1", "2", "damaged behind byte 2048"], id="within a header"),
        pytest.param(WHOLE[:2048], ["1", "2", "damaged behind byte 2048"], id="between two members"),
        pytest.param(
            WHOLE[:1024] + b"\xff" * 512 + WHOLE[1536:], ["1", "damaged behind byte 1024"], id="a damaged header"
        ),
        pytest.param(b"\xff" + WHOLE[1:], ["damaged behind byte 0"], id="a damaged first header"),
        pytest.param(gzip.compress(WHOLE), ["damaged behind byte 0"], id="compressed in secret"),
        pytest.param(b"", ["damaged behind byte 0"], id="empty"),
        pytest.param(WHOLE, ["1", "2", "3"], id="whole"),
        pytest.param(WHOLE[: 3072 + 1024], ["1", "2", "3"], id="whole, without the zeros that fill it up"),
    ],
)
def test_of_a_damaged_shard_the_parts_before_are_there_and_one_that_stands_for_the_rest(
    tmp_path: Path, data: bytes, found: list[str]
) -> None:
    (tmp_path / "a.tar").write_bytes(data)
    (tmp_path / "b.tar").write_bytes(WHOLE)

    parts = listed(tmp_path)

    assert [f"a.tar/{key}" for key in found] + ["b.tar/1", "b.tar/2", "b.tar/3"] == keys(parts)
    assert b"1.png" * 100 == storage.read(parts[-3].images[ONLY_VIEW])


def test_the_picture_in_which_a_shard_is_cut_off_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(WHOLE[:2800])

    last, rest = listed(tmp_path / "a.tar")[2:]

    with pytest.raises(FrameError, match=r"a\.tar is cut off: it ends 240 bytes behind byte 2560; expected 500 bytes"):
        storage.read(last.images[ONLY_VIEW])
    with pytest.raises(FrameError, match="is cut off"):
        storage.read(rest.images[ONLY_VIEW])


def test_the_same_key_again_is_another_part(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(packed(pictures("1 (2).png", "1.png", "2.png", "1.jpg")))

    assert ["a.tar/1 (2)", "a.tar/1", "a.tar/2", "a.tar/1 (3)"] == keys(listed(tmp_path / "a.tar"))


def test_names_of_any_bytes_come_through(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xe4\xff")
    (tmp_path / "a.tar").write_bytes(packed(pictures(f"{name}.png", "two\nlines.png")))

    parts = listed(tmp_path / "a.tar")

    assert [f"a.tar/{name}", "a.tar/two\nlines"] == keys(parts)
    assert b"\xe4\xff.png" * 100 == storage.read(parts[0].images[ONLY_VIEW])


def test_links_and_folders_in_a_shard_are_counted(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, kind in (("day", tarfile.DIRTYPE), ("1.png", tarfile.SYMTYPE), ("2.png", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type = kind
            tar.addfile(info)
    source = open_source(str(tmp_path / "a.tar"))

    assert [] == list(source.parts())
    assert source.ignored == {"folders": 1, "links and the like": 2}


def test_the_time_is_told_by_the_key(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(packed(pictures("x_20261122T120000.png")))

    (part,) = listed(tmp_path / "a.tar", time_pattern=r"_(?P<time>\d{8}T\d{6})", time_format="%Y%m%dT%H%M%S")

    assert NOON_UTC_NS == part.captured_utc_ns


def test_shards_behind_a_url_are_read_in_stretches() -> None:
    memory = fsspec.filesystem("memory")
    for number in range(2):
        memory.pipe_file(f"/shards/s-{number}.tar", packed(pictures("1.png", "2.top.png")))

    for where in ("memory://shards", "memory://shards/s-?.tar", "memory://shards/s-{0..1}.tar"):
        parts = listed(where)
        assert ["s-0.tar/1", "s-0.tar/2", "s-1.tar/1", "s-1.tar/2"] == keys(parts)
        assert b"2.top.png" * 100 == storage.read(parts[3].images["top"])
    memory.rm("/shards", recursive=True)
