"""Nodes of a real Ray cluster on this machine, each with a loopback address of its own, started as a person would."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import psutil
import pytest

STORE_BYTES = 80_000_000  # Ray's smallest is 75 MiB
PATIENCE_S = 40.0


@pytest.fixture(scope="module")
def ray_to_itself() -> Iterator[None]:
    """For test modules that start clusters and run beside others: two on one machine take each other's ports.

    Import it where it is wanted. Its wait counts as the module's first test's, so that needs a longer timeout.
    """
    with Path(__file__).open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class RayNodes:
    """`address` is the head's: on a loopback address, without a token, so that any process may come and go."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._nodes: list[subprocess.Popen[bytes]] = []
        self.address = f"127.0.0.2:{_free_port('127.0.0.2')}"
        self._environment = {
            "RAY_TMPDIR": str(folder),
            "RAY_AUTH_MODE": "disabled",
            "RAY_USAGE_STATS_ENABLED": "0",
        }

    def start_head(self, *, processors: int = 1) -> None:
        port = self.address.rpartition(":")[2]
        self._start("127.0.0.2", processors, "--head", f"--port={port}", "--include-dashboard=false")

    def add(self, *, processors: int = 1, environment: Mapping[str, str] | None = None) -> None:
        """One more node, on the next address."""
        ip = f"127.0.0.{2 + len(self._nodes)}"
        self._start(ip, processors, f"--address={self.address}", environment=environment or {})

    def lose_last(self) -> None:
        """All processes of the newest node die at once, as when its plug is pulled."""
        _kill(self._nodes.pop())

    def stop(self) -> None:
        while self._nodes:
            self.lose_last()

    def __len__(self) -> int:
        return len(self._nodes)

    def _start(
        self, ip: str, processors: int, *words: str, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        (self._folder / "ray").mkdir(exist_ok=True)  # where Ray notes its newest cluster
        temporary = [f"--temp-dir={self._folder / 'ray'}"] if "--head" in words else []
        log = self._folder / f"{ip}.log"
        with log.open("wb") as output:
            node = subprocess.Popen(
                [
                    *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block"),
                    *(f"--node-ip-address={ip}", f"--num-cpus={processors}", f"--object-store-memory={STORE_BYTES}"),
                    *(*words, *temporary),
                ],
                env={**os.environ, **self._environment, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._nodes.append(node)
        deadline = time.monotonic() + PATIENCE_S
        while b"Ray runtime started" not in log.read_bytes():
            assert node.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)


@contextlib.contextmanager
def ray_nodes() -> Iterator[RayNodes]:
    """No node yet. All are gone at the end, and so is their folder; its path is short, for it holds sockets."""
    folder = Path(tempfile.mkdtemp(prefix="rn", dir="/tmp"))
    nodes = RayNodes(folder)
    try:
        yield nodes
    finally:
        nodes.stop()
        shutil.rmtree(folder)


def _kill(node: subprocess.Popen[bytes]) -> None:
    processes = [psutil.Process(node.pid), *psutil.Process(node.pid).children(recursive=True)]
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=PATIENCE_S)
    node.wait()


def _free_port(ip: str) -> int:
    with socket.socket() as taken:
        taken.bind((ip, 0))
        port: int = taken.getsockname()[1]
        return port
