"""A re-inspection from beginning to end: source, plan, engine, rows, summary, report. Begin here."""

from __future__ import annotations

import dataclasses
import itertools
import os
import platform
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow.compute as pc

from lineside.core.errors import ConfigError
from lineside.core.identity import sha256_of_file
from lineside.reinspect.candidate import Candidate
from lineside.reinspect.drawing import Drawing, Look, choose
from lineside.reinspect.drawing_crew import draw_by_crew
from lineside.reinspect.engine import DoneChunk, Engine
from lineside.reinspect.judge import JudgeOrder
from lineside.reinspect.local import cores
from lineside.reinspect.part import Part
from lineside.reinspect.plan import Plan, Unplanned
from lineside.reinspect.report import part_keys, write_report
from lineside.reinspect.row import State
from lineside.reinspect.run_folder import RunFolder
from lineside.reinspect.selection import Selection
from lineside.reinspect.sources.source import Source
from lineside.reinspect.summary import RunFacts, Summary, summarise
from lineside.reinspect.summary.answer import counted
from lineside.reinspect.whole_file import written_whole

__all__ = ["Finished", "Job", "Watcher", "asked_of", "reinspect"]

_COMPUTES: Final = (
    *("lineside", "onnxruntime", "onnxruntime-gpu", "openvino"),
    *("numpy", "opencv-python-headless"),
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is asked of a run. `command`, `place`, `engine` and `workers` are told to people."""

    command: str
    place: str
    engine: str
    workers: int
    source: Source
    selection: Selection
    judge: JudgeOrder
    drawing: Drawing


class Watcher(Protocol):
    """Who is told how the run gets on. Called by the thread that runs it; must not block."""

    def planned(self, parts: int) -> None:
        """So many parts are listed so far."""
        ...

    def begun(self, parts: int, done: int) -> None:
        """The work begins: of so many parts, so many were done by an earlier sitting."""
        ...

    def judged(self, parts: int, unreadable: int) -> None:
        """So many more are done, of which so many cannot be read."""
        ...

    def writing(self, what: str) -> None:
        """Judging is over; this is being written."""
        ...

    def drawing(self, parts: int) -> None:
        """The last of it begins: pictures of so many parts."""
        ...

    def drawn(self, parts: int) -> None:
        """So many more are drawn."""
        ...


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What became of a run."""

    summary: Summary
    content_sha256: str
    """Of all rows but for the timings: the same whatever engine made them, and however often it was interrupted."""
    report: Path


def reinspect(job: Job, out: Path, engine: Engine, watcher: Watcher, *, resume: bool = False) -> Finished:
    """Runs the job into the folder `out`. Blocks; ended by whatever means, `resume` goes on with it.

    Raises: ConfigError for what was declared wrongly, ReinspectionError when it cannot go on.
    """
    with RunFolder(out, asked_of(job), resume=resume) as folder:
        plan = _plan(job, folder, watcher)
        _judge(job, folder, plan, engine, watcher)
        watcher.writing("summary.json")
        summary = summarise(folder.rows_path, _run_facts(job, folder, plan))
        with folder.writing():
            report = _write(job, out, summary, folder.rows_path, plan, watcher)
    return Finished(summary=summary, content_sha256=folder.content_sha256, report=report)


def _plan(job: Job, folder: RunFolder, watcher: Watcher) -> Plan:
    """Every part that is wanted, and how many things are not. Raises: ConfigError when nothing is."""
    selected = job.selection.select(job.source.parts())
    plan = folder.plan(
        lambda: selected,
        planned=watcher.planned,
        unplanned=lambda: Unplanned(left_out=dict(selected.left_out), ignored=dict(job.source.ignored)),
    )
    if not plan.parts:
        beside = counted({**plan.unplanned.left_out, **plan.unplanned.ignored})
        raise ConfigError(
            f"there is nothing to inspect in {job.place} ({job.source.description}), of which is not wanted: "
            f"{beside or 'nothing'}",
            expected="at least one part",
            remedy="correct the place, the selection, or how the source is to be understood",
        )
    return plan


def _judge(job: Job, folder: RunFolder, plan: Plan, engine: Engine, watcher: Watcher) -> None:
    """Every chunk that has no rows yet, once more those whose rows turn out to be damaged, and of earlier sittings
    the parts that the storage did not give.
    """
    merged = False
    again = folder.to_try_again(plan)
    while not merged:
        # The largest first: towards the end there is little left in each, and no worker waits long for the last one.
        undone = sorted(folder.undone(plan), key=lambda number: -plan.sizes[number])
        parts = {number: plan.sizes[number] for number in undone} | {each: len(keys) for each, keys in again.items()}
        watcher.begun(plan.parts, plan.parts - sum(parts.values()))
        with closing(engine.run(itertools.chain(plan.read(undone), plan.read_some(again)), job.judge)) as chunks:
            for done in chunks:
                keep = folder.keep_again if done.number in again else folder.keep
                keep(done, rows=parts[done.number] * len(job.judge.candidates))
                watcher.judged(parts[done.number], _unreadable(done))
        watcher.writing("rows.parquet")
        merged, again = folder.merge(plan), {}


def _write(job: Job, out: Path, summary: Summary, rows_path: Path, plan: Plan, watcher: Watcher) -> Path:
    """All that is made of the rows; returns where the report is."""
    with written_whole(out / "summary.json") as partial:
        partial.write_text(summary.to_json(), encoding="utf-8")
    drawn = choose(job.drawing, rows_path)
    parts = plan.find({*part_keys(summary), *drawn})
    look = _look(parts, job.judge)
    watcher.writing("report.html")
    report = write_report(out, summary, rows_path, look)
    if drawn.keys:
        watcher.drawing(len(drawn.keys))
        workers = job.workers or cores()
        draw_by_crew(drawn, parts, job.judge, out / "drawn", look=look, workers=workers, drawn=watcher.drawn)
    return report


def _unreadable(done: DoneChunk) -> int:
    """Parts of which some candidate could not read an image."""
    rows = done.rows.filter(pc.equal(done.rows["state"], State.UNREADABLE.value))
    return int(pc.count_distinct(rows["part_key"]).as_py())


def _look(parts: Mapping[str, Part], open_judge: JudgeOrder) -> Look:
    """Looks again at parts by key, in this process; the models are loaded when the first is asked for."""
    judge = cache(open_judge)
    return lambda key: judge().look(parts[key])


# What is known of a run: what was asked, which `--resume` compares; and the facts that its summary tells.


def asked_of(job: Job) -> dict[str, Any]:
    """Everything that the rows depend on, as a JSON object: two runs of which this is equal have equal rows."""
    judge = job.judge
    return {
        "source": {"place": job.place, "kind": job.source.kind, "fingerprint": job.source.fingerprint},
        "selection": dataclasses.asdict(job.selection),
        "candidates": [
            {
                "label": candidate.label,
                "recipe": dataclasses.asdict(candidate.recipe.identity),
                "calibration": dataclasses.asdict(candidate.calibration.identity),
                "packages": {view: dataclasses.asdict(model) for view, model in candidate.models.items()},
            }
            for candidate in judge.candidates
        ],
        "providers": list(judge.providers),
        "max_pixels": judge.limits.max_pixels,
        "files_hold": judge.files_hold,
        "fit": judge.fit,
        "versions": _versions(),
    }


def _run_facts(job: Job, folder: RunFolder, plan: Plan) -> RunFacts:
    return RunFacts(
        command=job.command,
        source=f"{job.place} ({job.source.description})",
        candidates={candidate.label: _told(candidate) for candidate in job.judge.candidates},
        engine=job.engine,
        workers=job.workers,
        started_utc_ns=folder.begun_utc_ns,
        wall_s=folder.judging_s,
        parts_planned=plan.parts,
        left_out=dict(plan.unplanned.left_out),
        ignored=dict(plan.unplanned.ignored),
        hashes={"plan.parquet": sha256_of_file(plan.path), "rows but for timings": folder.content_sha256},
        versions=_versions(),
        machine={"system": platform.platform(), "processor": _processor(), "cores": str(os.cpu_count())},
    )


def _told(candidate: Candidate) -> dict[str, str]:
    identities = {
        "recipe": candidate.recipe.identity,
        "calibration": candidate.calibration.identity,
        **{f"package of {view}": model for view, model in candidate.models.items()},
    }
    return {name: f"{each.id} r{each.revision} {each.sha256}" for name, each in identities.items()}


def _versions() -> dict[str, str]:
    """Of what the answers depend on, as far as it is installed here."""
    return {name: distribution.version for name in _COMPUTES for distribution in metadata.distributions(name=name)}


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
