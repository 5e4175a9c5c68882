"""A station's own archive: every verdict with the images that were kept, and by name why the others are not there."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from journalled_station import CAPTURED_UTC_NS, frame_of, opened, record_of, trigger_of

from lineside.core.clock import SystemClock
from lineside.core.errors import ConfigError, JournalFault, NotFound
from lineside.core.reason import Reason
from lineside.core.record import ImageState, VerdictRecord, image_id
from lineside.core.verdict import Outcome
from lineside.journal.archive import load
from lineside.journal.history import open_history
from lineside.journal.journal import Journal
from lineside.reinspect import storage
from lineside.reinspect.part import ONLY_VIEW, Part
from lineside.reinspect.sources.opening import open_source
from lineside.reinspect.sources.source import SourceOptions
from lineside.reinspect.sources.station import StationSource


def verdict_with(number: int, *, kept: Sequence[str] = (), seen: Sequence[str] = (), reason: Reason) -> VerdictRecord:
    outcome = Outcome.FAIL if reason is Reason.DEFECTS else Outcome.NOT_INSPECTED if reason else Outcome.PASS
    return record_of(number, outcome, reason, kept=kept, seen=seen)


BOTH = ("top", "side")
RECORDS = [
    verdict_with(1, kept=BOTH, seen=BOTH, reason=Reason.DEFECTS),
    verdict_with(2, seen=BOTH, reason=Reason.NONE),
    verdict_with(3, kept=BOTH, seen=BOTH, reason=Reason.DEFECTS),
    verdict_with(4, reason=Reason.NO_FRAME),
    verdict_with(5, kept=("top",), seen=("top",), reason=Reason.CAMERA_LOST),
]
BECAME = {(3, "top"): ImageState.SHED, (3, "side"): ImageState.EXPIRED}


async def fill(data_dir: Path) -> Journal:
    """A journal with the records and their images; still open."""
    journal, archive = opened(data_dir)
    for record, views in zip(RECORDS, (BOTH, (), BOTH, (), ("top",)), strict=True):
        number = record.sequence
        journal.open_trigger(trigger_of(number))
        await journal.append(record)
        for view in views:
            kept = archive.store(
                frame_of(number, view),
                image_id=image_id(number, view),
                trigger_number=number,
                outcome=record.outcome,
                part_id=record.part_id,
            )
            state = BECAME.get((number, view), kept.state)
            journal.note_image(replace(kept, state=state, detail="" if state is ImageState.KEPT else "for a test"))
    return journal


@pytest.fixture(scope="module")
def at_rest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data_dir of a station that does not run."""
    data_dir = tmp_path_factory.mktemp("station")

    async def make() -> None:
        assert await (await fill(data_dir)).close()

    asyncio.run(make())
    return data_dir


def listed(where: Path) -> list[Part]:
    return list(open_source(str(where)).parts())


def test_every_verdict_is_a_part_with_its_original_bytes(at_rest: Path) -> None:
    source = open_source(str(at_rest))

    parts = list(source.parts())

    assert ("station", {}) == (source.kind, source.ignored)
    assert source.description.startswith("5 verdicts of line line, station station")
    assert ["1", "2", "3", "4", "5"] == [part.key for part in parts]
    for part, record in zip(parts, RECORDS, strict=True):
        assert part.original is not None
        assert (record.sequence, record.trigger_number, record.payload) == (
            part.original.sequence,
            part.original.trigger_number,
            part.original.payload,
        )
        assert record.part_id == part.part_id
    assert [CAPTURED_UTC_NS + 1, 0] == [parts[0].captured_utc_ns, parts[3].captured_utc_ns]


def test_images_that_were_kept_are_there_with_their_checksum(at_rest: Path) -> None:
    first = listed(at_rest)[0]
    (past,) = [past for past in open_history(at_rest / "journal.sqlite").verdicts() if past.record.sequence == 1]

    assert {"top", "side"} == first.images.keys()
    for record in past.images:
        image = first.images[record.view]
        assert (record.sha256, Path(image.url).is_absolute()) == (image.sha256, True)
        assert len(storage.read(image)) == record.size_bytes
        assert 1 == load(Path(image.url), record).pixels[0, 0]


def test_what_is_missing_is_told_by_view(at_rest: Path) -> None:
    assert [
        {},
        {"top": "it was not to be kept", "side": "it was not to be kept"},
        {"top": "it was given up: for a test", "side": "it was removed by retention: for a test"},
        dict.fromkeys(BOTH, f"there is no frame: {Reason.NO_FRAME.sentence}"),
        {"side": f"there is no frame: {Reason.CAMERA_LOST.sentence}"},
    ] == [part.missing for part in listed(at_rest)]


def test_views_are_known_from_parts_judged_later_by_the_same_recipe(tmp_path: Path) -> None:
    records = [
        verdict_with(1, reason=Reason.NO_FRAME),
        verdict_with(2, reason=Reason.NO_FRAME),
        verdict_with(3, seen=BOTH, reason=Reason.NONE),
    ]

    assert [set(BOTH), set(BOTH), set(BOTH)] == [set(part.missing) for part in journalled(tmp_path / "later", records)]
    assert [{ONLY_VIEW}, {ONLY_VIEW}] == [set(part.missing) for part in journalled(tmp_path / "never", records[:2])]


def journalled(data_dir: Path, records: Sequence[VerdictRecord]) -> list[Part]:
    """The parts of a journal with these records and no images."""

    data_dir.mkdir(exist_ok=True)

    async def make() -> None:
        journal = Journal.open(
            data_dir / "journal.sqlite", boot_id="boot", station_id="station", line_id="line", clock=SystemClock()
        )
        for record in records:
            journal.open_trigger(trigger_of(record.trigger_number))
            done = journal.append(record)
        await done
        assert await journal.close()

    asyncio.run(make())
    return listed(data_dir)


def test_an_image_without_any_record_is_told_as_such(tmp_path: Path) -> None:
    (part,) = journalled(tmp_path, RECORDS[:1])

    assert ({}, dict.fromkeys(BOTH, "the archive has no record of it")) == (part.images, part.missing)


STATION_FILE = """
line_id = "line"
station_id = "s1"
recipe = "plate"
data_dir = "var/s1"
[trigger]
source = "software"
[cameras.top]
backend = "simulated"
[cameras.side]
backend = "simulated"
"""


def test_a_station_file_tells_the_views_whose_frame_never_came(at_rest: Path, tmp_path: Path) -> None:
    stations = tmp_path / "calibration" / "stations"
    stations.mkdir(parents=True)
    (stations / "s1.toml").write_text(STATION_FILE)
    shutil.copytree(at_rest, tmp_path / "var" / "s1")

    parts = listed(stations / "s1.toml")

    assert {"top", "side"} == parts[3].missing.keys()
    assert {"side": f"there is no frame: {Reason.CAMERA_LOST.sentence}"} == parts[4].missing
    assert str(tmp_path / "var" / "s1" / "images") in parts[4].images["top"].url


async def test_a_running_stations_archive_is_listed_up_to_now(tmp_path: Path) -> None:
    journal = await fill(tmp_path)
    source = open_source(str(tmp_path / "journal.sqlite"))
    journal.open_trigger(trigger_of(6))
    await journal.append(verdict_with(6, reason=Reason.NO_FRAME))

    assert ["1", "2", "3", "4", "5"] == [part.key for part in source.parts()]
    assert 6 == len(list(open_source(str(tmp_path)).parts()))
    assert await journal.close()


def test_an_archive_on_a_disk_that_cannot_be_written_is_listed(at_rest: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(at_rest, copy)
    (copy / "journal.sqlite").chmod(0o400)
    before = sorted(path.name for path in copy.iterdir())

    assert 5 == len(listed(copy))
    assert before == sorted(path.name for path in copy.iterdir())


def test_one_verdict_is_found_by_its_sequence_number(at_rest: Path) -> None:
    source = open_source(str(at_rest))
    assert isinstance(source, StationSource)

    assert listed(at_rest)[2] == source.part(3)
    for number in (0, 6):
        with pytest.raises(NotFound, match=f"no verdict with sequence {number}; expected verdicts 1 to 5"):
            source.part(number)


def test_a_long_record_is_read_page_by_page_without_a_gap(tmp_path: Path) -> None:
    count = 2500
    records = [verdict_with(number, reason=Reason.NO_FRAME) for number in range(1, count + 1)]
    for number in (7, 8, 1500):  # so large that each ends its page by itself
        records[number - 1] = replace(records[number - 1], payload=bytes(9 << 20))

    parts = journalled(tmp_path, records)

    assert [str(number) for number in range(1, count + 1)] == [part.key for part in parts]
    assert [9 << 20] * 3 == [
        len(part.original.payload) for part in parts if part.key in ("7", "8", "1500") and part.original
    ]


def test_a_folder_that_is_no_stations_is_refused_as_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no journal"):
        open_source(str(tmp_path), kind="station")
    with pytest.raises(ConfigError, match="is not on this machine"):
        open_source("s3://bucket/station", kind="station")
    with pytest.raises(ConfigError, match="takes no split"):
        open_source(str(tmp_path), kind="station", options=SourceOptions(split="test"))


@pytest.mark.parametrize("content", [b"", b"no database" * 100])
def test_a_file_that_is_no_journal_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "journal.sqlite").write_bytes(content)

    with pytest.raises(ConfigError, match=r"is no Lineside journal|cannot be read"):
        open_source(str(tmp_path))


def test_a_damaged_page_is_told_with_where_it_is(at_rest: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(at_rest, copy)
    journal = copy / "journal.sqlite"
    data = bytearray(journal.read_bytes())
    at = data.index(RECORDS[4].payload) // 4096 * 4096
    data[at : at + 64] = b"\xff" * 64
    journal.write_bytes(data)

    with pytest.raises((JournalFault, ConfigError), match=r"lineside audit"):
        listed(copy)
