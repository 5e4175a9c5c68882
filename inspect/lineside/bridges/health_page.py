"""How a bridge is, for machines that watch machines: /health and /metrics (Prometheus text), by plain HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from lineside.core.errors import ConfigError

__all__ = ["HealthPage"]

_MAX_REQUEST_BYTES = 4096
_PATIENCE_S = 2.0


class HealthPage:
    """Answers 200 on /health while `healthy` is empty, else 503 and what it says; figures on /metrics."""

    def __init__(self, healthy: Callable[[], str], metrics: Callable[[], Mapping[str, int]]) -> None:
        self._healthy, self._metrics = healthy, metrics
        self._server: asyncio.Server | None = None

    async def start(self, address: str) -> int:
        """Listens on "host:port"; returns the port. Raises: ConfigError."""
        host, _, port = address.rpartition(":")
        try:
            self._server = await asyncio.start_server(self._serve, host.strip("[]"), int(port))
        except OSError as error:
            raise ConfigError(f"cannot listen on {address} ({error.strerror})", expected="a free port") from error
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Closes the port."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(TimeoutError, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                async with asyncio.timeout(_PATIENCE_S):
                    request = await reader.readuntil(b"\r\n\r\n")
                    words = request[:_MAX_REQUEST_BYTES].split(None, 2)
                    writer.write(self._answer(words[1].decode("ascii", "replace") if len(words) > 1 else ""))
                    await writer.drain()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def _answer(self, path: str) -> bytes:
        if path == "/metrics":
            text = "".join(f"lineside_bridge_{name} {value}\n" for name, value in self._metrics().items())
            status = "200 OK"
        elif path == "/health":
            trouble = self._healthy()
            status, text = ("503 Service Unavailable", trouble + "\n") if trouble else ("200 OK", "ready\n")
        else:
            status, text = "404 Not Found", "/health or /metrics\n"
        body = text.encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {len(body)}\r\n"
        return head.encode() + b"Connection: close\r\n\r\n" + body
