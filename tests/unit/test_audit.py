"""`lineside audit` finds each way in which a record can be wrong, and says exactly what it is."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sqlite3
from pathlib import Path

import pytest
from journalled_station import frame_of, opened, record_of, trigger_of
from typer.testing import CliRunner, Result

from lineside.cli import app
from lineside.core.reason import Reason
from lineside.core.record import ImageState, image_id
from lineside.core.verdict import Outcome
from lineside.journal.audit import audit
from lineside.journal.journal import Journal

PARTS = 6
OUTCOMES = (Outcome.PASS, Outcome.FAIL, Outcome.NOT_INSPECTED)
REASONS = {Outcome.PASS: Reason.NONE, Outcome.FAIL: Reason.DEFECTS, Outcome.NOT_INSPECTED: Reason.NO_FRAME}


async def fill(data_dir: Path, *, decided_mono_ns: int = 1000) -> Journal:
    """A journal with six verdicts, two of each outcome, their images, a late answer and a reader; still open."""
    journal, archive = opened(data_dir)
    for number in range(1, PARTS + 1):
        journal.open_trigger(trigger_of(number))
        await journal.append(
            record_of(
                number,
                OUTCOMES[number % 3],
                REASONS[OUTCOMES[number % 3]],
                seen=("top",),
                decided_mono_ns=decided_mono_ns,
            )
        )
        kept = archive.store(
            frame_of(number, "top"),
            image_id=image_id(number, "top"),
            trigger_number=number,
            outcome=OUTCOMES[number % 3],
            part_id=f"part-{number}",
        )
        assert kept.state is ImageState.KEPT
        journal.note_image(kept)
    journal.note_late(2, "PASS")
    await journal.acknowledge("plc", 4)
    return journal


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data_dir of a station at rest."""
    data_dir = tmp_path_factory.mktemp("sound")

    async def make() -> None:
        assert await (await fill(data_dir)).close()

    asyncio.run(make())
    return data_dir


@pytest.fixture
def data_dir(sound: Path, tmp_path: Path) -> Path:
    """A copy that a test may ruin."""
    return Path(shutil.copytree(sound, tmp_path / "var"))


def lineside_audit(*arguments: object) -> Result:
    return CliRunner().invoke(app("audit"), ["audit", *map(str, arguments)])


def problems(data_dir: Path) -> list[str]:
    result = lineside_audit(data_dir, "--json")
    found = json.loads(result.stdout)["problems"]
    assert result.exit_code == (1 if found else 0)
    return [f"{problem['check']}: {problem['what']}" for problem in found]


def tamper(data_dir: Path, *statements: str) -> None:
    """What someone does who may write the file and knows SQL: the file's own guards are taken away first."""
    connection = sqlite3.connect(data_dir / "journal.sqlite", isolation_level=None)
    guards = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for (name,) in guards:
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute("PRAGMA ignore_check_constraints = 1")
    for statement in statements:
        connection.execute(statement)
    connection.close()


def test_a_sound_record_is_called_sound_and_its_chain_head_is_told(data_dir: Path) -> None:
    result = lineside_audit(data_dir)

    assert result.exit_code == 0
    assert "6 verdicts, 0 in flight, 6 images" in result.stdout
    assert re.search(r"all is sound; chain head [0-9a-f]{64}\n", result.stdout)


def test_the_station_file_leads_to_the_record_as_well(data_dir: Path, tmp_path: Path) -> None:
    station = tmp_path / "calibration" / "stations" / "station.toml"
    station.parent.mkdir(parents=True)
    station.write_text(
        'line_id = "line"\nstation_id = "station"\nrecipe = "plate"\ndata_dir = "var"\n'
        '[trigger]\nsource = "software"\n[cameras.top]\nbackend = "simulated"\n'
    )

    assert "all is sound" in lineside_audit(station).stdout


def test_nothing_is_written(data_dir: Path) -> None:
    before = {path: path.read_bytes() for path in data_dir.rglob("*") if path.is_file()}
    lineside_audit(data_dir)

    assert before == {path: path.read_bytes() for path in data_dir.rglob("*") if path.is_file()}


SEEN_IN_CHAIN = "chain: verdict {0} (trigger {0}) was altered, or its predecessor was"


@pytest.mark.parametrize(
    ("statements", "sentences"),
    [
        pytest.param(
            ["DELETE FROM verdicts WHERE sequence = 3"],
            [
                "sequence: verdict 3 is missing before verdict 4",
                "chain: verdict 3 is missing before 4",
                "trigger: trigger 3 is missing before trigger 4",
                "count: 2 PASS were counted when written, 1 are there",
            ],
            id="a verdict removed",
        ),
        pytest.param(
            ["DELETE FROM verdicts WHERE sequence IN (2, 3, 4)"],
            [
                "sequence: verdicts 2 to 4 are missing before verdict 5",
                "chain: verdict 2 to 4 is missing before 5",
                "trigger: triggers 2 to 4 are missing before trigger 5",
            ],
            id="several removed",
        ),
        pytest.param(
            ["DELETE FROM verdicts WHERE sequence = 6", "DELETE FROM images WHERE trigger_number = 6"],
            ["chain: 6 verdicts were counted when written, but the last one here is 5"],
            id="the newest removed",
        ),
        pytest.param(
            ["UPDATE verdicts SET payload = (SELECT payload FROM verdicts WHERE sequence = 3) WHERE sequence = 5"],
            [
                SEEN_IN_CHAIN.format(5),
                "payload: verdict 5 says sequence 3, and is indexed under 5",
                "payload: verdict 5 says outcome 1, and is indexed under 3",
            ],
            id="a FAIL made a PASS in the payload",
        ),
        pytest.param(
            ["UPDATE verdicts SET outcome = 1, reason = 0 WHERE sequence = 4"],
            [
                SEEN_IN_CHAIN.format(4),
                "payload: verdict 4 says outcome 2, and is indexed under 1",
                "payload: verdict 4 says reason 32, and is indexed under 0",
                "count: 2 PASS were counted when written, 3 are there",
                "count: 2 FAIL were counted when written, 1 are there",
            ],
            id="a FAIL made a PASS in the index",
        ),
        pytest.param(
            ["UPDATE verdicts SET part_id = 'other' WHERE sequence = 2"],
            [SEEN_IN_CHAIN.format(2), "payload: verdict 2 says part_id 'part-2', and is indexed under 'other'"],
            id="another part's name",
        ),
        pytest.param(
            ["UPDATE verdicts SET decided_utc_ns = 9 WHERE sequence = 2"],
            [SEEN_IN_CHAIN.format(2), "payload: verdict 2 says decided_utc_ns 1002, and is indexed under 9"],
            id="another time",
        ),
        pytest.param(
            ["UPDATE verdicts SET payload = x'ff' WHERE sequence = 2"],
            [SEEN_IN_CHAIN.format(2), "payload: verdict 2 cannot be read: its 1 bytes are no verdict"],
            id="a payload of rubbish",
        ),
        pytest.param(
            ["UPDATE verdicts SET chain = zeroblob(32) WHERE sequence = 3"],
            [SEEN_IN_CHAIN.format(3), SEEN_IN_CHAIN.format(4)],
            id="a link replaced",
        ),
        pytest.param(
            ["UPDATE verdicts SET outcome = 7 WHERE sequence = 3"],
            [
                "chain: it cannot be read further: 7 is not a valid Outcome",
                "payload: verdict 3 says outcome 1, and is indexed under 7",
            ],
            id="an outcome that does not exist",
        ),
        pytest.param(
            ["UPDATE verdicts SET trigger_number = 60 WHERE sequence = 6"],
            [
                SEEN_IN_CHAIN.format(6).replace("trigger 6", "trigger 60"),
                "payload: verdict 6 says trigger_number 6, and is indexed under 60",
                "trigger: triggers 6 to 59 are missing before trigger 60",
            ],
            id="a trigger number jumped",
        ),
        pytest.param(
            ["INSERT INTO open_triggers VALUES (3, 'part-3', 1, 1, 1, NULL, 0)"],
            [
                "trigger: trigger number 3 is there twice",
                "in flight: trigger 3 has no verdict, and no station runs: the next start answers it NOT_INSPECTED",
            ],
            id="a trigger answered and still open",
        ),
        pytest.param(
            ["UPDATE tallies SET count = 9 WHERE outcome = 2"],
            ["count: 9 FAIL were counted when written, 2 are there"],
            id="a tally",
        ),
        pytest.param(
            ["DELETE FROM late_answers"],
            ["count: 1 late answers were counted when written, 0 are there"],
            id="a late answer removed",
        ),
        pytest.param(
            ["UPDATE readers SET sequence = 70"],
            ["reader: reader 'plc' has acknowledged verdict 70, the newest is 6"],
            id="a cursor beyond the end",
        ),
        pytest.param(
            ["UPDATE boots SET boot_id = 'another'"],
            ["payload: verdict 1 names start 'boot', of which the journal knows nothing"],
            id="a start renamed",
        ),
        pytest.param(
            ["UPDATE images SET trigger_number = 88 WHERE trigger_number = 2"],
            ["trigger: image 000000000002-top belongs to a trigger that the journal does not have"],
            id="an image of no trigger",
        ),
        pytest.param(
            ["UPDATE images SET sha256 = 'beef' WHERE trigger_number = 2"],
            [r"image: image 000000000002-top is damaged: {0}/000000000002-top.png has SHA-256"],
            id="another checksum",
        ),
        pytest.param(
            ["DELETE FROM images WHERE trigger_number = 3"],
            ["image: file images/passes/2023-11-14/22/000000000003-top.png is in no record"],
            id="an image's record removed",
        ),
    ],
)
def test_each_alteration_is_found_and_named(data_dir: Path, statements: list[str], sentences: list[str]) -> None:
    tamper(data_dir, *statements)
    found = problems(data_dir)
    shelf = data_dir / "images" / "rejects" / "2023-11-14" / "22"

    for sentence in sentences:
        wanted = sentence.replace("{0}", str(shelf))
        assert any(problem.startswith(wanted) for problem in found), f"{sentence!r} is not among {found}"


def test_a_trigger_that_nobody_answered_is_named_when_no_station_runs(data_dir: Path) -> None:
    tamper(data_dir, "INSERT INTO open_triggers VALUES (7, 'part-7', 1, 1, 1, NULL, 0)")

    assert problems(data_dir) == [
        "in flight: trigger 7 has no verdict, and no station runs: the next start answers it NOT_INSPECTED"
    ]


def test_a_page_of_the_file_overwritten_is_found(data_dir: Path) -> None:
    journal = data_dir / "journal.sqlite"
    data = bytearray(journal.read_bytes())
    at = data.index(b"part-4", data.index(b"part-4") + 6)
    data[at : at + 6] = b"part-9"
    journal.write_bytes(data)

    assert problems(data_dir) != []


def test_a_file_that_is_no_database_any_more_is_a_problem_and_not_a_crash(data_dir: Path) -> None:
    journal = data_dir / "journal.sqlite"
    journal.write_bytes(b"\0" * 4096 + journal.read_bytes()[4096:])

    assert problems(data_dir) == ["file: the journal cannot be read: file is not a database"]


def test_a_verdict_decided_after_its_due_time_is_a_problem(tmp_path: Path) -> None:
    async def make() -> None:
        assert await (await fill(tmp_path, decided_mono_ns=2_002_000)).close()

    asyncio.run(make())

    assert [what for what in problems(tmp_path) if "due" in what] == [
        f"payload: verdict {number} is a {OUTCOMES[number % 3].name} decided 2.0 ms after its due time"
        for number in (1, 3, 4, 6)
    ]


def image_files(data_dir: Path) -> list[Path]:
    return sorted((data_dir / "images").rglob("*.png"))


def test_images_missing_cut_short_or_with_a_flipped_bit_are_each_named(data_dir: Path) -> None:
    missing, short, flipped = image_files(data_dir)[:3]
    size = short.stat().st_size
    missing.unlink()
    short.write_bytes(short.read_bytes()[:-5])
    data = bytearray(flipped.read_bytes())
    data[-30] ^= 1
    flipped.write_bytes(data)
    found = {problem.partition(": ")[2] for problem in problems(data_dir)}

    assert f"image {missing.stem} is missing: {missing} does not exist" in found
    assert f"image {short.stem} is damaged: {short} has {size - 5} bytes, {size} were journalled" in found
    assert any(what.startswith(f"image {flipped.stem} is damaged: {flipped} has SHA-256 ") for what in found)
    assert len(found) == 3
    assert problems_without_images(data_dir) == []


def problems_without_images(data_dir: Path) -> list[str]:
    return [problem.what for problem in audit(data_dir, images=False).problems]


def test_a_file_that_no_record_knows_is_named(data_dir: Path) -> None:
    stray = image_files(data_dir)[0].with_name("000000000099-top.png")
    stray.write_bytes(b"x")

    assert problems(data_dir) == [f"image: file images/{stray.relative_to(data_dir / 'images')} is in no record"]


def test_an_image_that_a_kill_left_without_its_record_is_no_problem(data_dir: Path) -> None:
    """It is written beside the journal, and the record of it may not have been; nothing was taken away."""
    tamper(data_dir, "DELETE FROM images WHERE trigger_number = 5", "UPDATE boots SET stopped_utc_ns = NULL")

    assert problems(data_dir) == []


async def test_a_running_stations_record_may_be_audited_and_parts_in_flight_are_no_problem(tmp_path: Path) -> None:
    journal = await fill(tmp_path)
    await journal.open_trigger(trigger_of(PARTS + 1))
    found = await asyncio.to_thread(audit, tmp_path)

    assert (found.running, found.verdicts, found.in_flight, found.images) == (True, 6, 1, 6)
    assert found.problems == []
    assert found.chain_head == journal.chain_head
    assert await journal.close()


def test_no_journal_is_a_wrong_declaration(tmp_path: Path) -> None:
    result = lineside_audit(tmp_path)

    assert result.exit_code != 0
    assert "there is no journal" in str(result.exception)


def test_progress_ends_with_all_that_there_is(data_dir: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    audit(data_dir, progress=lambda what, done, total: steps.append((what, done, total)))

    assert steps == [("verdicts", 0, 6), ("verdicts", 6, 6), ("images", 0, 6), ("images", 6, 6)]
