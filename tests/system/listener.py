"""A reader in a process of its own that writes down every byte it hears, to be held against the journal afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lineside.client import StationClient
from lineside.journal.audit import audit
from lineside.wire.v1 import inspection_pb2 as pb

__all__ = ["Heard", "Listener", "listening", "payloads_of", "violations"]


@dataclass(frozen=True, slots=True)
class Heard:
    """One verdict as it was heard. `late`: the station said that it came too late for the line."""

    late: bool
    heard_utc_ns: int
    payload: bytes
    verdict: pb.Verdict


class Listener:
    """The process. It begins at the first verdict there is and goes on over every restart of the station."""

    def __init__(self, address: str, file: Path) -> None:
        self._file = file
        file.touch()
        environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        command = [sys.executable, __file__, address, str(file)]
        with file.with_suffix(".log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def heard(self) -> list[Heard]:
        """All that was heard until now, in order."""
        lines = self._file.read_text().rpartition("\n")[0].splitlines()
        return [_heard(line) for line in lines]

    @property
    def count(self) -> int:
        """How many verdicts that is."""
        return self._file.read_bytes().count(b"\n")

    def wait_for(self, count: int, timeout_s: float = 60.0) -> list[Heard]:
        """Waits until so many were heard."""
        deadline = time.monotonic() + timeout_s
        while self.count < count:
            assert self.process.poll() is None, "the listener ended: " + self._file.with_suffix(".log").read_text()
            assert time.monotonic() < deadline, f"heard {self.count} of {count} verdicts in {timeout_s} s"
            time.sleep(0.02)
        return self.heard()

    def stop(self) -> None:
        """Ends the process, frozen or not."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def listening(address: str, file: Path) -> Iterator[Listener]:
    """A listener for as long as it is needed."""
    listener = Listener(address, file)
    try:
        yield listener
    finally:
        listener.stop()


def _heard(line: str) -> Heard:
    late, heard_utc_ns, payload = line.split()
    data = bytes.fromhex(payload)
    return Heard(late == "1", int(heard_utc_ns), data, pb.Verdict.FromString(data))


def payloads_of(data_dir: Path) -> list[bytes]:
    """The verdicts of a journal in order, as they were serialised."""
    connection = sqlite3.connect(f"{(data_dir / 'journal.sqlite').as_uri()}?mode=ro", uri=True)
    try:
        return [row[0] for row in connection.execute("SELECT payload FROM verdicts ORDER BY sequence")]
    finally:
        connection.close()


def violations(heard: list[Heard], data_dir: Path) -> list[str]:
    """Every promise that does not hold between what was told and what is on record, of a station that has ended."""
    found = [f"{problem.check}: {problem.what}" for problem in audit(data_dir).problems]
    recorded = payloads_of(data_dir)
    numbers = [told.verdict.sequence for told in heard]
    if numbers != list(range(1, len(numbers) + 1)):
        found.append("verdicts were not told each once and in order")
    for told in heard:
        sequence = told.verdict.sequence
        if sequence > len(recorded):
            found.append(f"verdict {sequence} was told and is not on record")
        elif told.payload != recorded[sequence - 1]:
            found.append(f"verdict {sequence} is another one on record than the one told")
    for payload in recorded:
        verdict = pb.Verdict.FromString(payload)
        if verdict.slack_ns < 0 and verdict.outcome != pb.OUTCOME_NOT_INSPECTED:
            found.append(f"verdict {verdict.sequence} was decided after its due time")
    return found


async def _listen(address: str, file: Path) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND)
    async with StationClient(address) as client, client.verdicts(after_sequence=0, heartbeat_ms=200) as reader:
        async for verdict in reader:
            payload = verdict.SerializeToString(deterministic=True).hex()
            os.write(descriptor, f"{int(reader.late)} {time.time_ns()} {payload}\n".encode())


if __name__ == "__main__":
    asyncio.run(_listen(sys.argv[1], Path(sys.argv[2])))
