"""Re-inspection on a real Ray cluster of two nodes, with real models: workers and nodes die, rows do not."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from engine_process import EngineProcess
from ray_nodes import RayNodes, ray_nodes, ray_to_itself
from reinspection import make_archive, reinspect, rows_of

import lineside
from lineside.assemble import open_inspector
from lineside.core.errors import ConfigError
from lineside.reinspect.candidate import candidate_of, lettered
from lineside.reinspect.engine import Chunk, DoneChunk
from lineside.reinspect.judge import JudgeOrder
from lineside.reinspect.local import LocalEngine
from lineside.reinspect.part import ONLY_VIEW, ImageRef, Part
from lineside.reinspect.row import TIMING_COLUMNS
from lineside.testing.fake_judge import OpenFakeJudge

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),  # may wait for the other module that starts clusters
    pytest.mark.usefixtures(ray_to_itself.__name__),
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra `ray`"),
]

PARTS_PER_CHUNK = 4


@pytest.fixture
def process() -> Iterator[EngineProcess]:
    """Where the driver runs: Ray leaves sockets open in its process, and Ray Data knows one cluster only."""
    process = EngineProcess()
    yield process
    process.end()


@pytest.fixture
def nodes() -> Iterator[RayNodes]:
    """A head and one node more, each with one processor."""
    with ray_nodes() as nodes:
        nodes.start_head()
        nodes.add()
        yield nodes


def chunks(archive: Path) -> Sequence[Chunk]:
    """All files of the archive, sound and odd."""
    parts = [Part(key=path.name, images={ONLY_VIEW: ImageRef(url=str(path))}) for path in sorted(archive.iterdir())]
    return [
        Chunk(number=first, parts=parts[first : first + PARTS_PER_CHUNK])
        for first in range(0, len(parts), PARTS_PER_CHUNK)
    ]


def rows(done: Sequence[DoneChunk]) -> pa.Table:
    """In the plan's order, without what differs from run to run."""
    return pa.concat_tables([each.rows for each in sorted(done, key=lambda each: each.number)]).drop_columns(
        list(TIMING_COLUMNS)
    )


def test_a_node_that_is_lost_takes_no_row_with_it_and_doubles_none(
    nodes: RayNodes, process: EngineProcess, tmp_path: Path
) -> None:
    station = make_archive(tmp_path, pictures=100)
    order = JudgeOrder(candidates=lettered([candidate_of(station)]), open_inspector=open_inspector)
    given = chunks(tmp_path / "archive")

    done = []
    for each in process.engine(address=nodes.address).run(given, order):
        done.append(each)
        if len(done) == len(given) // 3:
            nodes.lose_last()

    assert rows(list(LocalEngine(workers=1).run(given, order))) == rows(done)


def test_a_worker_that_is_killed_while_a_node_is_lost_takes_no_row_with_it(
    nodes: RayNodes, process: EngineProcess, tmp_path: Path
) -> None:
    make_archive(tmp_path, pictures=60)
    given = list(chunks(tmp_path / "archive"))
    middle = given[len(given) // 2]
    deadly = replace(middle.parts[0], key="kills-once")
    given[len(given) // 2] = replace(middle, parts=[deadly, *middle.parts[1:]])
    marks = tmp_path / "marks"
    marks.mkdir()
    open_judge = OpenFakeJudge(part_ms=30, marks=marks)

    done = []
    for each in process.engine(address=nodes.address).run(given, open_judge):
        done.append(each)
        if any(marks.iterdir()) and len(nodes) > 1:
            nodes.lose_last()

    assert rows(list(LocalEngine(workers=1).run(given, open_judge))) == rows(done)
    assert 1 == len(nodes)


def test_a_node_with_other_code_is_refused_before_anything_is_judged(process: EngineProcess, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(Path(lineside.__file__).parent, other / "lineside")
    with (other / "lineside" / "inspector.py").open("a") as source:
        source.write("# changed\n")

    with ray_nodes() as nodes, pytest.raises(ConfigError, match=r"node 127\.0\.0\.3 has code with SHA-256 "):
        nodes.start_head()
        nodes.add(environment={"PYTHONPATH": str(other)})
        list(process.engine(address=nodes.address).run(chunks(tmp_path), OpenFakeJudge()))


def test_the_command_gives_the_same_rows_on_a_cluster_of_its_own(tmp_path: Path) -> None:
    station = make_archive(tmp_path, pictures=30)

    for engine in ("local", "ray"):
        with reinspect(station, tmp_path / engine, "--engine", engine, "--workers", "2") as run:
            run.wait()

    assert rows_of(tmp_path / "local") == rows_of(tmp_path / "ray")
