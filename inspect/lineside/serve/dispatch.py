"""Turns the calls of the .proto into calls of `InspectionService`, and its errors into statuses.

Built from the service's descriptor, so that no call can be forgotten. Requests arrive as bytes and are parsed here:
bytes that are no such message are then the client's mistake (INVALID_ARGUMENT), not an internal error.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import grpc
import structlog
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from lineside.core.errors import InvalidRequest, LinesideError, Stalled, TooMany
from lineside.serve.statuses import error_metadata, status_details, status_of

__all__ = ["CallsInProgress", "generic_handler", "method_name"]

log = structlog.get_logger(__name__)

Context = grpc.aio.ServicerContext[bytes, bytes]


class CallsInProgress:
    """Counts the calls of all connections, and refuses beyond `limit`: gRPC's own limit would let them wait."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tasks: set[asyncio.Task[object]] = set()

    def admit(self) -> None:
        """Called first in each call, which has a task of its own and counts until that has ended. Raises: TooMany."""
        if len(self._tasks) >= self._limit:
            raise TooMany(
                f"{len(self._tasks)} calls are in progress",
                expected=f"at most {self._limit} at once, over all clients",
                remedy="end calls that nobody reads; then call again",
            )
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def ended(self, timeout_s: float) -> bool:
        """Waits until all that were admitted have ended, their clean-up included; False when some have not by then."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
        return not self._tasks


def generic_handler(
    service: ServiceDescriptor, implementation: object, *, stalled_after_s: float, calls: CallsInProgress
) -> Any:
    """A gRPC handler for every call of `service`.

    The implementation has a method for each, named in snake case and called with (request, peer): a coroutine function
    for one response, an async generator function for several; a stream of requests comes as an async iterator. A
    response is a message, or the bytes of one. A stream whose client takes nothing for `stalled_after_s` is cut off.
    """
    handlers = {
        method.name: _handler(method, getattr(implementation, method_name(method.name)), stalled_after_s, calls)
        for method in service.methods
    }
    return grpc.method_handlers_generic_handler(service.full_name, handlers)


def method_name(call: str) -> str:
    """StreamVerdicts -> stream_verdicts."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", call).lower()


def _handler(
    method: MethodDescriptor, implementation: Callable[..., Any], stalled_after_s: float, calls: CallsInProgress
) -> Any:
    request_type = GetMessageClass(method.input_type)

    async def answer(raw: bytes, context: Context) -> bytes:
        async with _counted(method.name, context, calls):
            return _as_bytes(await implementation(_parsed(request_type, raw), context.peer()))
        raise AssertionError("an aborted call does not come here")

    async def stream(raw: bytes, context: Context) -> None:
        async with _counted(method.name, context, calls):
            await _send(implementation(_parsed(request_type, raw), context.peer()), context, stalled_after_s)

    async def converse(raw_requests: AsyncIterator[bytes], context: Context) -> None:
        async with _counted(method.name, context, calls):
            requests = (_parsed(request_type, raw) async for raw in raw_requests)
            await _send(implementation(requests, context.peer()), context, stalled_after_s)

    if method.client_streaming and method.server_streaming:
        return grpc.stream_stream_rpc_method_handler(converse)
    if method.server_streaming:
        return grpc.unary_stream_rpc_method_handler(stream)
    if not method.client_streaming:
        return grpc.unary_unary_rpc_method_handler(answer)
    raise AssertionError(f"{method.name}: no call of the wire sends a stream and gets one answer")


async def _send(responses: AsyncGenerator[Message | bytes, None], context: Context, stalled_after_s: float) -> None:
    async with aclosing(responses):
        begun = False
        async for response in responses:
            if not begun:  # apart from the first message, whose sending may be given up half-way
                await context.send_initial_metadata(())
                begun = True
            try:
                async with asyncio.timeout(stalled_after_s):
                    await context.write(_as_bytes(response))
            except TimeoutError as error:
                raise Stalled(
                    f"the client took no message for {stalled_after_s:g} s",
                    expected="a client that reads what it asked for",
                    remedy="call again from the last sequence handled; do slow work outside the reading loop",
                ) from error


@asynccontextmanager
async def _counted(call: str, context: Context, calls: CallsInProgress) -> AsyncIterator[None]:
    async with _errors_as_statuses(call, context):
        calls.admit()
        yield


@asynccontextmanager
async def _errors_as_statuses(call: str, context: Context) -> AsyncIterator[None]:
    try:
        yield
    except LinesideError as error:
        failure = error
    except grpc.aio.BaseError:
        raise  # the call itself is over: nobody is left to be told
    except Exception as error:
        log.exception("a call failed unexpectedly", call=call, peer=context.peer())
        failure = LinesideError(
            f"{call} failed unexpectedly ({type(error).__name__})",
            remedy="see the station's log; this is a mistake in Lineside",
        )
        failure.__cause__ = error
    else:
        return
    try:
        await context.abort(status_of(failure), status_details(failure), error_metadata(failure))
    finally:
        del failure  # it holds this frame, which would hold it, and with both the request until the next collection


def _parsed(request_type: type[Message], raw: bytes) -> Message:
    try:
        return request_type.FromString(raw)
    except DecodeError as error:
        raise InvalidRequest(
            f"{len(raw)} bytes are no {request_type.DESCRIPTOR.name}",
            expected=f"a serialised {request_type.DESCRIPTOR.full_name}, with texts in UTF-8",
            remedy="generate the client from the same inspection.proto",
        ) from error


def _as_bytes(response: Message | bytes) -> bytes:
    return response if isinstance(response, bytes) else response.SerializeToString()
