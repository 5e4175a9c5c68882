"""Whatever the engine: every chunk's rows, each once and the same, also when workers die."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pytest
from engine_process import EngineProcess
from ray_nodes import ray_nodes, ray_to_itself

from lineside.core.errors import ConfigError, ReinspectionError
from lineside.reinspect.engine import Chunk, DoneChunk, Engine, Judge
from lineside.reinspect.local import LocalEngine, cores
from lineside.reinspect.part import ImageRef, OriginalVerdict, Part
from lineside.reinspect.row import ROW_SCHEMA, TIMING_COLUMNS, State, table_of
from lineside.reinspect.task import GIVEN_UP, HUNG
from lineside.testing.fake_judge import OpenFakeJudge

pytestmark = [
    pytest.mark.timeout(600),  # may wait for the other module that starts clusters
    pytest.mark.usefixtures(ray_to_itself.__name__),
]

PART_TIMEOUT_S = 5.0
"""Several times as long as a fake judge takes for a part where four tests share two cores."""

PARTS_PER_CHUNK = 5
WORKERS = 2
MOST_AHEAD = 3 * WORKERS
"""No engine takes more chunks than this ahead of those whose rows it has given back."""


HAS_RAY = importlib.util.find_spec("ray") is not None
NEEDS_RAY = pytest.mark.skipif(not HAS_RAY, reason="needs the extra `ray`")


@pytest.fixture(scope="module")
def processes_of_ray() -> Iterator[tuple[EngineProcess, EngineProcess]]:
    """Where Ray's engines run: on the user's cluster, and on one of its own. Ray Data has one of them in a process."""
    processes = EngineProcess(), EngineProcess()
    yield processes
    for process in processes:
        process.end()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a Ray cluster of one node that somebody else has started; empty where there is no Ray."""
    if not HAS_RAY:
        yield ""
        return
    with ray_nodes() as nodes:
        nodes.start_head(processors=WORKERS)
        yield nodes.address


LOCAL = "local"
RAY = pytest.param("ray", marks=NEEDS_RAY)
OWN_RAY = pytest.param("ray, a cluster of its own", marks=[NEEDS_RAY, pytest.mark.slow])


@dataclass(frozen=True)
class Engines:
    """All that the contract holds for, by name."""

    processes: tuple[EngineProcess, EngineProcess]
    address: str

    def named(self, name: str) -> Engine:
        match name:
            case "local":
                return LocalEngine(workers=WORKERS)
            case "ray":
                return self.processes[0].engine(address=self.address, workers=WORKERS)
            case _:
                return self.processes[1].engine(workers=WORKERS)


@pytest.fixture(scope="module")
def engines(processes_of_ray: tuple[EngineProcess, EngineProcess], address: str) -> Engines:
    return Engines(processes_of_ray, address)


@pytest.fixture(params=[LOCAL, RAY])
def engine(request: pytest.FixtureRequest, engines: Engines) -> Engine:
    return engines.named(request.param)


@pytest.fixture(params=[LOCAL, RAY, OWN_RAY])
def any_engine(request: pytest.FixtureRequest, engines: Engines) -> Engine:
    """Also the one that takes seconds to start."""
    return engines.named(request.param)


def chunks(folder: Path, count: int, *, special: Sequence[str] = (), first: int = 10) -> list[Chunk]:
    """Chunks of five parts, numbered from `first`; each third part has a file that is not there. `special` are keys for
    the first chunk's first parts.
    """
    made = []
    for number in range(count):
        parts = []
        for index in range(PARTS_PER_CHUNK):
            serial = number * PARTS_PER_CHUNK + index
            path = folder / f"{serial}.bin"
            if serial % 3:
                path.write_bytes(bytes([serial % 256]) * 500)
            key = special[index] if number == 0 and index < len(special) else f"part {serial}"
            parts.append(Part(key=key, part_id=f"P{serial}", images={"": ImageRef(url=str(path))}))
        made.append(Chunk(number=first + number, parts=parts))
    return made


def by_number(done: Iterable[DoneChunk]) -> dict[int, pa.Table]:
    """The rows of each chunk, but for how long they took. A chunk that comes twice is an error."""
    tables: dict[int, pa.Table] = {}
    for each in done:
        assert each.number not in tables
        assert each.rows.schema.equals(ROW_SCHEMA)
        tables[each.number] = each.rows.drop_columns(list(TIMING_COLUMNS))
    return tables


def expected(given: Sequence[Chunk], open_judge: Callable[[], Judge]) -> dict[int, pa.Table]:
    """What the judge itself says, in this process."""
    judge = open_judge()
    return by_number(DoneChunk(number=chunk.number, rows=table_of(judge.chunk(chunk.parts))) for chunk in given)


def _alive(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def wait_until_gone(processes: Path) -> None:
    """All of whom the fake judge has left the number in this folder. As long as pytest's own patience."""
    pids = {int(path.name) for path in processes.iterdir()}
    assert pids
    while any(map(_alive, pids)):
        time.sleep(0.02)


@pytest.fixture
def processes(tmp_path: Path) -> Path:
    folder = tmp_path / "processes"
    folder.mkdir()
    return folder


def test_every_chunk_comes_back_once_with_the_rows_that_the_judge_gives(engine: Engine, tmp_path: Path) -> None:
    given = chunks(tmp_path, 12)
    open_judge = OpenFakeJudge(candidates=("A", "B"))

    actual = by_number(engine.run(given, open_judge))

    assert expected(given, open_judge) == actual


def test_no_chunk_is_no_work(engine: Engine) -> None:
    assert [] == list(engine.run([], OpenFakeJudge()))


def test_one_chunk_is_enough(engine: Engine, tmp_path: Path) -> None:
    given = chunks(tmp_path, 1)

    assert expected(given, OpenFakeJudge()) == by_number(engine.run(given, OpenFakeJudge()))


def test_chunks_are_taken_only_as_fast_as_their_rows_are_wanted(engine: Engine, tmp_path: Path) -> None:
    taken = 0

    def counted() -> Iterator[Chunk]:
        nonlocal taken
        for chunk in chunks(tmp_path, 40):
            taken += 1
            yield chunk

    ahead = []
    for given_back, _ in enumerate(engine.run(counted(), OpenFakeJudge()), start=1):
        ahead.append(taken - given_back)

    assert 40 == taken
    assert max(ahead) <= MOST_AHEAD


def test_whoever_is_killed_takes_no_row_along_and_a_part_that_kills_all_is_given_up_alone(
    engine: Engine, tmp_path: Path
) -> None:
    given = [
        *chunks(tmp_path, 1, special=["a", "b kills"]),
        *chunks(tmp_path, 4, special=["a", "c kills-once"], first=20),
    ]
    harmless = [replace(given[0], parts=[part for part in given[0].parts if part.key != "b kills"]), *given[1:]]
    marks = tmp_path / "marks"
    marks.mkdir()

    actual = by_number(engine.run(given, OpenFakeJudge(marks=marks)))

    assert 1 == len(list(marks.iterdir())), "one was killed, and whoever came next was not"
    rows = actual[given[0].number].to_pylist()
    assert ("b kills", State.UNREADABLE, GIVEN_UP) == tuple(rows[1][name] for name in ("part_key", "state", "error"))
    actual[given[0].number] = actual[given[0].number].filter([row["part_key"] != "b kills" for row in rows])
    assert expected(harmless, OpenFakeJudge(marks=marks)) == actual


def test_a_worker_that_stands_still_is_replaced_and_the_part_over_which_two_do_is_given_up_alone(
    tmp_path: Path,
) -> None:
    given = [
        *chunks(tmp_path, 2, special=["a", "b hangs"]),
        *chunks(tmp_path, 4, special=["a", "c hangs-once"], first=20),
    ]
    harmless = [replace(given[0], parts=[part for part in given[0].parts if part.key != "b hangs"]), *given[1:]]
    marks = tmp_path / "marks"
    marks.mkdir()

    actual = by_number(
        LocalEngine(workers=WORKERS, part_timeout_s=PART_TIMEOUT_S).run(given, OpenFakeJudge(marks=marks))
    )

    rows = actual[given[0].number].to_pylist()
    assert ("b hangs", State.UNREADABLE, HUNG) == tuple(rows[1][name] for name in ("part_key", "state", "error"))
    actual[given[0].number] = actual[given[0].number].filter([row["part_key"] != "b hangs" for row in rows])
    assert expected(harmless, OpenFakeJudge(marks=marks)) == actual
    assert 1 == len(list(marks.iterdir())), "one stood still, and whoever came next did not"


def test_a_worker_that_stands_still_before_it_takes_its_task_is_replaced_too(tmp_path: Path) -> None:
    """More than a pipe holds: its parent must not wait for it either."""
    payload = OriginalVerdict(sequence=1, trigger_number=1, payload=bytes(300_000))
    given = [
        replace(chunk, parts=[replace(part, original=payload) for part in chunk.parts])
        for chunk in chunks(tmp_path, 6, special=["hangs-once"])
    ]
    marks = tmp_path / "marks"
    marks.mkdir()
    open_judge = OpenFakeJudge(marks=marks)

    actual = by_number(LocalEngine(workers=WORKERS, part_timeout_s=PART_TIMEOUT_S).run(given, open_judge))

    assert expected(given, open_judge) == actual


def test_a_judge_that_refuses_to_open_ends_the_run_with_its_reason(
    engine: Engine, tmp_path: Path, processes: Path
) -> None:
    with pytest.raises(ConfigError, match="this judge refuses to open; expected one that opens; take another one"):
        list(engine.run(chunks(tmp_path, 3), OpenFakeJudge(processes=processes, opening="refuses")))

    wait_until_gone(processes)


def test_a_judge_that_kills_its_process_while_it_opens_ends_the_run(
    engine: Engine, tmp_path: Path, processes: Path
) -> None:
    with pytest.raises(ReinspectionError, match="while they loaded the models"):
        list(engine.run(chunks(tmp_path, 3), OpenFakeJudge(processes=processes, opening="kills")))

    assert 3 <= len(list(processes.iterdir()))


def test_each_of_as_many_workers_as_cores_stays_on_a_core_of_its_own(tmp_path: Path, processes: Path) -> None:
    run = LocalEngine().run(chunks(tmp_path, 30 * cores()), OpenFakeJudge(processes=processes, part_ms=20))
    for _ in run:
        if len(workers := list(processes.iterdir())) == cores():
            break

    stays_on = [os.sched_getaffinity(int(worker.name)) for worker in workers]
    run.close()

    assert sorted(map(sorted, stays_on)) == [[core] for core in sorted(os.sched_getaffinity(0))]


def test_closing_early_leaves_no_process_behind(any_engine: Engine, tmp_path: Path, processes: Path) -> None:
    given = chunks(tmp_path, 100)
    open_judge = OpenFakeJudge(processes=processes, part_ms=20)
    run = any_engine.run(given, open_judge)

    done = next(run)
    run.close()  # type: ignore[attr-defined]  # engines are generators

    wait_until_gone(processes)
    assert expected([chunk for chunk in given if chunk.number == done.number], OpenFakeJudge()) == by_number([done])
