"""`lineside reinspect`: the station's inspector over an archive, with evidence."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog
import typer
from rich.console import Console

from lineside.commands import reinspect_options as of
from lineside.core.errors import ConfigError

if TYPE_CHECKING:
    from lineside.commands.reinspect_screen import ReinspectScreen
    from lineside.reinspect.engine import Engine
    from lineside.reinspect.run import Finished

__all__ = ["reinspect"]

_MAX_PIXELS = 100_000_000


def reinspect(
    *,
    source: of.SourcePlace,
    output: of.Output,
    resume: of.Resume = False,
    station: of.StationFilePath = None,
    recipe: of.RecipeFile = None,
    package: of.PackageName = None,
    against: of.Against = None,
    instead: of.Instead = None,
    scales: of.Scales = None,
    from_time: of.From = "",
    to_time: of.To = "",
    part: of.PartGlob = "",
    first_part: of.FirstPart = "",
    last_part: of.LastPart = "",
    sequences: of.Sequences = "",
    triggers: of.Triggers = "",
    only_rejects: of.OnlyRejects = False,
    outcome: of.OutcomeName = None,
    sample: of.Sample = "",
    sample_seed: of.SampleSeed = 0,
    kind: of.Kind = "",
    truth: of.TruthFrom = "",
    split: of.Split = "",
    column: of.Column = None,
    view_pattern: of.ViewPattern = "",
    view_folders: of.ViewFolders = False,
    extension: of.Extension = None,
    raw: of.Raw = "",
    good_class: of.GoodClass = "",
    time_pattern: of.TimePattern = "",
    time_format: of.TimeFormat = "",
    time_modified: of.TimeModified = False,
    engine: of.EngineName = "local",
    address: of.Address = "",
    workers: of.Workers = None,
    part_timeout: of.PartTimeout = None,
    gpus_per_worker: of.GpusPerWorker = 0.0,
    provider: of.Provider = None,
    file_pixel_format: of.FilesHold = None,
    fit: of.FitTo = "refuse",
    max_pixels: of.MaxPixels = _MAX_PIXELS,
    draw: of.Draw = None,
    draw_most: of.DrawMost = 1000,
    expect_reproduced: of.ExpectReproduced = False,
) -> None:
    """Judge an archive again, with the station's own inspector: new models on old parts, or the same ones as a proof.

    Writes rows.parquet, summary.json and report.html into a new folder. Several candidates are held against each
    other, and against the verdicts that the station gave then.

    Would the new model have caught what escaped? Did the station judge as it says?

    $ lineside reinspect var/station -o out --against demo.toml --station demo.toml --instead models/new

    $ lineside reinspect var/station -o out --station demo.toml --expect-reproduced

    $ lineside reinspect s3://archive/october -o out --package demo-plate --truth folders --engine ray --address auto

    Exit codes: 0 done; 1 done, but some parts were unreadable (or, with --expect-reproduced, not reproduced); 2 wrong
    declaration; 3 cannot go on; 130 stopped. What is done stays done, whatever ends the run: --resume goes on with it.
    """
    _needs_its_libraries()
    from lineside.assemble import open_inspector
    from lineside.commands import reinspect_words as words
    from lineside.commands.reinspect_screen import ReinspectScreen, say_finished
    from lineside.commands.train_words import known_fit
    from lineside.reinspect.judge import JudgeOrder
    from lineside.reinspect.local import cores
    from lineside.reinspect.reading import ReadLimits
    from lineside.reinspect.run import Job
    from lineside.reinspect.run import reinspect as run
    from lineside.reinspect.selection import Selection
    from lineside.reinspect.sources.opening import open_source
    from lineside.reinspect.sources.source import SourceOptions
    from lineside.reinspect.storage import absolute

    share, count = words.sample_of(sample)
    first_sequence, last_sequence = words.span_of(sequences, "sequences")
    first_trigger, last_trigger = words.span_of(triggers, "triggers")
    judge = JudgeOrder(
        candidates=words.the_candidates(
            against=against or (),
            stations=station or (),
            recipes=recipe or (),
            packages=package or (),
            instead=instead or (),
            scales=scales,
        ),
        open_inspector=open_inspector,
        providers=tuple(provider or ("cpu",)),
        limits=ReadLimits(max_pixels=max_pixels),
        files_hold=file_pixel_format,
        fit=known_fit(fit),
    )
    options = SourceOptions(
        truth=words.truth_of(truth),
        split=split,
        view_pattern=view_pattern,
        view_folders=view_folders,
        columns=words.pairs_of(column or ()),
        extensions=tuple(extension or ()),
        raw=words.raw_format_of(raw),
        good_class=good_class,
        time_pattern=time_pattern,
        time_format=time_format,
        time_modified=time_modified,
    )
    selection = Selection(
        from_utc_ns=words.utc_ns_of(from_time),
        to_utc_ns=words.utc_ns_of(to_time),
        part_ids=part,
        first_part_id=first_part,
        last_part_id=last_part,
        first_sequence=first_sequence,
        last_sequence=last_sequence,
        first_trigger=first_trigger,
        last_trigger=last_trigger,
        only_rejects=only_rejects,
        outcomes=words.outcomes_of(outcome or ()),
        sample_share=share,
        sample_count=count,
        sample_seed=sample_seed,
    )
    job = Job(
        command=_command(),
        place=absolute(source),
        engine=engine,
        workers=workers or (cores() if engine == "local" else 0),
        source=open_source(source, kind=kind, options=options),
        selection=selection,
        judge=judge,
        drawing=words.drawing_of(draw or (), draw_most),
    )
    structlog.configure(logger_factory=lambda *names: structlog.PrintLogger(sys.stderr))  # above the bar, while it is
    chosen = _engine(
        engine, address=address, workers=workers, gpus_per_worker=gpus_per_worker, part_timeout_s=part_timeout
    )
    with ReinspectScreen() as screen, _stopped_by_signals(screen):
        finished = run(job, output, chosen, screen, resume=resume)
    say_finished(finished)
    raise typer.Exit(_exit_code(finished, expect_reproduced=expect_reproduced))


def _needs_its_libraries() -> None:
    try:
        import fsspec  # noqa: F401
        import jinja2  # noqa: F401
        import pyarrow  # noqa: F401
        import scipy  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error.name} is not installed", remedy="pip install 'lineside[reinspect]'") from error


def _engine(
    name: str, *, address: str, workers: int | None, gpus_per_worker: float, part_timeout_s: float | None
) -> Engine:
    if name == "local":
        from lineside.reinspect.local import PART_TIMEOUT_S, LocalEngine

        if address or gpus_per_worker:
            raise ConfigError("--address and --gpus-per-worker are of a Ray cluster", remedy="say --engine ray")
        return LocalEngine(workers=workers, part_timeout_s=part_timeout_s or PART_TIMEOUT_S)
    if name == "ray":
        if part_timeout_s:
            raise ConfigError("--part-timeout is of the engine local", remedy="leave it out")
        try:
            from lineside.reinspect.ray import RayEngine
        except ModuleNotFoundError as error:
            raise ConfigError(f"{error.name} is not installed", remedy="pip install 'lineside[ray]'") from error
        return RayEngine(address=address or None, workers=workers, gpus_per_worker=gpus_per_worker)
    raise ConfigError(f"there is no engine {name!r}", expected="local or ray")


@contextmanager
def _stopped_by_signals(screen: ReinspectScreen) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the run in order, with the words that go on with it."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        command = _command()
        resumed = command if "--resume" in sys.argv else f"{command} --resume"
        done = (
            f"{screen.done} of {screen.parts} parts are done" if screen.parts is not None else "not all is listed yet"
        )
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(f"Stopped: {done}. Go on with\n  {resumed}", markup=False)
        raise typer.Exit(130) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _command() -> str:
    return shlex.join(["lineside", *sys.argv[1:]])


def _exit_code(finished: Finished, *, expect_reproduced: bool) -> int:
    summary = finished.summary
    again = [candidate.reproduction for candidate in summary.candidates]
    reproduced = all(each is not None and not each.different for each in again)
    return 1 if summary.unreadable or (expect_reproduced and not reproduced) else 0
