"""The seams: what the house needs from the outside. Fakes for each are shipped in `lineside.testing`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lineside.core.errors import InspectionError, JournalFault
from lineside.core.finding import Detection
from lineside.core.frame import Frame, MissedFrame
from lineside.core.identity import Identity
from lineside.core.image_in import ImageIn
from lineside.core.pixel_format import PixelFormat
from lineside.core.record import ImageRecord, VerdictQuery, VerdictRecord
from lineside.core.status import Counters, StationStatus
from lineside.core.trigger import Trigger
from lineside.core.verdict import Judgement

__all__ = [
    "Camera",
    "CameraReport",
    "Detector",
    "EndOfSource",
    "JournalReader",
    "JournalState",
    "StationControl",
    "VerdictFeed",
    "VerdictJournal",
]


class EndOfSource(Exception):  # an ordinary end, like StopIteration, not an error
    """A camera over something finite (a folder, a video file) has delivered its last frame."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CameraReport:
    """What the camera really is after `connect`: read back from the device, not copied from the wish.

    `settings` maps each applied setting to its value as read back. `waits_for_reader` is true for sources that lose
    nothing by waiting (folders, files): they are held back instead of losing frames when all slots are taken.
    """

    serial: str
    model: str
    pixel_format: PixelFormat
    width_px: int
    height_px: int
    settings: Mapping[str, str] = field(default_factory=dict)
    simulated: bool = False
    waits_for_reader: bool = False


class Camera(Protocol):
    """One camera, used by one thread of one process. Vendor exceptions never leave it.

    `capture` and `wait` never block longer than asked (plus 100 ms), and return a MissedFrame for a frame that is
    lost, damaged or late, and for each trigger that the device says it has ignored. A device that is gone raises
    CameraLost; the caller closes it and connects anew.
    """

    def connect(self) -> CameraReport:
        """Called once before use, and again after `close`: finds the device by serial, applies every setting, reads it
        back. Raises: ConfigError when a setting does not hold, CameraLost when the device is not there.
        """
        ...

    def capture(self, trigger_number: int, timeout_ms: int) -> Frame | MissedFrame:
        """Called for every software trigger: exposes now and waits for that frame. Raises: CameraLost, EndOfSource."""
        ...

    def wait(self, timeout_ms: int) -> Frame | MissedFrame | None:
        """Called over and over when the camera sets the pace (hardware trigger, free run, folder): the next frame, or
        None when the line stood still. Raises: CameraLost, EndOfSource.
        """
        ...

    def close(self) -> None:
        """Called at the end and after any fault; may be called twice; never raises."""
        ...


class Detector(Protocol):
    """A model that is loaded, verified and warm. Used by one thread."""

    @property
    def identity(self) -> Identity:
        """Id, revision and SHA-256 of the package."""
        ...

    @property
    def provider(self) -> str:
        """What really runs the graph: "cpu", "cuda", "tensorrt" or "openvino"; "cuda+cpu" where the declared list lets
        single nodes lie on the second.
        """
        ...

    @property
    def threshold(self) -> float:
        """The package's own threshold; scores at or above it are findings."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that its findings and maps can have: what a recipe's limits may name."""
        ...

    def check_frames(self, pixel_format: PixelFormat, width_px: int, height_px: int) -> None:
        """Called once, before the first part: would it take such frames? Raises: ConfigError with expected and got."""
        ...

    def detect(self, frame: Frame) -> Detection:
        """Looks at one frame.

        Raises: FrameError, NotLocated, ModelError; InspectorLost when its process cannot go on.
        """
        ...

    def detect_each(self, frames: Sequence[Frame]) -> Sequence[Detection | InspectionError]:
        """Looks at several frames, one by one: of each the same answer as `detect` gives, or what that would raise.

        Raises: InspectorLost.
        """
        ...

    def keep_warm(self) -> None:
        """Called when there has been nothing to look at for a while. Raises: ModelError, InspectorLost."""
        ...


class StationControl(Protocol):
    """What a server may ask of the station. Every coroutine is cancel-safe; cancelling never loses a part.

    Raises RequestError kin for wrong requests and StationFault kin when the station cannot judge at all.
    """

    def status(self) -> StationStatus:
        """The whole station now; cheap enough to call many times a second."""
        ...

    async def trigger(
        self, *, part_id: str, encoder_count: int | None = None, due_ms: int | None = None, request_id: str = ""
    ) -> Trigger:
        """Accepts a software trigger; returns when it is durable. The same `request_id` returns the same trigger."""
        ...

    async def verdict_of(self, trigger_number: int) -> VerdictRecord:
        """Waits until that trigger's verdict is durable, and returns it. Raises: NotFound."""
        ...

    async def inspect(self, images: Sequence[ImageIn]) -> Judgement:
        """Judges images on demand, after the line's own parts; nothing is journalled."""
        ...

    async def push(
        self,
        images: Sequence[ImageIn],
        *,
        part_id: str,
        encoder_count: int | None = None,
        due_ms: int | None = None,
        captured_utc_ns: int = 0,
        frame_id: int = 0,
    ) -> VerdictRecord:
        """Makes a trigger of a remote camera's frames (one per view) and returns its durable verdict."""
        ...

    async def pause(self, *, requested_by: str, why: str) -> None: ...

    async def resume(self, *, requested_by: str) -> None: ...

    async def change_recipe(self, recipe_id: str, *, requested_by: str) -> Identity: ...

    async def self_test(self) -> tuple[bool, str]: ...

    async def check_calibration(self, *, requested_by: str, view: str = "") -> tuple[bool, str, Sequence[str]]:
        """Takes one picture of each view (or of one alone), of no part, and holds it against the calibration.

        Returns whether all passed, a sentence, and each view's record as JSON. Raises: NotReady while parts are judged,
        ConfigError when there is nothing to check against.
        """
        ...


class VerdictJournal(Protocol):
    """What the station needs of the record. Entries become durable in the order of the calls; nothing here blocks."""

    @property
    def next_trigger_number(self) -> int: ...

    @property
    def next_sequence(self) -> int: ...

    def counters(self) -> Counters: ...

    def open_trigger(self, trigger: Trigger) -> asyncio.Future[None]:
        """Records an accepted trigger; the future is done when that is durable. Raises: JournalFault without room."""
        ...

    def append(self, record: VerdictRecord) -> asyncio.Future[None]:
        """Records a verdict; the future is done when it is durable and may be told."""
        ...

    def note_late(self, trigger_number: int, detail: str) -> asyncio.Future[None]:
        """Records an answer that came after its verdict."""
        ...


class JournalState(Protocol):
    """How the record is."""

    @property
    def last_sequence(self) -> int: ...

    @property
    def fault(self) -> JournalFault | None:
        """Why nothing becomes durable at present; None when all is well."""
        ...


class VerdictFeed(Protocol):
    """The live stream, read from the journal: what is here is durable. Used on the event loop and never blocks it."""

    @property
    def first_sequence(self) -> int:
        """The oldest verdict still kept; 1 in a young journal, `last_sequence` + 1 when there is none."""
        ...

    @property
    def last_sequence(self) -> int:
        """The newest durable verdict; 0 when there is none."""
        ...

    async def wait_beyond(self, sequence: int, timeout_s: float) -> bool:
        """Waits until a verdict later than `sequence` is durable; False when the time is over."""
        ...

    async def read(self, after_sequence: int, *, max_records: int, max_bytes: int) -> Sequence[VerdictRecord]:
        """The next verdicts in order, at least one if there is any, at most so many and so large."""
        ...


class JournalReader(Protocol):
    """What may be asked of the journal and the archive. Queries run off the event loop."""

    async def get(self, *, sequence: int = 0, trigger_number: int = 0) -> VerdictRecord:
        """One verdict by either number. Raises: NotFound."""
        ...

    async def list(self, query: VerdictQuery) -> Sequence[VerdictRecord]: ...

    async def images_of(self, trigger_number: int) -> Sequence[ImageRecord]: ...

    async def image(self, image_id: str) -> tuple[ImageRecord, bytes]:
        """The archived file, checksum verified. Raises: NotFound (with what became of it), FrameError when damaged."""
        ...

    async def cursor(self, reader: str) -> int:
        """The last sequence number which that named reader acknowledged; 0 for a new one."""
        ...

    async def acknowledge(self, reader: str, sequence: int) -> int:
        """Moves the cursor forward, durably; returns it. Raises: InvalidRequest when backward or ahead of all."""
        ...
