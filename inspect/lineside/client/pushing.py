"""Frames out, answers in, on one call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable

import grpc

from lineside.client.errors import error_of
from lineside.wire.v1 import inspection_pb2 as pb

__all__ = ["push"]

Call = grpc.aio.StreamStreamCall[pb.PushFramesRequest, pb.PushFramesResponse]


async def push(
    call: Call, frames: AsyncIterable[pb.PushFramesRequest], address: str
) -> AsyncGenerator[pb.PushFramesResponse, None]:
    """Sends `frames` and gives back the answers as they come. What `frames` raises ends the call and is raised here."""
    # Sent by a task of our own: gRPC's own goes on waiting for the next frame after the call has ended.
    sending = asyncio.create_task(_send(call, frames), name="push frames")
    try:
        while isinstance(answer := await call.read(), pb.PushFramesResponse):
            yield answer
    except grpc.aio.AioRpcError as error:
        raise error_of(error, address) from error
    except asyncio.CancelledError:
        if sending.done() and not sending.cancelled():
            sending.result()
        raise
    finally:
        call.cancel()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _send(call: Call, frames: AsyncIterable[pb.PushFramesRequest]) -> None:
    try:
        async for frame in frames:
            await call.write(frame)
        await call.done_writing()
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        return  # the call has ended: the answers say why
    except Exception:
        call.cancel()
        raise
