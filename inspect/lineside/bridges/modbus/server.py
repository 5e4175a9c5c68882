"""Modbus TCP, strictly: what is not exactly a request that this server knows gets an exception or is cut off.

The PDUs are pymodbus's; the frames around them are taken apart here. pymodbus's own server answers one request per
TCP segment, forgets those behind it, and goes on reading in the middle of a damaged stream: on a line that would be a
lost acknowledge, or a bit that nobody set.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections.abc import Collection, Sequence
from typing import Protocol

import structlog
from pymodbus.constants import ExcCodes
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.pdu import register_message as pdus

from lineside.core.errors import ConfigError

__all__ = ["ModbusServer", "Registers"]

_log = structlog.get_logger(__name__)

_HEADER = struct.Struct(">HHHB")
"""Transaction, protocol (always 0), bytes that follow the length field, unit: Modbus Messaging on TCP/IP, 3.1.3."""

_MIN_LENGTH, _MAX_LENGTH = 2, 254
_READ = (pdus.ReadHoldingRegistersRequest, pdus.ReadInputRegistersRequest)
_FUNCTIONS = (3, 4, 6, 16, 23)

logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # it logs a line per odd frame: here they are counted


class Registers(Protocol):
    """What the server serves. Each call is one moment: no other request comes between."""

    def check(self, address: int, count: int) -> None:
        """Raises: IndexError where not all of these words can be read."""
        ...

    def read(self, address: int, count: int) -> Sequence[int]:
        """`count` words from `address`. Raises: IndexError beyond the map."""
        ...

    def write(self, address: int, words: Sequence[int]) -> None:
        """Raises: IndexError where a word is not the PLC's to write."""
        ...


class ModbusServer:
    """Listens for as long as it is open; one of these per bridge.

    `writers` are the addresses that may write; empty: all. One connection more than `max_connections` takes the place
    of the one that has been silent longest, if that is `idle_s` and more: a PLC that lost its power never says goodbye.
    Else it is closed at once.
    """

    def __init__(
        self,
        registers: Registers,
        *,
        unit_id: int,
        max_connections: int = 8,
        writers: Collection[str] = (),
        idle_s: float = 10.0,
    ) -> None:
        self.registers = registers
        self.unit_id = unit_id
        self.writers = frozenset(writers)
        self.requests = 0
        self.refused = 0
        self._max_connections = max_connections
        self._idle_s = idle_s
        self._open: dict[asyncio.Transport, float] = {}  # when each was last heard, monotonic
        self._server: asyncio.Server | None = None
        self._decoder = DecodePDU(True)

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    async def start(self, host: str, port: int) -> int:
        """Listens; returns the port, which the system chooses where 0 is asked for. Raises: ConfigError."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Connection(self), host, port)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {host}:{port} ({error.strerror})",
                expected="an address of this machine and a free port; ports below 1024 need a privilege",
            ) from error
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Closes the port and all connections."""
        if self._server is not None:
            self._server.close()
        for transport in tuple(self._open):
            transport.abort()
        if self._server is not None:
            await self._server.wait_closed()

    def admit(self, transport: asyncio.Transport) -> bool:
        """Whether there is room for one more connection."""
        now, peer = time.monotonic(), transport.get_extra_info("peername")
        if len(self._open) >= self._max_connections:
            silent = min(self._open, key=lambda each: self._open[each])
            if now - self._open[silent] < self._idle_s:
                _log.warning("connection refused", peer=peer, open=len(self._open))
                return False
            _log.warning("silent connection closed for a new one", peer=silent.get_extra_info("peername"))
            del self._open[silent]
            silent.abort()
        self._open[transport] = now
        _log.info("connection opened", peer=peer, open=len(self._open))
        return True

    def heard(self, transport: asyncio.Transport) -> None:
        """The connection lives."""
        if transport in self._open:
            self._open[transport] = time.monotonic()

    def leave(self, transport: asyncio.Transport) -> None:
        """The connection is closed."""
        self._open.pop(transport, None)
        _log.info("connection closed", open=len(self._open))

    def answer(self, body: bytes, *, may_write: bool) -> bytes:
        """The response PDU to a request PDU of at least one byte."""
        self.requests += 1
        try:
            request = self._request(body)
            if not isinstance(request, _READ) and not may_write:
                raise _Refused(ExcCodes.ILLEGAL_FUNCTION)
            response = self._carry_out(request)
        except _Refused as refused:
            self.refused += 1
            response = ExceptionResponse(body[0] & 0x7F, refused.code)
        except IndexError:
            self.refused += 1
            response = ExceptionResponse(body[0], ExcCodes.ILLEGAL_ADDRESS)
        return bytes([response.function_code]) + response.encode()

    def _request(self, body: bytes) -> ModbusPDU:
        if body[0] not in _FUNCTIONS:
            raise _Refused(ExcCodes.ILLEGAL_FUNCTION)
        request = self._decoder.decode(body)
        if request is None or not _is_exact(request, body):
            raise _Refused(ExcCodes.ILLEGAL_VALUE)
        return request

    def _carry_out(self, request: ModbusPDU) -> ModbusPDU:
        registers = self.registers
        match request:
            case pdus.ReadHoldingRegistersRequest():  # and input registers, its subclass
                words = list(registers.read(request.address, request.count))
                if isinstance(request, pdus.ReadInputRegistersRequest):
                    return pdus.ReadInputRegistersResponse(registers=words)
                return pdus.ReadHoldingRegistersResponse(registers=words)
            case pdus.WriteSingleRegisterRequest():
                registers.write(request.address, request.registers)
                return pdus.WriteSingleRegisterResponse(address=request.address, registers=request.registers)
            case pdus.WriteMultipleRegistersRequest():
                registers.write(request.address, request.registers)
                return pdus.WriteMultipleRegistersResponse(address=request.address, count=request.count)
            case pdus.ReadWriteMultipleRegistersRequest():
                registers.check(request.read_address, request.read_count)  # before anything is written
                registers.write(request.write_address, request.write_registers)
                words = list(registers.read(request.read_address, request.read_count))
                return pdus.ReadWriteMultipleRegistersResponse(registers=words)
        raise AssertionError(request)


def _is_exact(request: ModbusPDU, body: bytes) -> bool:
    """What does not encode to the same bytes again was not a request: pymodbus overlooks missing and surplus ones."""
    match request:
        case pdus.WriteMultipleRegistersRequest():
            said, got = request.count, request.registers
        case pdus.ReadWriteMultipleRegistersRequest():
            said, got = request.write_count, list(request.write_registers)
        case _:
            said, got = 1, [0]
    try:
        return 0 < said == len(got) and body[:1] + request.encode() == body
    except (ValueError, struct.error, ModbusException):
        return False


class _Refused(Exception):
    """Answered with this exception code."""

    def __init__(self, code: ExcCodes) -> None:
        super().__init__(code)
        self.code = code


class _Connection(asyncio.Protocol):
    """One client: whole frames in, answers out, in order. A stream that is not Modbus is cut off."""

    def __init__(self, server: ModbusServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._may_write = False
        self._admitted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._admitted = self._server.admit(transport)
        if not self._admitted:
            transport.abort()
            return
        peer = transport.get_extra_info("peername")
        self._may_write = not self._server.writers or peer[0] in self._server.writers

    def connection_lost(self, _: Exception | None) -> None:
        if self._transport is not None and self._admitted:
            self._server.leave(self._transport)

    def pause_writing(self) -> None:
        """The client takes no answers: it gets no more questions read."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._server.heard(self._transport)
        self._received += data
        while len(self._received) >= _HEADER.size:
            transaction, protocol, length, unit = _HEADER.unpack_from(self._received)
            if protocol != 0 or not _MIN_LENGTH <= length <= _MAX_LENGTH:
                self._server.refused += 1
                self._transport.abort()  # where the next frame begins nobody can say
                return
            end = _HEADER.size - 1 + length
            if len(self._received) < end:
                return
            body = bytes(self._received[_HEADER.size : end])
            del self._received[:end]
            self._answer(transaction, unit, body)

    def _answer(self, transaction: int, unit: int, body: bytes) -> None:
        assert self._transport is not None
        if unit not in (self._server.unit_id, 0, 0xFF):  # 0 and 255 mean "you" on TCP
            self._server.refused += 1
            response = bytes([body[0] | 0x80, ExcCodes.GATEWAY_NO_RESPONSE])
        else:
            response = self._server.answer(body, may_write=self._may_write)
        self._transport.write(_HEADER.pack(transaction, 0, len(response) + 1, unit) + response)
