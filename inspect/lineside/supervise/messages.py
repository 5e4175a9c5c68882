"""What the station and its children say to each other. Pixels never travel here, only where they lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lineside.core.errors import LinesideError
from lineside.core.frame import MissedFrame
from lineside.core.identity import Identity
from lineside.core.pixel_format import PixelFormat
from lineside.core.ports import CameraReport
from lineside.core.record import ImageRecord, StationEvent
from lineside.core.verdict import Judgement, Outcome
from lineside.supervise.frame_pool import FrameNotice, FrameReference

__all__ = [
    "ArchiverUp",
    "Beat",
    "CameraUp",
    "Capture",
    "Captured",
    "Captures",
    "Done",
    "ErrandUp",
    "Expired",
    "Gone",
    "ImageReference",
    "InspectorUp",
    "Judge",
    "Judged",
    "Keep",
    "Kept",
    "Missed",
    "Offer",
    "SourceEnded",
    "Start",
    "Stop",
    "Trouble",
    "Up",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """The first message to a child: run `entry` ("module:function") as function(link, argument)."""

    entry: str
    argument: object


@dataclass(frozen=True, slots=True)
class Stop:
    """Finish what is begun and end."""


@dataclass(frozen=True, slots=True)
class Beat:
    """A child is alive; it may now be silent for `quiet_ms`, because what it begins takes time."""

    quiet_ms: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """A child cannot go on and ends; the error says why."""

    error: LinesideError


class Up:
    """Base of the message with which a child reports that it is ready for work."""

    __slots__ = ()


# Errands


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrandUp(Up):
    """The child has begun with its one piece of work."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """The work is done; what came of it."""

    value: object


# Cameras


@dataclass(frozen=True, kw_only=True, slots=True)
class CameraUp(Up):
    """The camera is connected and its settings hold."""

    report: CameraReport


@dataclass(frozen=True, kw_only=True, slots=True)
class Capture:
    """Expose for this trigger and put the frame into `slot`."""

    number: int
    slot: int
    timeout_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A free slot for the next frame of a camera that sets the pace."""

    slot: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Captured:
    """A frame lies in `slot`; `number` is the trigger it was asked for, 0 when the camera sets the pace."""

    number: int
    slot: int
    notice: FrameNotice


@dataclass(frozen=True, kw_only=True, slots=True)
class Missed:
    """No usable frame; `slot` is given back when it had been given for this trigger."""

    number: int
    slot: int | None
    missed: MissedFrame
    mono_ns: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Gone:
    """The camera was lost over this trigger; its process lets go of the device, which takes its time, and ends."""

    number: int
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceEnded:
    """A finite camera has delivered its last frame; `number` is the trigger that found nothing, 0 if there was none."""

    number: int = 0


# Inspectors


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageReference:
    """A client's image lying in a slot: raw rows or an encoded file, not yet looked at.

    Width and height are what the client declares of raw rows, and what the recipe wants of an encoded file.
    """

    pool: str
    slot: int
    view: str
    length: int
    encoded: bool
    width_px: int
    height_px: int
    stride_bytes: int
    pixel_format: PixelFormat
    frame_id: int
    captured_utc_ns: int
    captured_mono_ns: int
    part_id: str
    simulated: bool = False


Captures = Mapping[str, FrameReference | ImageReference | MissedFrame]
"""Per view: where the frame lies, or why there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InspectorUp(Up):
    """The model is loaded, verified and warm."""

    provider: str
    models: tuple[Identity, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judge:
    """Judge these captures; `job` numbers the request within one inspector crew."""

    job: int
    captures: Captures


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """The judgement of one job, and when the inspector began with it (monotonic)."""

    job: int
    judgement: Judgement
    begun_mono_ns: int
    done_mono_ns: int


# Archiver


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiverUp(Up):
    """The archive's folder is writable."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Keep:
    """Store this frame losslessly."""

    image_id: str
    trigger_number: int
    part_id: str
    outcome: Outcome
    reference: FrameReference | ImageReference


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What became of a Keep: kept, shed or failed, as the record says."""

    record: ImageRecord
    free_bytes: int
    step: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Expired:
    """Images that retention removed, and steps taken on the disk-pressure ladder."""

    image_ids: tuple[str, ...]
    events: tuple[StationEvent, ...]
