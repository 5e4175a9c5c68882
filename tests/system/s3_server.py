"""A real S3 server on the loopback address, as a process that can be killed."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["free_port", "s3_server"]

READY_S = 60.0
"""How long the server may take to start on a busy machine."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@contextmanager
def s3_server(log: Path, port: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Its endpoint and its process; there is nothing in it, and what is put there is gone with it."""
    with (
        log.open("ab") as output,
        subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=output, stderr=output
        ) as process,
    ):
        endpoint = f"http://127.0.0.1:{port}"
        try:
            _wait_until_ready(endpoint, process, log)
            yield endpoint, process
        finally:
            process.kill()


def _wait_until_ready(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{endpoint}/moto-api/"):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    pytest.fail(f"the S3 server does not answer: {log.read_text()}")
