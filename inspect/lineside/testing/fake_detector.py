"""A model that answers as it is told."""

from __future__ import annotations

from collections.abc import Sequence

from lineside.core.attempt import attempt
from lineside.core.errors import ConfigError, InspectionError
from lineside.core.finding import Detection
from lineside.core.frame import Frame
from lineside.core.identity import Identity
from lineside.core.pixel_format import PixelFormat

__all__ = ["FakeDetector"]


class FakeDetector:
    """A model that gives the same answer, or raises the same error, for every frame. Takes frames of one format."""

    def __init__(
        self,
        answer: Detection | Exception,
        *,
        class_names: tuple[str, ...] = ("scratch",),
        threshold: float = 0.5,
        pixel_format: PixelFormat = PixelFormat.MONO8,
    ) -> None:
        self.identity = Identity(id="fake", revision=1, sha256="f" * 64)
        self.provider = "cpu"
        self.threshold = threshold
        self.class_names = class_names
        self.seen: list[Frame] = []
        self._answer = answer
        self._pixel_format = pixel_format

    def check_frames(self, pixel_format: PixelFormat, width_px: int, height_px: int) -> None:
        """Raises: ConfigError for another pixel format than its own."""
        if pixel_format is not self._pixel_format:
            raise ConfigError(f"frames in {pixel_format} for the package fake", expected=str(self._pixel_format))

    def detect(self, frame: Frame) -> Detection:
        """Remembers the frame in `seen` and answers."""
        self.seen.append(frame)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    def detect_each(self, frames: Sequence[Frame]) -> list[Detection | InspectionError]:
        """Remembers and answers, frame by frame."""
        return [attempt(self.detect, frame) for frame in frames]

    def keep_warm(self) -> None:
        """It never cools down."""
