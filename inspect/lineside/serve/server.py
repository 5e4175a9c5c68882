"""The gRPC server of one station: addresses, keepalive, health, reflection, and an orderly end."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import grpc
import structlog
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from lineside.core.errors import ConfigError, StationFault
from lineside.core.ports import JournalReader, StationControl, VerdictFeed
from lineside.serve.dispatch import CallsInProgress, generic_handler
from lineside.serve.health import StationHealth
from lineside.serve.options import ServeOptions
from lineside.serve.readers import Readers
from lineside.serve.service import InspectionService
from lineside.serve.unix_socket import UnixSocketPath
from lineside.wire.v1 import inspection_pb2 as pb

__all__ = ["InspectionServer"]

log = structlog.get_logger(__name__)

_SERVICE = pb.DESCRIPTOR.services_by_name["Inspection"]


class InspectionServer:
    """Serves one station on TCP, a unix socket or both. Lives on the station's event loop and never blocks it.

    `start` and `stop` are called once each.
    """

    def __init__(
        self, control: StationControl, feed: VerdictFeed, reader: JournalReader, options: ServeOptions
    ) -> None:
        self._options = options
        self._calls = CallsInProgress(options.max_calls)
        self._readers = Readers(options.max_readers)
        self._service = InspectionService(control, feed, reader, self._readers, options)
        self._health = StationHealth(control)
        self._unix = UnixSocketPath(Path(options.unix)) if options.unix else None
        self._server: grpc.aio.Server | None = None
        self._following: asyncio.Task[None] | None = None
        self._addresses: tuple[str, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where clients reach the server, as a client is told it; empty before `start`."""
        return self._addresses

    async def start(self) -> None:
        """Binds and serves. Raises: ConfigError when an address is taken or cannot be bound; nothing is left then."""
        options = self._options
        # Calls of health and reflection are not ours to count: gRPC refuses what comes on top of as many of these.
        server = grpc.aio.server(options=_channel_arguments(options), maximum_concurrent_rpcs=2 * options.max_calls)
        server.add_generic_rpc_handlers(
            (
                generic_handler(
                    _SERVICE,
                    self._service,
                    stalled_after_s=options.stalled_after_s,
                    calls=self._calls,
                ),
            )
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health.servicer, server)
        reflection.enable_server_reflection(
            (_SERVICE.full_name, "grpc.health.v1.Health", reflection.SERVICE_NAME), server
        )
        await self._health.update()
        addresses = self._bound(server)
        starting = asyncio.create_task(server.start())
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:  # the station is told to stop: gRPC's own start must not be broken off half-way
            await starting
            await server.stop(None)
            self._release()
            raise
        self._server = server
        self._addresses = addresses
        self._following = asyncio.create_task(self._health.follow(), name="health")
        log.info("serving", addresses=self._addresses)

    def _bound(self, server: grpc.aio.Server) -> tuple[str, ...]:
        addresses = []
        if self._options.tcp:
            host = self._options.tcp.rpartition(":")[0]
            addresses.append(f"{host}:{_bind(server, self._options.tcp)}")
        if self._unix is not None:
            name = self._unix.claim()
            _bind(server, name)
            self._unix.restrict()
            addresses.append(name)
        if not addresses:
            raise ConfigError("the server has no address", expected="[serve] tcp, unix or both")
        return tuple(addresses)

    async def stop(self, grace_s: float) -> None:
        """Refuses new calls, sends readers what there is, answers what is in flight, for at most `grace_s`."""
        if self._server is None or self._following is None:
            return
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)
        await self._health.stop()
        stopping = partial(StationFault, "the station stops", remedy="call again: it may come back")
        self._readers.end_all(stopping)
        self._service.pushed_frames.stop(stopping)
        await self._server.stop(grace_s)
        # For gRPC a call is over when its client has been told: what answers it may still be at work.
        if not await self._calls.ended(grace_s):
            log.error("calls did not end", limit_s=grace_s)
        self._release()
        self._server = None
        log.info("no longer serving", addresses=self._addresses)

    def _release(self) -> None:
        if self._unix is not None:
            self._unix.release()


def _bind(server: grpc.aio.Server, address: str) -> int:
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise ConfigError(
            f"cannot listen on {address} ({error})",
            expected="a free address of this machine",
            remedy="stop what listens there (another station?), or change [serve] in the station file",
        ) from error
    return port


def _channel_arguments(options: ServeOptions) -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", 0),  # on by default: a second station would share the port instead of failing to bind
        ("grpc.max_receive_message_length", options.max_message_bytes),
        ("grpc.max_send_message_length", -1),  # what we send is bounded where it is made
        ("grpc.max_concurrent_streams", 256),
        # A half-open connection: silent for ping_after_ms, then ping_timeout_ms without an answer. Without the last
        # one the timeout of HTTP/2 pings stays at one minute whatever the keepalive timeout says (measured).
        ("grpc.keepalive_time_ms", options.ping_after_ms),
        ("grpc.keepalive_timeout_ms", options.ping_timeout_ms),
        ("grpc.http2.ping_timeout_ms", options.ping_timeout_ms),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        # Clients may ping as often as we do, and not be punished for it.
        ("grpc.http2.min_ping_interval_without_data_ms", 100),
        ("grpc.http2.max_ping_strikes", 0),
    ]
