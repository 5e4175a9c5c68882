"""The journal's commits, and the feed with 1 to 32 readers, through the real journal, feed and server."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import bench_journal
from measuring import Figure, Report, median, percentile
from station_latency import reading

from lineside.core.identity import Identity
from lineside.core.reason import Reason
from lineside.core.record import VerdictRecord
from lineside.core.trigger import Trigger
from lineside.core.verdict import Judgement, Latency, Outcome, Verdict, ViewScore
from lineside.journal.feed import JournalFeed
from lineside.journal.queries import JournalQueries
from lineside.serve.options import ServeOptions
from lineside.serve.server import InspectionServer
from lineside.testing import FakeStation
from lineside.wire.codec import encode_verdict

__all__ = ["feed", "journal"]

IDENTITY = Identity(id="measured", revision=1, sha256="a" * 64)


def journal(report: Report, *, rates: tuple[int, ...], count: int) -> None:
    """Commits and delays beside the bare disk: 4 KiB appended and synchronised, one after the other."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        syncs_ms = _syncs(Path(folder))
        rows = []
        for per_s in rates:
            delays = asyncio.run(bench_journal.at_rate(Path(folder), per_s))
            for what, value, limit in (
                ("p50", delays.p50_ms, median(syncs_ms)),
                ("p99", delays.p99_ms, percentile(syncs_ms, 0.99)),
            ):
                rows.append(
                    Figure(
                        section="d",
                        what=f"delay until durable, {what}, at {per_s} verdicts/s",
                        value=value,
                        unit="ms",
                        beside=f"one write and fdatasync, {what}",
                        beside_value=limit,
                        ratio=value / limit,
                        note=f"{delays.commits_per_s:.0f} commits/s with verdicts; max {delays.max_ms:.1f} ms",
                    )
                )
        per_s_all, loop_us = asyncio.run(bench_journal.flat_out(Path(folder), count))
    syncs_per_s = 1000 / (sum(syncs_ms) / len(syncs_ms))
    rows.append(
        Figure(
            section="d",
            what="verdicts with their triggers, flat out",
            value=per_s_all,
            unit="/s",
            beside="one write and fdatasync each",
            beside_value=syncs_per_s,
            ratio=per_s_all / syncs_per_s,
            note=f"group commit; {loop_us:.1f} us of the event loop each",
        )
    )
    report.add("d", rows, "Journal at synchronous=FULL")


def _syncs(folder: Path) -> list[float]:
    took = []
    with (folder / "bare").open("wb", buffering=0) as file:
        for _ in range(300):
            begun = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - begun) * 1000)
    return took


def feed(report: Report, *, readers: tuple[int, ...], rates: tuple[int, ...], seconds: float) -> None:
    """Decision to reader; readers run in two processes, the journal and the server in this one."""
    rows = []
    for per_s in rates:
        alone = None
        for count in readers:
            times, delay_ms = asyncio.run(_streamed(count, per_s, seconds))
            told = [row[1] for row in times]
            alone = alone or median(told)
            rows.append(
                Figure(
                    section="d",
                    what=f"decided to heard, p50, {count} readers at {per_s} verdicts/s",
                    value=median(told),
                    unit="ms",
                    beside="decided to durable, p50",
                    beside_value=delay_ms,
                    ratio=median(told) / delay_ms,
                    note=f"p99 {percentile(told, 0.99):.2f}, max {max(told):.1f} ms; {len(told)} verdicts heard",
                )
            )
    report.add("d", rows, "Feed: real journal, feed and server, unix socket")


async def _streamed(readers: int, per_s: int, seconds: float) -> tuple[list[list[float]], float]:
    verdicts, delays_ns = int(per_s * seconds), list[int]()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder)
        journal = bench_journal.open_journal(path)
        the_feed = JournalFeed(journal)
        queries = JournalQueries(journal, path / "images")
        address = f"unix://{path / 's'}"
        server = InspectionServer(FakeStation(), the_feed, queries, ServeOptions(tcp="", unix=str(path / "s")))
        await server.start()
        split = [readers] if readers == 1 else [readers - readers // 2, readers // 2]
        with ExitStack() as stack:
            processes = [
                await asyncio.to_thread(stack.enter_context, reading(address, count, verdicts)) for count in split
            ]
            started, last = time.monotonic(), None
            for index in range(verdicts):
                ahead = started + index / per_s - time.monotonic()
                if ahead > 0:
                    await asyncio.sleep(ahead)
                last = _append(journal, delays_ns)
            assert last is not None
            await last
            answers = await asyncio.gather(*(asyncio.to_thread(process.communicate) for process in processes))
        await server.stop(1.0)
        await the_feed.close()
        await queries.close()
        await journal.close()
    return [row for answer, _ in answers for row in json.loads(answer)], median(delays_ns) / 1e6


def _append(journal: bench_journal.Journal, delays_ns: list[int]) -> asyncio.Future[None]:
    """One trigger and its verdict, as the station writes them."""
    now_ns, mono_ns, number = time.time_ns(), time.monotonic_ns(), journal.next_trigger_number
    trigger = Trigger(
        number=number,
        part_id=f"part-{number}",
        received_utc_ns=now_ns,
        received_mono_ns=mono_ns,
        due_mono_ns=mono_ns + 10**9,
    )
    verdict = Verdict(
        sequence=journal.next_sequence,
        boot_id="bench",
        line_id="bench",
        station_id="bench",
        trigger=trigger,
        part_id=trigger.part_id,
        judgement=Judgement(
            outcome=Outcome.PASS,
            reason=Reason.NONE,
            view_scores=(ViewScore(view="face", score=0.4, threshold=1.0),),
            models=(IDENTITY,),
            provider="cpu",
        ),
        captured_utc_ns=now_ns,
        decided_utc_ns=now_ns,
        decided_mono_ns=mono_ns,
        latency=Latency(),
        recipe=IDENTITY,
        calibration=IDENTITY,
        config_fingerprint="b" * 64,
        simulated=True,
    )
    journal.open_trigger(trigger)
    durable = journal.append(
        VerdictRecord(
            sequence=verdict.sequence,
            trigger_number=number,
            part_id=trigger.part_id,
            outcome=Outcome.PASS,
            reason=0,
            decided_utc_ns=now_ns,
            payload=encode_verdict(verdict),
        )
    )
    durable.add_done_callback(lambda _: delays_ns.append(time.monotonic_ns() - mono_ns))
    return durable
