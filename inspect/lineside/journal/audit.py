"""Is the record whole and unaltered? Reads journal and images of a station at rest or at work; changes nothing."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from lineside.core.errors import ConfigError, InvalidRequest
from lineside.core.record import ImageState
from lineside.core.verdict import Outcome
from lineside.journal import image_format
from lineside.journal.chain import verify_chain
from lineside.journal.lock import holder_of
from lineside.journal.schema import APPLICATION_ID
from lineside.journal.snapshot import Snapshot
from lineside.wire.codec import verdict_from_bytes

__all__ = ["Audit", "Problem", "Progress", "audit"]

Progress = Callable[[str, int, int], None]
"""Called with what is being checked, how many are done, and of how many."""

_PROGRESS_EVERY = 500
_AROUND_A_KILL = 64
"""An image may be on disk before its record is; a kill in between leaves the file, of one of the last parts before."""

_MOST_PER_CHECK = 1000
"""Problems that one check names; a file that is ruined altogether needs no longer list."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is wrong. `check` is the check that found it, `what` one sentence for a person."""

    check: str
    what: str


@dataclass(slots=True, kw_only=True)
class Audit:
    """What was looked at, and all that is wrong with it."""

    journal: Path
    running: bool
    verdicts: int = 0
    in_flight: int = 0
    images: int = 0
    chain_head: str = ""
    """The newest link of the chain: noted elsewhere, it proves later that nothing up to here was rewritten."""
    problems: list[Problem] = field(default_factory=list)
    last_sequence_of: dict[str, int] = field(default_factory=dict, repr=False)
    """The newest verdict of each start of the station."""


def audit(data_dir: Path, *, images: bool = True, progress: Progress = lambda what, done, total: None) -> Audit:
    """Checks `data_dir/journal.sqlite` and, with `images`, every file below `data_dir/images`. Blocks; read-only.

    Some 100,000 verdicts a second, and images as fast as the disk reads them. Raises: ConfigError when there is no
    journal, or it cannot be opened at all.
    """
    path = data_dir / "journal.sqlite"
    if not path.is_file():
        raise ConfigError(f"there is no journal {path}", expected="a data_dir or a station file")
    result = Audit(journal=path, running=holder_of(path) != 0)
    try:
        with Snapshot(path, running=result.running) as connection:
            _check_all(connection, result, progress)
            if images:
                _check_images(connection, data_dir / "images", result, progress)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CANTOPEN:
            raise ConfigError(f"journal {path} cannot be opened: {error}", remedy="check its permissions") from error
        result.problems.append(Problem(check="file", what=f"the journal cannot be read: {error}"))
    if not result.running and holder_of(path):
        raise ConfigError("a station was started on this journal meanwhile", remedy="audit it again")
    return result


def _check_all(connection: sqlite3.Connection, result: Audit, progress: Progress) -> None:
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise ConfigError(f"{result.journal} is no Lineside journal")
    checks: Sequence[tuple[str, Callable[[], Iterator[str]]]] = (
        ("file", lambda: _file(connection)),
        ("sequence", lambda: _gaps(connection, "SELECT sequence FROM verdicts ORDER BY sequence", "verdict")),
        ("chain", lambda: (problem.what for problem in verify_chain(connection))),
        ("payload", lambda: _payloads(connection, result, progress)),
        ("trigger", lambda: _triggers(connection)),
        ("in flight", lambda: _unanswered(connection, running=result.running)),
        ("count", lambda: _counts(connection)),
        ("reader", lambda: _readers(connection)),
    )
    last = connection.execute("SELECT coalesce(max(sequence), 0) FROM verdicts").fetchone()[0]
    head = connection.execute("SELECT chain FROM verdicts WHERE sequence = ?", (last,)).fetchone()
    result.verdicts = connection.execute("SELECT count(*) FROM verdicts").fetchone()[0]
    result.in_flight = connection.execute("SELECT count(*) FROM open_triggers").fetchone()[0]
    result.chain_head = head[0].hex() if head else ""
    for check, find in checks:
        result.problems += (Problem(check=check, what=what) for what in islice(_found(find), _MOST_PER_CHECK))


def _found(find: Callable[[], Iterator[str]]) -> Iterator[str]:
    """What a check finds. A value that breaks off one check does not keep the others from being made."""
    try:
        yield from find()
    except (sqlite3.Error, ValueError) as error:
        yield f"it cannot be read further: {error}"


def _file(connection: sqlite3.Connection) -> Iterator[str]:
    for (what,) in connection.execute("PRAGMA integrity_check(20)"):
        if what != "ok":
            yield f"the file is damaged: {what}"


def _gaps(connection: sqlite3.Connection, numbers: str, noun: str) -> Iterator[str]:
    """`numbers` is a query of numbers in order: from 1, each once."""
    expected = 1
    for (number,) in connection.execute(numbers):
        if number < expected:
            yield f"{noun} number {number} is there twice"
        elif number > expected:
            missing = f"{noun} {expected} is" if number == expected + 1 else f"{noun}s {expected} to {number - 1} are"
            yield f"{missing} missing before {noun} {number}"
        expected = number + 1


def _payloads(connection: sqlite3.Connection, result: Audit, progress: Progress) -> Iterator[str]:
    """Each verdict's bytes say the same as the columns by which it is found, and nothing that no station may say."""
    total = connection.execute("SELECT count(*) FROM verdicts").fetchone()[0]
    boots = {boot_id for (boot_id,) in connection.execute("SELECT boot_id FROM boots")}
    columns = ("sequence", "trigger_number", "part_id", "outcome", "reason", "decided_utc_ns")
    rows = connection.execute(f"SELECT {', '.join(columns)}, payload FROM verdicts ORDER BY sequence")
    for done, (*indexed, payload) in enumerate(rows):
        if done % _PROGRESS_EVERY == 0:
            progress("verdicts", done, total)
        name = f"verdict {indexed[0]}"
        try:
            verdict = verdict_from_bytes(payload)
        except InvalidRequest:
            yield f"{name} cannot be read: its {len(payload)} bytes are no verdict"
            continue
        said = (
            *(verdict.sequence, verdict.trigger.number, verdict.part_id),
            *(int(verdict.outcome), int(verdict.reason), verdict.decided_utc_ns),
        )
        for column, says, found in zip(columns, said, indexed, strict=True):
            if says != found:
                yield f"{name} says {column} {says!r}, and is indexed under {found!r}"
        result.last_sequence_of[verdict.boot_id] = indexed[0]
        if verdict.boot_id not in boots:
            yield f"{name} names start {verdict.boot_id!r}, of which the journal knows nothing"
        if verdict.outcome is not Outcome.NOT_INSPECTED and verdict.slack_ns < 0:
            yield f"{name} is a {verdict.outcome.name} decided {-verdict.slack_ns / 1e6:.1f} ms after its due time"
    progress("verdicts", total, total)


def _triggers(connection: sqlite3.Connection) -> Iterator[str]:
    both = "SELECT trigger_number FROM verdicts UNION ALL SELECT trigger_number FROM open_triggers ORDER BY 1"
    yield from _gaps(connection, both, "trigger")
    unknown = "SELECT image_id FROM images WHERE trigger_number > (SELECT coalesce(max(n), 0) FROM ({}))"
    numbers = "SELECT trigger_number AS n FROM verdicts UNION ALL SELECT trigger_number FROM open_triggers"
    for (image,) in connection.execute(unknown.format(numbers)):
        yield f"image {image} belongs to a trigger that the journal does not have"


def _unanswered(connection: sqlite3.Connection, *, running: bool) -> Iterator[str]:
    if running:
        return  # in flight
    for (number,) in connection.execute("SELECT trigger_number FROM open_triggers ORDER BY trigger_number"):
        yield f"trigger {number} has no verdict, and no station runs: the next start answers it NOT_INSPECTED"


def _counts(connection: sqlite3.Connection) -> Iterator[str]:
    tally = dict(connection.execute("SELECT outcome, count FROM tallies").fetchall())
    found = Counter(dict(connection.execute("SELECT outcome, count(*) FROM verdicts GROUP BY outcome").fetchall()))
    for outcome in (Outcome.PASS, Outcome.FAIL, Outcome.NOT_INSPECTED):
        if tally.get(outcome) != found[outcome]:
            yield f"{tally.get(outcome)} {outcome.name} were counted when written, {found[outcome]} are there"
    late = connection.execute("SELECT count(*) FROM late_answers").fetchone()[0]
    if tally.get(Outcome.UNSPECIFIED) != late:
        yield f"{tally.get(Outcome.UNSPECIFIED)} late answers were counted when written, {late} are there"


def _readers(connection: sqlite3.Connection) -> Iterator[str]:
    last = connection.execute("SELECT coalesce(max(sequence), 0) FROM verdicts").fetchone()[0]
    for reader, sequence in connection.execute("SELECT reader, sequence FROM readers ORDER BY reader"):
        if not 0 <= sequence <= last:
            yield f"reader {reader!r} has acknowledged verdict {sequence}, the newest is {last}"


def _check_images(connection: sqlite3.Connection, folder: Path, result: Audit, progress: Progress) -> None:
    def problem(what: str) -> None:
        result.problems.append(Problem(check="image", what=what))

    total = connection.execute("SELECT count(*) FROM images WHERE state = ?", (ImageState.KEPT,)).fetchone()[0]
    rows = connection.execute(
        "SELECT image_id, path, sha256, size_bytes FROM images WHERE state = ? ORDER BY image_id", (ImageState.KEPT,)
    )
    known: set[str] = set()
    for done, (image, path, sha256, size_bytes) in enumerate(rows):
        if done % _PROGRESS_EVERY == 0:
            progress("images", done, total)
        known.add(path)
        what = _image_problem(folder / path, sha256, size_bytes)
        if what and result.running and _state_now(result.journal, image) != ImageState.KEPT:
            continue  # retention has removed it since
        if what:
            problem(f"image {image} {what}")
    progress("images", total, total)
    result.images = total
    for path in _files(folder):
        if path in known or _may_be_there(connection, path) or _left_by_a_kill(connection, result, path):
            continue
        if not (result.running and _stored_meanwhile(result.journal, path)):
            problem(f"file images/{path} is in no record")


def _image_problem(path: Path, sha256: str, size_bytes: int) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return f"is missing: {path} does not exist"
    except OSError as error:
        return f"cannot be read: {path}: {error.strerror}"
    if len(data) != size_bytes:
        return f"is damaged: {path} has {len(data)} bytes, {size_bytes} were journalled"
    if (found := hashlib.sha256(data).hexdigest()) != sha256:
        return f"is damaged: {path} has SHA-256 {found[:12]}…, {sha256[:12]}… was journalled"
    return ""


def _files(folder: Path) -> Iterator[str]:
    for found in sorted(folder.rglob(f"*{image_format.EXTENSION}")):
        yield found.relative_to(folder).as_posix()


def _may_be_there(connection: sqlite3.Connection, path: str) -> bool:
    """A killed station leaves images that were written and never confirmed; its next start records them as failed."""
    image = path.rpartition("/")[2].removesuffix(image_format.EXTENSION)
    row = connection.execute("SELECT state FROM images WHERE image_id = ?", (image,)).fetchone()
    return row is not None and row[0] in (ImageState.PENDING, ImageState.FAILED)


def _left_by_a_kill(connection: sqlite3.Connection, result: Audit, path: str) -> bool:
    """Whether the file belongs to one of the last parts before a kill, whose record the kill came before."""
    number = path.rpartition("/")[2].partition("-")[0]
    row = connection.execute("SELECT sequence FROM verdicts WHERE trigger_number = ?", (number,)).fetchone()
    killed = connection.execute("SELECT boot_id FROM boots WHERE stopped_utc_ns IS NULL").fetchall()
    ends = (result.last_sequence_of.get(boot_id) for (boot_id,) in killed)
    return row is not None and any(end is not None and abs(row[0] - end) <= _AROUND_A_KILL for end in ends)


def _stored_meanwhile(journal: Path, path: str) -> bool:
    with Snapshot(journal, running=True) as connection:
        row = connection.execute("SELECT 1 FROM images WHERE path = ?", (path,)).fetchone()
        return row is not None or _may_be_there(connection, path)


def _state_now(journal: Path, image: str) -> str:
    with Snapshot(journal, running=True) as connection:
        row = connection.execute("SELECT state FROM images WHERE image_id = ?", (image,)).fetchone()
    return str(row[0]) if row else ""
