"""A failed call as an error of the house again."""

from __future__ import annotations

import grpc

from lineside.core import errors

__all__ = ["StationUnreachable", "error_of"]

_CLASS_OF = {
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequest,
    grpc.StatusCode.NOT_FOUND: errors.NotFound,
    grpc.StatusCode.ALREADY_EXISTS: errors.AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: errors.NotReady,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.TooLarge,
    grpc.StatusCode.OUT_OF_RANGE: errors.OutOfRange,
    grpc.StatusCode.ABORTED: errors.TakenOver,
    grpc.StatusCode.UNIMPLEMENTED: errors.NotOffered,
    grpc.StatusCode.DATA_LOSS: errors.FrameError,
}
"""For statuses that came from gRPC itself, or from something between, and do not name their error."""


class StationUnreachable(errors.StationFault):
    """No answer: the station is not there, stopped, or hangs."""


def error_of(failure: grpc.aio.AioRpcError, address: str) -> errors.LinesideError:
    """The error that the station named in the trailing metadata, or else the one nearest to the status."""
    named = {key: value for key, value in failure.trailing_metadata() or () if key.startswith("lineside-")}
    kind = getattr(errors, str(named.get("lineside-error")), None)
    if isinstance(kind, type) and issubclass(kind, errors.LinesideError):
        what, expected, remedy = (
            _text(named.get(f"lineside-{part}-bin", b"")) for part in ("what", "expected", "remedy")
        )
        return kind(what, expected=expected, remedy=remedy)
    status, details = failure.code(), failure.details() or ""
    if status in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED):
        return StationUnreachable(
            f"no answer from the station at {address} ({status.name}: {details})",
            remedy="start it, or give its address",
        )
    return _CLASS_OF.get(status, errors.LinesideError)(f"{status.name}: {details}")


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")
