"""Readers of a station's verdict stream, in a process of their own.

Run by the measurements as `python stream_reader.py ADDRESS READERS VERDICTS`: says "ready" when all are connected, and
at the end, for each verdict that a reader heard, its times in ms: trigger to heard, decided to heard, and the split.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from lineside.client.station_client import StationClient
from lineside.client.verdicts import VerdictReader

COLUMNS = ("heard", "told", "capture", "queue", "inspect", "infer", "decide", "inspected")


async def read(reader: VerdictReader, verdicts: int, rows: list[tuple[float, ...]]) -> None:
    async for verdict in reader:
        now_ns, latency = time.time_ns(), verdict.latency
        rows.append(
            (
                (now_ns - verdict.triggered_utc_ns) / 1e6,
                (now_ns - verdict.decided_utc_ns) / 1e6,
                latency.capture_ns / 1e6,
                latency.queue_ns / 1e6,
                latency.inspect_ns / 1e6,
                latency.infer_ns / 1e6,
                latency.decide_ns / 1e6,
                float(verdict.outcome != 3),
            )
        )
        verdicts -= 1
        if not verdicts:
            return


async def main() -> None:
    address, readers, verdicts = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    clients = [StationClient(address) for _ in range(readers)]
    rows: list[tuple[float, ...]] = []
    streams = [(await client.__aenter__()).verdicts() for client in clients]
    reading = [asyncio.create_task(read(stream, verdicts, rows)) for stream in streams]
    while not all(stream.connected for stream in streams):  # noqa: ASYNC110 - once, before anything is measured
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    await asyncio.gather(*reading)
    for stream, client in zip(streams, clients, strict=True):
        await stream.aclose()
        await client.__aexit__(None, None, None)
    json.dump(rows, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
