"""Every error of the house as a gRPC status; the only place that knows both."""

from __future__ import annotations

import grpc

from lineside.core import errors

__all__ = ["ERROR_KEYS", "STATUS_OF", "ArchivedImageDamaged", "error_metadata", "status_details", "status_of"]

_MAX_DETAIL_CHARS = 1000  # status and metadata travel in HTTP/2 headers, where clients admit 8 KB


class ArchivedImageDamaged(errors.FrameError):
    """The archive's own bytes no longer match their checksum."""


STATUS_OF: dict[type[errors.LinesideError], grpc.StatusCode] = {
    errors.LinesideError: grpc.StatusCode.INTERNAL,
    # What was declared for the station does not hold: met when a recipe is changed at run time.
    errors.ConfigError: grpc.StatusCode.FAILED_PRECONDITION,
    errors.PackageError: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ProviderError: grpc.StatusCode.FAILED_PRECONDITION,
    # One part: a verdict says so in-band; only images that a client sent or asked for end here.
    errors.InspectionError: grpc.StatusCode.INTERNAL,
    errors.FrameError: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotLocated: grpc.StatusCode.INTERNAL,
    errors.ModelError: grpc.StatusCode.INTERNAL,
    ArchivedImageDamaged: grpc.StatusCode.DATA_LOSS,
    errors.StationFault: grpc.StatusCode.UNAVAILABLE,
    errors.CameraLost: grpc.StatusCode.UNAVAILABLE,
    errors.InspectorLost: grpc.StatusCode.UNAVAILABLE,
    errors.JournalFault: grpc.StatusCode.UNAVAILABLE,
    errors.ReinspectionError: grpc.StatusCode.INTERNAL,  # met by no server: re-inspection serves nothing
    errors.RequestError: grpc.StatusCode.INVALID_ARGUMENT,
    errors.InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.NotReady: grpc.StatusCode.FAILED_PRECONDITION,
    errors.TooLarge: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.TooMany: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.OutOfRange: grpc.StatusCode.OUT_OF_RANGE,
    errors.TakenOver: grpc.StatusCode.ABORTED,
    errors.Stalled: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.NotOffered: grpc.StatusCode.UNIMPLEMENTED,
}

ERROR_KEYS = ("lineside-error", "lineside-what-bin", "lineside-expected-bin", "lineside-remedy-bin")
"""Trailing metadata of a failed call: the error's class, and its message in three parts (UTF-8)."""


def status_of(error: errors.LinesideError) -> grpc.StatusCode:
    """The status of an error; a class from outside the house (a plug-in's) has that of its nearest known base."""
    return next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)


def error_metadata(error: errors.LinesideError) -> tuple[tuple[str, str | bytes], ...]:
    """The error's class and three parts as trailing metadata, each part cut to a size that headers can hold."""
    kind, what, expected, remedy = ERROR_KEYS
    return (
        (kind, type(error).__name__),
        (what, _cut(error.what).encode("utf-8", "backslashreplace")),
        (expected, _cut(error.expected).encode("utf-8", "backslashreplace")),
        (remedy, _cut(error.remedy).encode("utf-8", "backslashreplace")),
    )


def status_details(error: errors.LinesideError) -> str:
    """The three-part message as the text of a status."""
    return _cut(str(error)).encode("utf-8", "backslashreplace").decode()


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_DETAIL_CHARS else text[:_MAX_DETAIL_CHARS] + "…"
