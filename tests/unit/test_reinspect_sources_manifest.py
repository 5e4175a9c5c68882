"""Lists of pictures: rows become parts, and what is wrong with a list is told with the row's number."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat
from lineside.reinspect import storage
from lineside.reinspect.part import ONLY_VIEW, ImageRef, Part, RawFormat, Truth
from lineside.reinspect.sources.opening import open_source
from lineside.reinspect.sources.source import SourceOptions

NOON_UTC_NS = 1_795_348_800_000_000_000  # 2026-11-22 12:00

Rows = Sequence[Mapping[str, str]]


def write_csv(path: Path, rows: Rows) -> Path:
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_parquet(path: Path, rows: Rows) -> Path:
    pq.write_table(pa.Table.from_pylist(list(rows)), path, row_group_size=2)
    return path


def listed(where: object, **options: object) -> list[Part]:
    return list(open_source(str(where), options=SourceOptions(**options)).parts())  # type: ignore[arg-type]


@pytest.fixture(params=["csv", "parquet"])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> object:
    """Writes rows as either kind of manifest."""
    make = write_csv if request.param == "csv" else write_parquet
    return lambda rows: make(tmp_path / f"parts.{request.param}", rows)


def test_each_row_is_a_part_with_all_that_it_says(write: object, tmp_path: Path) -> None:
    sha256 = "ab" * 32
    rows = [
        {
            "path": "a/1.png",
            "part_id": "P1",
            "view": "top",
            "captured": "2026-11-22T13:00:00+01:00",
            "truth": "Bad",
            "class": "scratch",
            "mask": "masks/1.png",
            "sha256": sha256.upper(),
            "operator": "not ours",
        },
        {
            "path": "/b/2.png",
            "part_id": "",
            "view": "",
            "captured": f"{NOON_UTC_NS + 7}",
            "truth": "good",
            "class": "none",
            "mask": "",
            "sha256": "",
            "operator": "",
        },
        {
            "path": "s3://bucket/3.png",
            "part_id": "",
            "view": "",
            "captured": "",
            "truth": "",
            "class": "",
            "mask": "",
            "sha256": "",
            "operator": "",
        },
    ]

    assert listed(write(rows)) == [  # type: ignore[operator]
        Part(
            key="P1",
            part_id="P1",
            captured_utc_ns=NOON_UTC_NS,
            images={"top": ImageRef(url=f"{tmp_path}/a/1.png", sha256=sha256)},
            truth=Truth(bad=True, class_name="scratch", mask=ImageRef(url=f"{tmp_path}/masks/1.png")),
        ),
        Part(
            key="/b/2.png",
            part_id="/b/2.png",
            captured_utc_ns=NOON_UTC_NS + 7,
            images={ONLY_VIEW: ImageRef(url="/b/2.png")},
            truth=Truth(bad=False),
        ),
        Part(
            key="s3://bucket/3.png",
            part_id="s3://bucket/3.png",
            images={ONLY_VIEW: ImageRef(url="s3://bucket/3.png")},
        ),
    ]


def test_rows_of_one_part_are_joined(write: object) -> None:
    rows = [
        {"path": f"{part}{view}.png", "part_id": part, "view": view, "truth": truth}
        for part, view, truth in (("1", "top", ""), ("1", "side", "bad"), ("2", "side", "good"), ("2", "top", "good"))
    ]

    first, second = listed(write(rows))  # type: ignore[operator]

    assert (["top", "side"], Truth(bad=True)) == (list(first.images), first.truth)
    assert (["side", "top"], Truth(bad=False)) == (list(second.images), second.truth)


def test_rows_of_one_part_with_others_in_between_are_refused_by_number(tmp_path: Path) -> None:
    rows = [{"path": f"{number}.png", "part_id": part} for number, part in enumerate("aabca")]
    for index, row in enumerate(rows):
        row["view"] = str(index)
    source = open_source(str(write_csv(tmp_path / "parts.csv", rows)))

    with pytest.raises(
        ConfigError, match=r"parts\.csv:6: belongs to part a, as row 2 does, .*sort the manifest by part"
    ):
        list(source.parts())


def test_a_picture_listed_twice_is_refused(tmp_path: Path) -> None:
    twice = write_csv(tmp_path / "parts.csv", [{"path": name} for name in ("a.png", "b.png", "a.png")])
    in_a_row = write_csv(tmp_path / "more.csv", [{"path": name} for name in ("a.png", "a.png")])

    with pytest.raises(ConfigError, match=r"parts\.csv:4: belongs to part a\.png, as row 2 does"):
        listed(twice)
    with pytest.raises(ConfigError, match=r"more\.csv:3: is the second picture of view '' of part a\.png"):
        listed(in_a_row)


def test_rows_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    rows = [{"path": f"{view}.png", "part_id": "1", "view": view, "truth": truth} for view, truth in ("ag", "bb")]
    for row in rows:
        row["truth"] = {"g": "good", "b": "bad"}[row["truth"]]

    with pytest.raises(ConfigError, match=r":3: contradicts the truth of part 1"):
        listed(write_csv(tmp_path / "parts.csv", rows))


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("path", "", r":3: names no picture"),
        ("truth", "maybe", r":3: says truth 'maybe'; expected one of good, ok, bad, defect"),
        ("captured", "yesterday", r":3: says captured 'yesterday'; expected ISO 8601"),
        ("captured", "1700000000000", r":3: says captured '1700000000000'"),
        ("captured", "9" * 20, r":3: says captured '9{20}'"),
        ("captured", "2300-01-01", r":3: says captured '2300-01-01'"),
        ("sha256", "abc", r":3: says sha256 'abc'; expected 64 hex digits"),
        ("pixel_format", "Grey8", r":3: says pixel_format 'Grey8', width_px '', height_px ''"),
        ("pixel_format", "Mono8", r":3: says pixel_format 'Mono8', width_px '', height_px ''"),
    ],
)
def test_a_bad_value_is_told_with_its_row(tmp_path: Path, column: str, value: str, told: str) -> None:
    rows = [{"path": "a.png", "other": "1", column: ""}, {"path": "b.png", "other": "2", column: value}]
    rows[0]["path"] = "a.png"

    with pytest.raises(ConfigError, match=rf"parts\.csv{told}"):
        listed(write_csv(tmp_path / "parts.csv", rows))


@pytest.mark.parametrize("line", ["b.png", "b.png,1,2", 'b.png,"unclosed'])
def test_a_damaged_row_is_told_with_its_number(tmp_path: Path, line: str) -> None:
    (tmp_path / "parts.csv").write_text(f"path,view\na.png,top\n{line}\n")

    with pytest.raises(ConfigError, match=r"parts\.csv:[34]: "):
        listed(tmp_path / "parts.csv")


def test_a_missing_column_lists_those_that_are_there(write: object) -> None:
    manifest = write([{"file": "a.png", "kind": "good"}])  # type: ignore[operator]

    with pytest.raises(ConfigError, match="has no column path; expected one of its columns: file, kind"):
        open_source(str(manifest))
    with pytest.raises(ConfigError, match="has no column sort; expected one of its columns: file, kind"):
        open_source(str(manifest), options=SourceOptions(columns={"path": "file", "truth": "sort"}))
    with pytest.raises(ConfigError, match="columns names picture, of which nothing is known"):
        open_source(str(manifest), options=SourceOptions(columns={"picture": "file"}))
    assert [Truth(bad=False)] == [part.truth for part in listed(manifest, columns={"path": "file", "truth": "kind"})]


@pytest.mark.parametrize("content", [b"", b"PAR1 no table", b"\x00\x01"])
@pytest.mark.parametrize("name", ["parts.csv", "parts.parquet"])
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ConfigError, match=r"has no column path|is no Parquet file"):
        open_source(str(tmp_path / name))


def test_raw_frames_are_declared_by_row_or_for_all(tmp_path: Path) -> None:
    rows = [
        {"path": "a.raw", "pixel_format": "Mono16", "width_px": "4", "height_px": "3"},
        {"path": "b.raw", "pixel_format": "", "width_px": "", "height_px": ""},
        {"path": "c.png", "pixel_format": "", "width_px": "", "height_px": ""},
    ]
    rest = RawFormat(pixel_format=PixelFormat.MONO8, width_px=2, height_px=2)

    assert [RawFormat(pixel_format=PixelFormat.MONO16, width_px=4, height_px=3), rest, None] == [
        part.images[ONLY_VIEW].raw for part in listed(write_csv(tmp_path / "parts.csv", rows), raw=rest)
    ]


@pytest.mark.parametrize("width_px", ["0", "-4", "4.0", "9" * 30, ""])
def test_a_raw_frame_of_no_possible_size_is_refused(tmp_path: Path, width_px: str) -> None:
    rows = [{"path": "a.raw", "pixel_format": "Mono16", "width_px": width_px, "height_px": "3"}]

    with pytest.raises(ConfigError, match=r":2: says pixel_format 'Mono16'.* whole numbers from 1 to"):
        listed(write_csv(tmp_path / "parts.csv", rows))


def test_only_the_rows_of_one_split_are_parts(write: object) -> None:
    manifest = write([{"path": f"{split}.png", "split": split} for split in ("train", "test", "val")])  # type: ignore[operator]
    source = open_source(str(manifest), options=SourceOptions(split="test"))

    assert ["test.png"] == [part.key for part in source.parts()]
    assert source.ignored == {"rows of other splits": 2}


def test_a_split_asked_of_a_manifest_without_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no column split"):
        listed(write_csv(tmp_path / "parts.csv", [{"path": "a.png"}]), split="test")


def test_times_of_parquet_are_taken_as_they_are(tmp_path: Path) -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    table = pa.table(
        {"path": ["a.png", "b.png"], "captured": pa.array([noon, None], pa.timestamp("us", "Europe/Berlin"))}
    )
    pq.write_table(table, tmp_path / "parts.parquet")

    assert [NOON_UTC_NS, 0] == [part.captured_utc_ns for part in listed(tmp_path / "parts.parquet")]


def test_paths_of_any_bytes_and_a_mark_at_the_beginning_come_through(tmp_path: Path) -> None:
    odd = os.fsdecode(b"\xe4\xff.png")
    (tmp_path / odd).write_bytes(b"odd")
    (tmp_path / "two\nlines.png").write_bytes(b"lines")
    (tmp_path / "parts.csv").write_bytes(b'\xef\xbb\xbfpath\r\n\xe4\xff.png\r\n\r\n"two\nlines.png"\r\n')

    parts = listed(tmp_path / "parts.csv")

    assert [b"odd", b"lines"] == [storage.read(part.images[ONLY_VIEW]) for part in parts]


def test_a_list_behind_a_url_names_pictures_beside_it() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/lists/parts.csv", b"path\nday/a.png\n")
    memory.pipe_file("/lists/day/a.png", b"a")

    (part,) = listed("memory://lists/parts.csv")

    assert b"a" == storage.read(part.images[ONLY_VIEW])
    memory.rm("/lists", recursive=True)


def test_a_folder_with_a_split_csv_tells_truth_and_split_by_it(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text(
        "file,split,label,class,mask,group\n"
        "defect/a.jpg,test,defect,pitting,masks/a.png,spot1\n"
        "good/b.jpg,test,good,,,spot2\n"
        "good/c.jpg,train,good,,,spot3\n"
    )
    source = open_source(str(tmp_path), options=SourceOptions(split="test"))

    assert ("split", f"the list {tmp_path}/split.csv, rows of split test") == (
        source.kind,
        source.description.partition(", with")[0],
    )
    bad, good = source.parts()
    assert bad.truth == Truth(bad=True, class_name="pitting", mask=ImageRef(url=f"{tmp_path}/masks/a.png"))
    assert (good.key, good.truth) == ("good/b.jpg", Truth(bad=False))
    assert 3 == len(listed(tmp_path / "split.csv"))


def test_the_real_archives_are_listed_whole() -> None:
    data = Path(__file__).parents[2].parent / "shared" / "data"
    if not data.is_dir():
        pytest.skip("there is no shared/data beside the project")

    for name, count in (("ballscrew", 749), ("cookie", 85), ("strip", 1360)):
        parts = listed(data / name)
        assert count == len(parts) == len({part.key for part in parts})
        assert all(part.truth is not None for part in parts)
        assert all(storage.is_file(image.url) for part in parts for image in part.images.values())
