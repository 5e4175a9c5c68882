"""The standard gRPC health service, tied to Ready: for "" and for the station's id."""

from __future__ import annotations

import asyncio

import structlog
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio

from lineside.core.ports import StationControl

__all__ = ["StationHealth"]

log = structlog.get_logger(__name__)

_POLL_S = 0.1


class StationHealth:
    """Follows `control.status().ready` ten times a second, so that the station need not know who asks."""

    def __init__(self, control: StationControl) -> None:
        self.servicer = health_aio.HealthServicer()
        self._control = control
        self._names = ("", control.status().station_id)

    async def update(self) -> None:
        """Publishes what the station says now. A station that cannot even say is not serving."""
        try:
            ready = self._control.status().ready
        except Exception:
            log.exception("the station cannot tell its status")
            ready = False
        status = health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in self._names:
            await self.servicer.set(name, status)

    async def follow(self) -> None:
        """Keeps the health up to date until cancelled."""
        while True:
            await self.update()
            await asyncio.sleep(_POLL_S)

    async def stop(self) -> None:
        """Not serving, for good."""
        await self.servicer.enter_graceful_shutdown()
