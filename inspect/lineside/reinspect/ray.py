"""The engine `ray`: a plan's chunks on a Ray cluster, by Ray Data.

::

    driver                                         cluster
    tasks ──hand──▶ desk, one actor   ◀──take──  workers, an actor for each processor or GPU
                      │ a ticket for each task       ▲ a block of one ticket
                      └────────── Ray Data ──────────┘
    rows  ◀────────────────────── Ray Data ───── a block with the rows of one task

Ray Data carries tickets there and rows back, keeps the workers busy and restarts those that die. The desk keeps a task
until its rows are at the driver: whatever Ray repeats, nothing is lost, and rows that come twice are dropped. A task is
handed over only when the rows of an earlier one have arrived, and that bounds everything.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import pickle
import traceback
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import ray
import ray.data
import structlog
from ray.data import ActorPoolStrategy, DataContext, Dataset
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask

from lineside.core.errors import ConfigError, LinesideError, ReinspectionError
from lineside.reinspect.desk import Desk
from lineside.reinspect.engine import Chunk, DoneChunk, Judge, OpenJudge
from lineside.reinspect.installation import Installation, check_same, installed
from lineside.reinspect.judge import JudgeOrder
from lineside.reinspect.local import cores
from lineside.reinspect.ray_cluster import cluster_at, own_cluster, this_node, vendor_errors
from lineside.reinspect.shipment import open_with, packed
from lineside.reinspect.task import MAX_DEATHS, OpenChunks, Task, do

__all__ = ["TASKS_PER_WORKER", "RayEngine"]

TASKS_PER_WORKER = 3
"""Handed over before their rows are back: one in work, one waiting at the worker, one on its way."""

_ON_GPU = frozenset({"cuda", "tensorrt"})

_MAX_DEADLY = 100
"""When workers have died over so many tasks of one round, it is not the tasks."""

_log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class RayEngine:
    """Runs chunks on the cluster at `address`, or on one of its own on this machine, which ends with the run.

    `workers` is by default one for each processor of the cluster, or for each `gpus_per_worker` of its GPUs; that is by
    default 1 where there are GPUs and a provider wants them. More workers than fit are started as the cluster grows.
    Images are read where the workers are: by URL, or by a path that all nodes share.
    Ray Data keeps hold of its cluster: in one process use one `address` only, or none.
    """

    address: str | None = None
    workers: int | None = None
    gpus_per_worker: float = 0.0

    def run(self, chunks: Iterable[Chunk], open_judge: OpenJudge) -> Generator[DoneChunk, None, None]:
        """As the port says. At most TASKS_PER_WORKER chunks for each worker are taken ahead. Connects at the first."""
        remaining = iter(chunks)
        if (first := next(remaining, None)) is None:
            return
        asks_for_gpu = isinstance(open_judge, JudgeOrder) and not _ON_GPU.isdisjoint(open_judge.providers)
        with contextlib.ExitStack() as stack:
            stack.enter_context(vendor_errors())
            if self.address is None:
                stack.enter_context(own_cluster(self.workers or cores()))
            else:
                driver = installed()
                stack.enter_context(cluster_at(self.address, driver))
                packages = ray.put(packed(open_judge)) if isinstance(open_judge, JudgeOrder) else None
                open_judge = _OpenElsewhere(open_judge=open_judge, packages=packages, driver=driver)
            pool = self._pool(asks_for_gpu=asks_for_gpu)
            yield from stack.enter_context(
                contextlib.closing(_run(itertools.chain([first], remaining), open_judge, pool))
            )

    def _pool(self, *, asks_for_gpu: bool) -> _Pool:
        resources = ray.cluster_resources()
        gpus = resources.get("GPU", 0)
        if gpus < self.gpus_per_worker:
            raise ConfigError(
                f"the cluster has {gpus:g} GPUs",
                expected=f"{self.gpus_per_worker:g} for each worker",
                remedy="start its nodes with their GPUs, or use the provider `cpu`",
            )
        each = self.gpus_per_worker or float(asks_for_gpu and gpus >= 1)
        fit = gpus / each if each else resources.get("CPU", 0)
        return _Pool(workers=self.workers or max(1, math.floor(fit)), gpus_per_worker=each)


@dataclass(frozen=True, kw_only=True)
class _Pool:
    """The actors of a round."""

    workers: int
    gpus_per_worker: float


# The driver.


def _run(chunks: Iterator[Chunk], open_judge: OpenJudge, pool: _Pool) -> Generator[DoneChunk, None, None]:
    """All chunks in one round; what has killed its workers is tried part by part in a second, given up in a third."""
    under_way = OpenChunks()
    tasks: Iterator[Task] = map(under_way.open, chunks)
    while (first := next(tasks, None)) is not None:
        deadly: list[Task] = []
        with contextlib.closing(_round(itertools.chain([first], tasks), open_judge, pool)) as answers:
            for task, rows in answers:
                if rows is None:
                    deadly += _after_deaths(task, len(deadly))
                elif done := under_way.close(task, rows):
                    yield done
        tasks = iter(deadly)


def _after_deaths(task: Task, others: int) -> Sequence[Task]:
    """What is left to be done of it. Raises: ReinspectionError when there are too many others already."""
    if others >= _MAX_DEADLY:
        raise ReinspectionError(
            f"{MAX_DEATHS} workers died over each of {others} tasks",
            expected="workers that live",
            remedy="see the logs of the cluster; memory is the first suspect",
        )
    return replace(task, deaths=MAX_DEATHS - 1).after_death()


def _round(
    tasks: Iterator[Task], open_judge: OpenJudge, pool: _Pool
) -> Generator[tuple[Task, pa.Table | None], None, None]:
    """Each task with its rows, or with none where MAX_DEATHS workers died over it.

    Tasks that were at a worker whose node is lost wait until Ray finds it another place: at the latest when the desk is
    closed, for then Ray Data lets idle workers go. So a round ends, and what is found deadly is left for the next one.
    """
    desk: Any = ray.remote(Desk).options(num_cpus=0, label_selector=this_node()).remote()
    handed: dict[int, Task] = {}
    tickets = itertools.count()

    def hand_over(count: int) -> None:
        for ticket in itertools.islice(tickets, count):
            if (task := next(tasks, None)) is None:
                ray.get(desk.close.remote())
                return
            handed[ticket] = task
            ray.get(desk.hand.remote(ticket, task))  # waited for: an actor with an event loop takes calls in any order

    hand_over(TASKS_PER_WORKER * pool.workers)
    pool = replace(pool, workers=min(pool.workers, len(handed)))
    try:
        with contextlib.closing(_answers(_dataset(desk, open_judge, pool))) as answers:
            for answer in answers:
                task = handed.pop(answer.ticket, None)
                if task is None:
                    continue  # Ray has done it twice
                if answer.deaths:
                    _log.warning("workers lost", deaths=answer.deaths, chunk=task.chunk, part=task.parts[0].key)
                ray.get(desk.done.remote(answer.ticket))
                hand_over(1)
                yield task, None if answer.deaths >= MAX_DEATHS else answer.table()
        if handed:
            raise ReinspectionError(f"Ray ended without the rows of {len(handed)} tasks", remedy="go on with --resume")
    finally:
        ray.kill(desk)


def _dataset(desk: Any, open_judge: OpenJudge, pool: _Pool) -> Dataset:
    """Tickets in, answers out."""
    context = DataContext.get_current().copy()
    context.enable_progress_bars = False
    context.target_max_block_size = 1  # every row is a block of its own, and on its way at once
    with DataContext.current(context):
        return ray.data.read_datasource(
            _Tickets(desk), override_num_blocks=1, num_cpus=0, label_selector=this_node()
        ).map_batches(
            _Worker,
            fn_constructor_args=(desk, open_judge),
            batch_size=None,
            batch_format="pyarrow",
            compute=ActorPoolStrategy(size=pool.workers, max_tasks_in_flight_per_actor=2),
            num_cpus=1,
            num_gpus=pool.gpus_per_worker,
        )


def _answers(dataset: Dataset) -> Generator[_Answer, None, None]:
    bundles = dataset.iter_internal_ref_bundles()
    try:
        for bundle in bundles:
            for entry in bundle.blocks:
                for line in ray.get(entry.ref).to_pylist():
                    yield _Answer(**line)
    finally:
        del bundles  # Ray Data stops when nobody holds them


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """What comes back for a ticket: how many workers died over it, and its rows as an Arrow stream, or an error."""

    ticket: int
    deaths: int = 0
    rows: bytes = b""
    error: bytes = b""

    def table(self) -> pa.Table:
        """The rows. Raises: what the worker says that no other worker would do better."""
        if self.error:
            raise pickle.loads(self.error)
        with pa.ipc.open_stream(self.rows) as stream:
            return stream.read_all()

    def block(self) -> pa.Table:
        return pa.table({name: [value] for name, value in vars(self).items()}, schema=_ANSWER_SCHEMA)


_ANSWER_SCHEMA = pa.schema(
    [("ticket", pa.int64()), ("deaths", pa.int64()), ("rows", pa.binary()), ("error", pa.binary())]
)


# On the cluster.


class _Tickets(Datasource):  # type: ignore[misc]  # Ray's classes have no types
    """0, 1, 2, …: one for each task that the desk was handed, until it is closed. Read again it is the same."""

    def __init__(self, desk: Any) -> None:
        super().__init__()
        self._desk = desk

    def estimate_inmemory_data_size(self) -> int | None:
        """Unknown: tasks are listed while others are done."""
        return None

    def get_read_tasks(self, parallelism: int, *_: object, **__: object) -> list[ReadTask]:
        """One, however many are wanted: it only counts."""
        return [ReadTask(functools.partial(_count, self._desk), BlockMetadata(None, None, None, None))]


def _count(desk: Any) -> Iterator[pa.Table]:
    for ticket in itertools.count():
        if not ray.get(desk.has.remote(ticket)):
            return
        yield pa.table({"ticket": [ticket]})


class _Worker:
    """One judge on the cluster, opened with its first task: that a worker dies in opening is noticed too."""

    def __init__(self, desk: Any, open_judge: OpenJudge) -> None:
        self._desk = desk
        self._open_judge = open_judge
        self._judge: Judge | None = None

    def __call__(self, tickets: pa.Table) -> pa.Table:
        (ticket,) = tickets["ticket"].to_pylist()
        return self._answer(ticket).block()

    def _answer(self, ticket: int) -> _Answer:
        try:
            judge = self._judge = self._judge or self._opened(ticket)
            task, deaths = ray.get(self._desk.take.remote(ticket))
            if task is None or deaths >= MAX_DEATHS:
                return _Answer(ticket=ticket, deaths=deaths)
            return _Answer(ticket=ticket, deaths=deaths, rows=_stream(do(task, judge)))
        except LinesideError as error:
            return _Answer(ticket=ticket, error=pickle.dumps(error))
        except Exception as error:  # noqa: BLE001 - raised by the driver, under its name instead of Ray's
            told = ReinspectionError(
                f"a worker failed: {type(error).__name__}: {error}",
                expected="rows, whatever the files are",
                remedy=f"report it, with this: {traceback.format_exc()}",
            )
            return _Answer(ticket=ticket, error=pickle.dumps(told))

    def _opened(self, ticket: int) -> Judge:
        deaths = ray.get(self._desk.opening.remote(ticket))
        if deaths >= MAX_DEATHS:
            raise ReinspectionError(
                f"{deaths} workers in a row died while they loaded the models",
                expected="room for the models once in each worker",
                remedy="see the logs of the cluster, or ask for fewer workers",
            )
        judge = self._open_judge()
        ray.get(self._desk.opened.remote(ticket))
        return judge


def _stream(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    written: bytes = sink.getvalue().to_pybytes()
    return written


@dataclass(frozen=True, kw_only=True)
class _OpenElsewhere:
    """Opens a judge on a machine that need not have any file of the driver's but the same code."""

    open_judge: OpenJudge
    packages: Any
    """A reference to the `PackageFiles` in the cluster's memory: each node fetches them once. None for other judges."""
    driver: Installation

    def __call__(self) -> Judge:
        check_same(self.driver, installed(), place=f"node {ray.util.get_node_ip_address()}")
        if isinstance(self.open_judge, JudgeOrder):
            return open_with(self.open_judge, ray.get(self.packages))
        return self.open_judge()
