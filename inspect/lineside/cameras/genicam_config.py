"""What a station file may say about a GenICam camera."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, model_validator

from lineside.cameras.camera_config import AnyFormat, CameraConfig, Strings
from lineside.core.pixel_format import PixelFormat

__all__ = ["GenicamConfig"]


class GenicamConfig(CameraConfig):
    """Keys of `backend = "genicam"`."""

    backend: Literal["genicam"]
    serial: Annotated[str, Field(min_length=1)]
    """Serial number of the device; `lineside cameras` lists what there is."""
    producers: Strings = ()
    """GenTL producers: paths, or file names to look for; none is all that GENICAM_GENTL64_PATH leads to."""
    trigger: Literal["software", "hardware", "free_run"] = "software"
    """What starts an exposure: our command, a signal at an input, or the camera's own clock."""
    trigger_selector: str = "FrameStart"
    """Which of the device's triggers; used where the device has several."""
    trigger_source: str = ""
    """The input of a hardware trigger, such as "Line1"."""
    trigger_activation: str = ""
    """The edge of a hardware trigger, such as "RisingEdge"; nothing leaves it as it is."""
    device_pixel_format: AnyFormat | None = None
    """What the device sends, where that is not `pixel_format`."""
    offset_px: Annotated[tuple[NonNegativeInt, NonNegativeInt], Field(strict=False)] | None = None
    """Left and top of the part of the sensor that is read; not given leaves it as it is."""
    exposure_us: PositiveFloat | None = None
    """Exposure time; its automatic is switched off. Not given leaves it as it is."""
    gain_db: NonNegativeFloat | None = None
    """Gain; its automatic is switched off. Not given leaves it as it is."""
    features: dict[str, bool | int | float | str] = Field(default_factory=dict)
    """Any other feature by its GenICam name, set in this order. One of a counter leaves all counters as they are."""
    latency_ms: NonNegativeInt = 0
    """From exposure to arrival; a free-running camera's frame that comes sooner after a trigger is an old one."""

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if (self.trigger == "hardware") != bool(self.trigger_source):
            raise ValueError('trigger_source goes with trigger = "hardware", and only with it')
        if self.trigger_activation and self.trigger != "hardware":
            raise ValueError('trigger_activation goes with trigger = "hardware" only')
        return self

    @property
    def takes_commands(self) -> bool:
        return self.trigger != "hardware"

    @property
    def sets_pace(self) -> bool:
        return self.trigger != "software"

    @property
    def sent_format(self) -> PixelFormat:
        return self.device_pixel_format or self.pixel_format

    def rooted(self, project: Path) -> Self:
        producers = tuple(name if Path(name).name == name else str(project / name) for name in self.producers)
        return self.model_copy(update={"producers": producers})
