"""The Modbus bridge: a station side, a register image and a server, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict

from lineside.bridges.health_page import HealthPage
from lineside.bridges.modbus.bridge_file import ModbusBridgeFile
from lineside.bridges.modbus.profiles import PROFILES, LinkCounts
from lineside.bridges.modbus.register_image import RegisterImage
from lineside.bridges.modbus.server import ModbusServer
from lineside.bridges.plc import FaultCode
from lineside.bridges.state_file import StateFile
from lineside.bridges.station_side import StationSide, open_station_side

__all__ = ["ModbusBridge", "open_modbus_bridge"]


class ModbusBridge:
    """One bridge at work."""

    def __init__(self, file: ModbusBridgeFile, side: StationSide) -> None:
        self.side = side
        image = RegisterImage(
            PROFILES[file.profile],
            file.word_order,
            plc_wrote=side.write,
            display=side.display,
            link=self.link,
        )
        self.server = ModbusServer(
            image, unit_id=file.unit_id, max_connections=file.max_connections, writers=file.writers
        )
        self.port = 0
        self.health_port = 0

    def link(self) -> LinkCounts:
        """What the server counts."""
        server = self.server
        return LinkCounts(
            requests=server.requests,
            refused_requests=server.refused,
            connections=server.connections,
            unreported=self.side.unreported,
        )

    def trouble(self) -> str:
        """Why no trigger could be taken now, as far as it is not the PLC's own choice; empty when all is well."""
        code = FaultCode(self.side.display().fault_code)
        return code.sentence if code < FaultCode.TRIGGER_NOT_READY and code else ""

    def metrics(self) -> dict[str, int]:
        """All that is shown to the PLC, and the link's own counts."""
        return {name: int(value) for name, value in (asdict(self.side.display()) | asdict(self.link())).items()}


@asynccontextmanager
async def open_modbus_bridge(file: ModbusBridgeFile) -> AsyncIterator[ModbusBridge]:
    """A bridge, serving for as long as the context lasts. Raises: ConfigError when a port is not to be had."""
    state = StateFile(file.state_file)
    async with AsyncExitStack() as open_until_the_end:
        side = await open_until_the_end.enter_async_context(
            open_station_side(file.station, file.handshake, file.numbering, state)
        )
        bridge = ModbusBridge(file, side)
        open_until_the_end.push_async_callback(bridge.server.stop)
        bridge.port = await bridge.server.start(file.host, file.port)
        if file.health is not None:
            page = HealthPage(bridge.trouble, bridge.metrics)
            open_until_the_end.push_async_callback(page.stop)
            bridge.health_port = await page.start(file.health)
        yield bridge
