"""`lineside demo`: a simulated line, run by a real station in a process of its own and watched through its stream."""

from __future__ import annotations

import asyncio
import math
import shutil
import signal
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lineside.commands.program import Program
from lineside.core.errors import ConfigError, StationFault
from lineside.core.record import ImageState
from lineside.core.verdict import Outcome

if TYPE_CHECKING:
    from lineside.cameras.simulated import SimulatedConfig
    from lineside.client.station_client import StationClient
    from lineside.wire.v1 import inspection_pb2 as pb

__all__ = ["demo"]

_STYLES = {Outcome.PASS: "green", Outcome.FAIL: "bold red", Outcome.NOT_INSPECTED: "bold yellow"}
_ROWS = 16
_START_S = 60.0
_ARCHIVE_S = 10.0


def demo(
    parts: Annotated[int, typer.Option("--count", min=1, help="End after so many parts.")] = 200,
    forever: Annotated[bool, typer.Option("--forever", help="Keep on until Ctrl-C.")] = False,
    project: Annotated[Path, typer.Option(help="The folder that holds calibration/ and models/.")] = Path(),
    output: Annotated[Path, typer.Option(help="Where journal, images and pictures are left.")] = Path("demo-output"),
    line: Annotated[bool, typer.Option("--line", help="With conveyor, bridge, PLC and reject gate.")] = False,
    fault: Annotated[
        list[str] | None, typer.Option(help="With --line: kind@part or kind@part:amount; see docs/sim-line.md.")
    ] = None,
) -> None:
    """Run a line of rendered plates with scratches, dents, stains and missing holes past a real station.

    A live table shows each part, its verdict, why, and how long it took. At the end: the count equation, escapes and
    overkill against the known truth, latency, and pictures with the findings drawn in. With --line: what fell into
    which bin, and why.
    """
    if line:
        from lineside.commands.sim import need_pymodbus

        need_pymodbus()
        from lineside.commands.demo_line import demo_line

        demo_line(parts=parts, faults=fault or (), project=project, output=output)
    if fault:
        raise ConfigError("--fault without --line", expected="a line that it can strike", remedy="add --line")
    station = project / "calibration" / "stations" / "demo.toml"
    if not station.is_file():
        raise ConfigError(
            f"{station} is not there",
            expected="Lineside's own project folder",
            remedy="run it there, or name --project",
        )
    folder = output / datetime.now(UTC).strftime("run-%Y%m%d-%H%M%S")
    (folder / "pictures").mkdir(parents=True)
    socket_folder = Path(tempfile.mkdtemp(prefix="lineside-demo-"))  # a short path: unix sockets allow 107 bytes
    arguments = ["run", str(station), "--data-dir", str(folder / "station"), "--tcp", "127.0.0.1:0"]
    arguments += ["--unix", str(socket_folder / "s"), "--count", str(0 if forever else parts)]
    program = Program("station", arguments, folder)
    try:
        program.start()
        try:
            asyncio.run(_demo(program, station, socket_folder / "s", folder, 0 if forever else parts))
        finally:
            program.stop()
    finally:
        shutil.rmtree(socket_folder)


@dataclass(slots=True)
class _Tally:
    """What was heard so far, against the truth."""

    rows: deque[tuple[str, ...]] = field(default_factory=lambda: deque(maxlen=_ROWS))
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(_STYLES, 0))
    escapes: list[str] = field(default_factory=list)
    overkill: list[str] = field(default_factory=list)
    bad: int = 0
    good: int = 0
    decided_ms: list[float] = field(default_factory=list)
    heard_ms: list[float] = field(default_factory=list)
    infer_ms: list[float] = field(default_factory=list)
    rejects: list[pb.Verdict] = field(default_factory=list)
    passes: list[pb.Verdict] = field(default_factory=list)
    listening_since_utc_ns: int = 0

    def hear(self, verdict: pb.Verdict, config: SimulatedConfig) -> None:
        from lineside.cameras.simulated import truth_of_part

        outcome = Outcome(verdict.outcome)
        truth = truth_of_part(config, verdict.part_id) if verdict.part_id else None
        really = "?"
        if truth is not None:
            really = "good" if truth.good else ", ".join(defect.class_name for defect in truth.defects)
            self.good += truth.good
            self.bad += not truth.good
            if outcome is Outcome.PASS and not truth.good:
                self.escapes.append(verdict.part_id)
            if outcome is Outcome.FAIL and truth.good:
                self.overkill.append(verdict.part_id)
        self.outcomes[outcome] += 1
        self.decided_ms.append(verdict.latency.decide_ns / 1e6)
        self.infer_ms.append(verdict.latency.infer_ns / 1e6)
        now_utc_ns = time.time_ns()
        self.listening_since_utc_ns = self.listening_since_utc_ns or now_utc_ns
        if verdict.triggered_utc_ns > self.listening_since_utc_ns:  # earlier ones waited for us, not we for them
            self.heard_ms.append((now_utc_ns - verdict.triggered_utc_ns) / 1e6)
        (self.passes if outcome is Outcome.PASS else self.rejects).append(verdict)
        del self.passes[:-50]  # a demo that runs for ever must not grow; 50 are enough to draw some
        del self.rejects[:-200]
        for series in (self.decided_ms, self.infer_ms, self.heard_ms):
            del series[:-100_000]
        style = _STYLES[outcome]
        self.rows.append(
            (
                str(verdict.trigger_number),
                verdict.part_id,
                f"[{style}]{outcome.name}[/{style}]",
                verdict.detail or "-",
                really,
                f"{verdict.latency.decide_ns / 1e6:.1f}",
            )
        )


def _table(tally: _Tally, total: int) -> Group:
    table = Table(expand=True)
    table.add_column("trigger", justify="right")
    table.add_column("part")
    table.add_column("verdict")
    table.add_column("why", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("truth")
    table.add_column("ms", justify="right")
    for row in tally.rows:
        table.add_row(*row)
    done = sum(tally.outcomes.values())
    counts = "   ".join(f"{outcome.name} {number}" for outcome, number in tally.outcomes.items())
    return Group(table, Text(f"{done}{f' of {total}' if total else ''} parts   {counts}"))


async def _demo(program: Program, station: Path, socket: Path, folder: Path, total: int) -> None:
    from lineside.assemble import read_files
    from lineside.client.station_client import StationClient

    console = Console()
    files, _ = read_files(station)
    config = next(iter(files.camera_configs.values()))
    console.print(f"Starting the station of {station}; its journal, images and log are left in {folder}")
    await _wait_until_serving(program, socket)
    tally = _Tally()
    async with StationClient(f"unix://{socket}") as client:
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stopped.set)
        hearing = asyncio.create_task(_hear(client, tally, config, total))  # type: ignore[arg-type]
        with Live(_table(tally, total), console=console, refresh_per_second=8) as live:
            while not hearing.done() and not stopped.is_set():
                await asyncio.wait({hearing}, timeout=0.125)
                live.update(_table(tally, total))
                if program.ended:
                    break
        hearing.cancel()
        await asyncio.wait({hearing})
        program.check()
        if not hearing.cancelled():
            hearing.result()  # raises what ended it
        heard = sum(tally.outcomes.values())
        if heard != total and total and not stopped.is_set():
            raise StationFault(f"{heard} parts were heard of", expected=f"{total}", remedy=f"see {folder}/station.log")
        pictures = await _draw(client, tally, folder / "pictures", console)
        status = await client.status()
    _summary(console, tally, status, folder, pictures)


async def _wait_until_serving(program: Program, socket: Path) -> None:
    deadline_s = time.monotonic() + _START_S
    while not await asyncio.to_thread(socket.exists):
        if program.ended or time.monotonic() > deadline_s:
            raise StationFault(f"the station did not start:\n{program.last_words()}", remedy=f"see {program.log}")
        await asyncio.sleep(0.05)


async def _hear(client: StationClient, tally: _Tally, config: SimulatedConfig, total: int) -> None:
    async with client.verdicts(after_sequence=0) as verdicts:
        async for verdict in verdicts:
            tally.hear(verdict, config)
            if total and sum(tally.outcomes.values()) >= total:
                return


async def _draw(client: StationClient, tally: _Tally, folder: Path, console: Console) -> int:
    """Fetches the archived images and draws into them what was found; returns how many pictures there are."""
    import cv2
    from rich.progress import track

    from lineside.imaging.draw import as_bgr8, draw_verdict
    from lineside.journal import image_format
    from lineside.wire.codec import verdict_from_bytes

    drawn = 0
    for message in track([*tally.rejects, *tally.passes], "Drawing what was found", console=console, transient=True):
        verdict = verdict_from_bytes(message.SerializeToString())
        for image in verdict.images:
            if not image.kept:
                continue
            data = await _archived(client, verdict.trigger.number, image.image_id)
            if data is None:
                continue
            frame, _ = image_format.decode(data)
            defects = [defect for defect in verdict.judgement.defects if defect.view == image.view]
            caption = f"{verdict.part_id}  {verdict.judgement.detail}"
            picture = draw_verdict(as_bgr8(frame.pixels, frame.pixel_format), verdict.outcome, caption, defects)
            cv2.imwrite(str(folder / f"{verdict.outcome.name}-{image.image_id}.png"), picture)
            drawn += 1
    return drawn


async def _archived(client: StationClient, trigger_number: int, image_id: str) -> bytes | None:
    """The image file, once the archiver has stored it; None when it was shed."""
    deadline_s = time.monotonic() + _ARCHIVE_S
    while time.monotonic() < deadline_s:
        answer = await client.verdict(trigger_number=trigger_number)
        [state] = [image.state for image in answer.images if image.image_id == image_id] or [ImageState.PENDING]
        if state != ImageState.PENDING:
            return (await client.image(image_id))[1] if state == ImageState.KEPT else None
        await asyncio.sleep(0.05)
    return None


def _summary(console: Console, tally: _Tally, status: pb.GetStationStatusResponse, folder: Path, pictures: int) -> None:
    counters = status.counters
    total = getattr(counters, "pass") + counters.fail + counters.not_inspected + counters.in_flight
    flight = f" + {counters.in_flight} in flight" if counters.in_flight else ""
    equation = (
        f"triggers {counters.triggers} = pass {getattr(counters, 'pass')} + fail {counters.fail}"
        f" + not_inspected {counters.not_inspected}{flight}"
    )
    summary = Table(title="Summary", show_header=False, min_width=76)
    summary.add_row("count equation", f"{equation}  {'holds' if total == counters.triggers else 'IS BROKEN'}")
    summary.add_row("truth", f"{tally.good} good, {tally.bad} bad")
    summary.add_row("escapes", _named(tally.escapes, tally.bad, "bad parts passed"))
    summary.add_row("overkill", _named(tally.overkill, tally.good, "good parts rejected"))
    for name, series in (
        ("model", tally.infer_ms),
        ("trigger to verdict", tally.decided_ms),
        ("trigger to this reader", tally.heard_ms),
    ):
        summary.add_row(f"{name} (ms)", _spread(series))
    summary.add_row("provider", status.provider)
    summary.add_row("pictures", f"{pictures} with the findings drawn in: {folder / 'pictures'}")
    console.print(summary)
    if total != counters.triggers:
        raise StationFault("the count equation is broken", expected=equation, remedy="keep the folder and report it")


def _named(part_ids: list[str], of: int, what: str) -> str:
    names = f": {', '.join(part_ids[:5])}{' …' if len(part_ids) > 5 else ''}" if part_ids else ""
    return f"{len(part_ids)} of {of} {what}{names}"


def _spread(values: list[float]) -> str:
    if not values:
        return "no parts"
    ordered = sorted(values)
    p50, p99 = (ordered[min(len(ordered) - 1, math.ceil(len(ordered) * share) - 1)] for share in (0.50, 0.99))
    return f"p50 {p50:.1f}   p99 {p99:.1f}   max {ordered[-1]:.1f}"
