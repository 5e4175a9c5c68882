"""Everything that can go wrong, as a tree. Each class is one plain sentence; `core` knows no status codes.

::

    LinesideError
    ├── ConfigError                 what was declared is wrong or does not hold: refuse to start
    │   ├── PackageError            a model package is damaged or does not reproduce its reference answers
    │   └── ProviderError           the declared execution provider does not run the graph
    ├── InspectionError             one part could not be judged: NOT_INSPECTED, and the station goes on
    │   ├── FrameError              the pixels are damaged, or not what was declared
    │   ├── NotLocated              the part could not be found in the frame
    │   └── ModelError              the model answered with NaN, a wrong shape or a wrong type
    ├── StationFault                no part can be judged: the station is not Ready and tries to recover
    │   ├── CameraLost              the camera is gone or no longer answers
    │   ├── InspectorLost           the inspector process died, hung or could not be started
    │   └── JournalFault            verdicts can no longer be made durable
    ├── ReinspectionError           a re-inspection cannot go on
    └── RequestError                a client asked wrongly
        ├── InvalidRequest          an argument is malformed or contradicts what was declared
        ├── NotFound                the thing asked for does not exist, or no longer
        ├── AlreadyExists           the name is taken
        ├── NotReady                the station cannot do this in its present state
        ├── TooLarge                the message, image or page is larger than the stated limit
        ├── TooMany                 more of them than the station admits
        ├── OutOfRange              the number asked for is beyond what there is
        ├── TakenOver               a newer call under the same name took this one's place
        ├── Stalled                 the client took or acknowledged nothing for too long, and was cut off
        └── NotOffered              this station does not offer the call

A message has three parts: what happened (with values and units), what was expected, what to do.
"""

from lineside.core.reason import Reason

__all__ = [
    "AlreadyExists",
    "CameraLost",
    "ConfigError",
    "FrameError",
    "InspectionError",
    "InspectorLost",
    "InvalidRequest",
    "JournalFault",
    "LinesideError",
    "ModelError",
    "NotFound",
    "NotLocated",
    "NotOffered",
    "NotReady",
    "OutOfRange",
    "PackageError",
    "ProviderError",
    "ReinspectionError",
    "RequestError",
    "Stalled",
    "StationFault",
    "TakenOver",
    "TooLarge",
    "TooMany",
]


class LinesideError(Exception):
    """Base of every error that Lineside raises on purpose.

    `what` says what happened, `expected` what should have been, `remedy` what to do about it. `str()` joins the three.
    """

    def __init__(self, what: str, *, expected: str = "", remedy: str = "") -> None:
        super().__init__("; ".join(part for part in (what, expected and f"expected {expected}", remedy) if part))
        self.what = what
        self.expected = expected
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        # Errors travel from child processes: rebuild them from the three parts, not from the joined text.
        return (_rebuild, (type(self), self.what, self.expected, self.remedy, self.__dict__))


def _rebuild(
    kind: type[LinesideError], what: str, expected: str, remedy: str, state: dict[str, object]
) -> LinesideError:
    error = kind(what, expected=expected, remedy=remedy)
    error.__dict__.update(state)
    return error


class ConfigError(LinesideError):
    """What was declared is wrong or does not hold: refuse to start."""


class PackageError(ConfigError):
    """A model package is damaged or does not reproduce its reference answers."""


class ProviderError(ConfigError):
    """The declared execution provider does not run the graph."""


class InspectionError(LinesideError):
    """One part could not be judged: NOT_INSPECTED, and the station goes on."""

    reason: Reason = Reason.MODEL_ERROR


class FrameError(InspectionError):
    """The pixels are damaged, or not what was declared."""

    reason = Reason.FRAME_DAMAGED


class NotLocated(InspectionError):
    """The part could not be found in the frame."""

    reason = Reason.AMBIGUOUS


class ModelError(InspectionError):
    """The model answered with NaN, a wrong shape or a wrong type."""

    reason = Reason.MODEL_ERROR


class StationFault(LinesideError):
    """No part can be judged: the station is not Ready and tries to recover."""


class CameraLost(StationFault):
    """The camera is gone or no longer answers."""


class InspectorLost(StationFault):
    """The inspector process died, hung or could not be started."""


class JournalFault(StationFault):
    """Verdicts can no longer be made durable."""


class ReinspectionError(LinesideError):
    """A re-inspection cannot go on."""


class RequestError(LinesideError):
    """A client asked wrongly."""


class InvalidRequest(RequestError):
    """An argument is malformed or contradicts what was declared."""


class NotFound(RequestError):
    """The thing asked for does not exist, or no longer."""


class AlreadyExists(RequestError):
    """The name is taken."""


class NotReady(RequestError):
    """The station cannot do this in its present state."""


class TooLarge(RequestError):
    """The message, image or page is larger than the stated limit."""


class TooMany(RequestError):
    """More of them than the station admits."""


class OutOfRange(RequestError):
    """The number asked for is beyond what there is."""


class TakenOver(RequestError):
    """A newer call under the same name took this one's place."""


class Stalled(RequestError):
    """The client took or acknowledged nothing for too long, and was cut off."""


class NotOffered(RequestError):
    """This station does not offer the call."""
