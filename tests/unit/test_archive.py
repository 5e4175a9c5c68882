"""The image archive: the same pixels come back, a flipped bit is noticed, and the disk is never filled."""

from __future__ import annotations

import random
import sys
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from lineside.core.clock import SystemClock
from lineside.core.errors import ConfigError, FrameError, NotFound
from lineside.core.frame import Frame
from lineside.core.pixel_format import PixelFormat
from lineside.core.record import ImageRecord, ImageState, image_id
from lineside.core.verdict import Outcome
from lineside.journal import image_format
from lineside.journal.archive import ImageArchive, load
from lineside.journal.journal import Journal
from lineside.journal.ladder import ArchiveLimits, Step
from lineside.journal.queries import JournalQueries

FORMATS = [pixel_format for pixel_format in PixelFormat if not pixel_format.device_only]
PLENTY = ArchiveLimits(max_bytes=10**9, min_free_bytes=0)
NOON_UTC_NS = 1_795_348_800_000_000_000  # 2026-11-22 12:00


class Disk:
    """A disk whose free bytes the test sets."""

    def __init__(self, free_bytes: int = 10**12) -> None:
        self.free_bytes = free_bytes

    def __call__(self, path: Path) -> types.SimpleNamespace:
        assert path.is_dir()
        return types.SimpleNamespace(free=self.free_bytes)


def frame(
    pixel_format: PixelFormat = PixelFormat.MONO8, *, width_px: int = 37, height_px: int = 23, at_s: int = 0
) -> Frame:
    """Noise over the whole range: nothing compresses by chance, every value occurs."""
    rng = np.random.default_rng(at_s)
    shape = pixel_format.shape(width_px, height_px)
    return Frame(
        view="top",
        pixels=rng.integers(0, pixel_format.max_value, shape, dtype=pixel_format.dtype, endpoint=True),
        pixel_format=pixel_format,
        frame_id=17,
        captured_utc_ns=NOON_UTC_NS + at_s * 1_000_000_000,
        captured_mono_ns=123_456_789,
        camera_serial="SN 42/ä",
        simulated=True,
    )


def store(archive: ImageArchive, number: int, outcome: Outcome = Outcome.FAIL, **changes: int) -> ImageRecord:
    return archive.store(
        frame(at_s=number, **changes),
        image_id=image_id(number, "top"),
        trigger_number=number,
        outcome=outcome,
        part_id="part",
    )


@pytest.fixture
def archive(tmp_path: Path) -> ImageArchive:
    return ImageArchive(tmp_path / "images", limits=PLENTY, clock=SystemClock())


@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize("width_px", [1, 37, 640])
def test_every_format_comes_back_byte_for_byte_with_all_that_was_known(
    archive: ImageArchive, tmp_path: Path, pixel_format: PixelFormat, width_px: int
) -> None:
    inspected = frame(pixel_format, width_px=width_px)
    record = archive.store(
        inspected, image_id=image_id(7, "top"), trigger_number=7, outcome=Outcome.FAIL, part_id="Teil 7/ü\n"
    )
    archived = load(tmp_path / "images" / record.path, record)

    assert ImageState.KEPT is record.state
    assert inspected.pixels.tobytes() == archived.pixels.tobytes()
    assert (inspected.pixels.dtype, inspected.pixels.shape) == (archived.pixels.dtype, archived.pixels.shape)
    facts = ("view", "pixel_format", "frame_id", "captured_utc_ns", "captured_mono_ns", "camera_serial", "simulated")
    assert [getattr(inspected, fact) for fact in facts] == [getattr(archived, fact) for fact in facts]
    assert archived.part_id == "Teil 7/ü\n"


@pytest.mark.parametrize("pixel_format", [PixelFormat.MONO8, PixelFormat.MONO16, PixelFormat.RGB8, PixelFormat.BGR8])
def test_an_ordinary_reader_opens_the_file(archive: ImageArchive, tmp_path: Path, pixel_format: PixelFormat) -> None:
    inspected = frame(pixel_format)
    record = archive.store(inspected, image_id="1-top", trigger_number=1, outcome=Outcome.FAIL, part_id="p")
    path = tmp_path / "images" / record.path

    seen = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)  # always BGR, whatever was declared
    expected = inspected.pixels[..., ::-1] if pixel_format is PixelFormat.RGB8 else inspected.pixels
    assert np.array_equal(expected, seen)


def test_a_file_alone_says_what_it_is(archive: ImageArchive, tmp_path: Path) -> None:
    record = archive.store(frame(), image_id="x", trigger_number=7, outcome=Outcome.NOT_INSPECTED, part_id="part-7")
    _, facts = image_format.decode((tmp_path / "images" / record.path).read_bytes())

    assert {"trigger_number": "7", "outcome": "NOT_INSPECTED", "part_id": "part-7"}.items() <= facts.items()
    assert facts["pixel_format"] == "Mono8"


def test_files_stand_by_outcome_day_and_hour_and_names_cannot_leave_the_folder(archive: ImageArchive) -> None:
    views = {
        "top": "000000000001-top",
        "../../etc/passwd": "000000000001-..%2F..%2Fetc%2Fpasswd",
        "links ä": "000000000001-links%20%C3%A4",
    }
    assert list(views.values()) == [image_id(1, view) for view in views]

    assert store(archive, 3).path == "rejects/2026-11-22/12/000000000003-top.png"
    assert store(archive, 4, Outcome.PASS).path == "passes/2026-11-22/12/000000000004-top.png"


def test_any_flipped_bit_is_noticed_without_the_journal_too(archive: ImageArchive, tmp_path: Path) -> None:
    """By the record's SHA-256 always; from the file alone by PNG's own checksums, wherever the bit has a meaning."""
    inspected = frame()
    record = archive.store(inspected, image_id="x", trigger_number=1, outcome=Outcome.FAIL, part_id="p")
    path = tmp_path / "images" / record.path
    whole = path.read_bytes()
    chance = random.Random(3)
    for position in [0, 20, 60, *(chance.randrange(len(whole)) for _ in range(60))]:
        damaged = bytearray(whole)
        damaged[position] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(FrameError, match="has another SHA-256"):
            load(path, record)
        try:
            seen, _ = image_format.decode(bytes(damaged))
        except FrameError:
            continue
        assert inspected.pixels.tobytes() == seen.pixels.tobytes(), f"byte {position} of {len(whole)}"


def test_a_file_cut_short_or_of_another_kind_is_refused(archive: ImageArchive, tmp_path: Path) -> None:
    record = archive.store(frame(), image_id="x", trigger_number=1, outcome=Outcome.FAIL, part_id="p")
    whole = (tmp_path / "images" / record.path).read_bytes()
    foreign = cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes()

    for data in (b"", b"\xff\xd8\xff", whole[:40], whole[: len(whole) // 2], foreign):
        with pytest.raises(FrameError):
            image_format.decode(data)


def test_a_frame_that_is_not_what_it_declares_fails_by_name(archive: ImageArchive) -> None:
    wrong = replace(frame(), pixel_format=PixelFormat.MONO12)
    record = archive.store(wrong, image_id="x", trigger_number=1, outcome=Outcome.FAIL, part_id="p")

    assert ImageState.FAILED is record.state
    assert "frame declared Mono12 is an array uint8" in record.detail


def test_an_image_is_never_written_over(archive: ImageArchive, tmp_path: Path) -> None:
    first = store(archive, 1)
    second = store(archive, 1)

    assert (first.state, second.state) == (ImageState.KEPT, ImageState.FAILED)
    assert "already" in second.detail
    assert load(tmp_path / "images" / first.path, first).height_px == 23


def test_a_new_archive_counts_what_is_there_and_clears_away_what_a_killed_one_left(tmp_path: Path) -> None:
    first = ImageArchive(tmp_path, limits=PLENTY, clock=SystemClock())
    records = [store(first, number) for number in range(3)]
    unfinished = (tmp_path / records[0].path).with_suffix(".png.part")
    unfinished.write_bytes(b"half")

    second = ImageArchive(tmp_path, limits=PLENTY, clock=SystemClock())

    assert sum(record.size_bytes for record in records) == first.used_bytes == second.used_bytes
    assert not unfinished.exists()


def test_a_folder_that_cannot_be_made_refuses_to_start(tmp_path: Path) -> None:
    (tmp_path / "images").write_text("a file stands here")

    with pytest.raises(ConfigError, match=r"image archive .* cannot be used"):
        ImageArchive(tmp_path / "images", limits=PLENTY, clock=SystemClock())


def tend_all(archive: ImageArchive) -> Iterator[tuple[list[str], list[str]]]:
    """Ids removed and steps taken, call by call, until nothing more is removed."""
    while (tended := archive.tend()).removed:
        yield list(tended.removed), [event.detail.partition(":")[0] for event in tended.events]
    yield [], [event.detail.partition(":")[0] for event in tended.events]


def test_when_the_disk_fills_passes_go_first_then_rejects_then_all_and_each_step_is_announced(tmp_path: Path) -> None:
    disk = Disk()
    limits = ArchiveLimits(max_bytes=20_000_000, min_free_bytes=0)  # one step is 1 MB high
    archive = ImageArchive(tmp_path, limits=limits, clock=SystemClock(), disk_usage=disk)
    for number in range(1, 5):
        assert ImageState.KEPT is store(archive, number, Outcome.PASS if number % 2 else Outcome.FAIL).state
    assert list(tend_all(archive)) == [([], [])]

    disk.free_bytes = 1_500_000
    shed = store(archive, 5, Outcome.PASS)
    assert (shed.state, shed.detail) == (ImageState.SHED, "disk-pressure ladder: no pass samples")
    assert ImageState.KEPT is store(archive, 6, Outcome.FAIL).state
    assert list(tend_all(archive)) == [([], ["normal -> no pass samples"])]

    disk.free_bytes = 900_000  # and it stays so: somebody else fills the disk
    removed, steps = next(tend_all(archive))
    assert [image_id(number, "top") for number in (1, 3, 2, 4, 6)] == removed
    assert steps == ["no pass samples -> removing pass samples", "removing pass samples -> removing reject images"]
    assert (archive.used_bytes, list(tmp_path.rglob("*.png"))) == (0, [])

    disk.free_bytes = -1
    shed = store(archive, 7, Outcome.FAIL)
    assert (shed.state, shed.detail) == (ImageState.SHED, "disk-pressure ladder: no images")

    disk.free_bytes = 10**9
    assert ImageState.KEPT is store(archive, 8, Outcome.PASS).state
    assert list(tend_all(archive)) == [([], ["removing reject images -> no images", "no images -> normal"])]
    assert Step.NORMAL is archive.step


def test_a_full_archive_keeps_the_newest_rejects_and_stays_below_its_limit(tmp_path: Path) -> None:
    archive = ImageArchive(
        tmp_path, limits=ArchiveLimits(max_bytes=60_000, min_free_bytes=0), clock=SystemClock(), disk_usage=Disk()
    )
    kept: dict[str, ImageRecord] = {}
    for number in range(1, 120):
        record = store(archive, number, at_hours(number))
        assert record.state in (ImageState.KEPT, ImageState.SHED)
        if record.state is ImageState.KEPT:
            kept[record.image_id] = record
        for name in archive.tend().removed:
            del kept[name]
        assert archive.used_bytes <= 60_000

    assert sorted(kept) == sorted(path.stem for path in tmp_path.rglob("*.png"))
    assert sum(record.size_bytes for record in kept.values()) == archive.used_bytes
    assert list(range(120 - len(kept), 120)) == sorted(record.trigger_number for record in kept.values())


def at_hours(number: int) -> Outcome:
    return Outcome.NOT_INSPECTED if number % 2 else Outcome.FAIL


def test_one_call_removes_a_bounded_slice(tmp_path: Path) -> None:
    disk = Disk()
    archive = ImageArchive(tmp_path, limits=PLENTY, clock=SystemClock(), disk_usage=disk)
    for number in range(100):
        store(archive, number, width_px=2, height_px=2)
    disk.free_bytes = 1

    assert [len(removed) for removed, _ in tend_all(archive)] == [64, 36, 0]


@pytest.fixture
def listed() -> Iterator[list[str]]:
    """Every folder that Python lists from now on."""
    folders: list[str] = []
    listening = True

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if listening and event in ("os.listdir", "os.scandir"):
            folders.append(str(arguments[0]))

    sys.addaudithook(hear)  # cannot be taken off again
    yield folders
    listening = False


def test_no_folder_is_listed_while_there_is_room_and_each_once_while_images_are_removed(
    tmp_path: Path, listed: list[str]
) -> None:
    disk = Disk()
    archive = ImageArchive(tmp_path, limits=PLENTY, clock=SystemClock(), disk_usage=disk)
    for number in range(200):
        store(archive, number, width_px=2, height_px=2)
    listed.clear()
    store(archive, 200, Outcome.PASS)
    assert archive.tend().removed == ()
    assert listed == []

    disk.free_bytes = 1
    assert [len(removed) for removed, _ in tend_all(archive)] == [64, 64, 64, 9, 0]
    assert 1 == listed.count(str(tmp_path / "rejects/2026-11-22/12"))


def test_a_pass_stored_after_a_pause_in_removing_goes_before_the_rejects_that_are_left(tmp_path: Path) -> None:
    disk = Disk()
    archive = ImageArchive(tmp_path, limits=PLENTY, clock=SystemClock(), disk_usage=disk)
    for number in range(100):
        store(archive, number, width_px=2, height_px=2)
    disk.free_bytes = 1
    assert 64 == len(archive.tend().removed)
    disk.free_bytes = 10**12
    store(archive, 100, Outcome.PASS, width_px=2, height_px=2)
    disk.free_bytes = 1

    assert "000000000100-top" == archive.tend().removed[0]


def test_a_new_archive_knows_that_there_are_passes_to_be_removed(tmp_path: Path) -> None:
    store(ImageArchive(tmp_path, limits=PLENTY, clock=SystemClock()), 1, Outcome.PASS)
    disk = Disk(free_bytes=1)
    archive = ImageArchive(tmp_path, limits=PLENTY, clock=SystemClock(), disk_usage=disk)

    assert [event.detail.partition(":")[0] for event in archive.tend().events] == [
        "normal -> removing pass samples",
        "removing pass samples -> removing reject images",
    ]


async def test_an_image_read_through_the_journal_is_verified_or_says_what_became_of_it(
    archive: ImageArchive, tmp_path: Path
) -> None:
    journal = Journal.open(tmp_path / "journal.sqlite", boot_id="1", station_id="s", line_id="l", clock=SystemClock())
    queries = JournalQueries(journal, tmp_path / "images")
    record = store(archive, 1)
    await journal.note_image(record)
    path = tmp_path / "images" / record.path
    data = path.read_bytes()
    try:
        assert (record, data) == await queries.image(record.image_id)

        path.write_bytes(data[:-13] + b"\x01" + data[-12:])
        with pytest.raises(FrameError, match="is damaged"):
            await queries.image(record.image_id)
        path.unlink()
        with pytest.raises(NotFound, match="is gone from the archive though the journal has it kept"):
            await queries.image(record.image_id)
        for state, words in (
            (ImageState.PENDING, "is not written yet"),
            (ImageState.SHED, "was given up for want of disk space or time: why"),
            (ImageState.FAILED, "could not be written: why"),
            (ImageState.EXPIRED, "was removed by retention: why"),
        ):
            await journal.note_image(replace(record, state=state, detail="" if state is ImageState.PENDING else "why"))
            with pytest.raises(NotFound, match=words):
                await queries.image(record.image_id)
        with pytest.raises(NotFound, match="is not in the journal"):
            await queries.image("000000000009-top")
    finally:
        await queries.close()
        await journal.close()
