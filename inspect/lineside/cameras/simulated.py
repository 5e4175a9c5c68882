"""A camera that renders parts with known truth, at a given takt, and goes wrong on demand."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator

from lineside.cameras.camera_config import CameraConfig, FilePath, HouseFormat, SizePx
from lineside.cameras.scenes import PRODUCTS, Belt, PartTruth, SceneOptions, prepare, render, truth_of
from lineside.cameras.simulated_faults import Fault, Share, SwitchedFaults
from lineside.core.errors import CameraLost, ConfigError
from lineside.core.frame import Frame, MissedFrame, Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.core.ports import CameraReport, EndOfSource
from lineside.core.reason import Reason

__all__ = ["Fault", "SimulatedCamera", "SimulatedConfig", "SwitchedFaults", "truth_of_part"]

_HANG_S = 1e6

_NOTHING = -1
"""The index of no part: the bare belt, which is black."""


class SimulatedConfig(CameraConfig):
    """What the station file may say about a simulated camera."""

    backend: Literal["simulated"] = "simulated"
    pixel_format: HouseFormat = PixelFormat.MONO8
    size_px: SizePx = (640, 480)
    product: str = "plate"
    """Which parts pass by: plate, gasket or board."""
    seed: Annotated[int, Field(ge=0)] = 1
    defect_rate: Share = 0.15
    severity: Annotated[tuple[Share, Share], Field(strict=False)] = (1.0, 1.0)
    """Range of the defects' contrast; 1 is clearly visible."""
    takt_ms: Annotated[float, Field(ge=0)] = 0.0
    """Time from part to part when the camera sets the pace; 0: as fast as it is read."""
    count: Annotated[int, Field(ge=0)] = 0
    """Ends after so many parts; 0: endless."""
    index_from: Annotated[int, Field(ge=0)] = 0
    exposure_us: Annotated[float, Field(gt=0, le=1_000_000)] = 1000.0
    """Brightness is proportional to it; 1000 is right for the simulated light."""
    busy_ms: Annotated[float, Field(ge=0)] = 0.0
    """A software trigger that comes sooner than this after the one before is ignored, and counted."""
    buffers: Annotated[int, Field(ge=0)] = 0
    """When the camera sets the pace: a reader more than so many takts behind loses frames; 0: the camera keeps all."""
    serial: str = ""
    """Empty: made of product and seed."""
    prerendered: Annotated[int, Field(ge=0)] = 0
    """For benchmarks: renders so many parts at connect and shows them again and again. The truth of part `n` is then
    that of part `index_from + (n - index_from) % prerendered`."""
    faults: Annotated[tuple[Fault, ...], Field(strict=False)] = ()
    control_file: FilePath | None = None
    """Faults that are switched while the camera runs; read before each part when it has changed. See SwitchedFaults."""
    belt_file: FilePath | None = None
    """Written by a simulated line: a software trigger then shows the part that is in view at that moment, or the bare
    belt, which is black. See `lineside.cameras.scenes.Belt`."""

    @model_validator(mode="after")
    def _product_is_known(self) -> Self:
        if self.product not in PRODUCTS:
            raise ValueError(f"unknown product {self.product!r}; expected one of {', '.join(sorted(PRODUCTS))}")
        if self.severity[0] > self.severity[1]:
            raise ValueError(f"severity {list(self.severity)} runs backwards; expected [low, high]")
        return self

    def rooted(self, project: Path) -> Self:
        files = {"control_file": self.control_file, "belt_file": self.belt_file}
        return self.model_copy(update={key: project / file for key, file in files.items() if file is not None})

    @property
    def scene(self) -> SceneOptions:
        return SceneOptions(
            width_px=self.width_px,
            height_px=self.height_px,
            pixel_format=self.pixel_format,
            defect_rate=self.defect_rate,
            severity=self.severity,
            exposure_us=self.exposure_us,
        )

    def picture_index(self, index: int) -> int:
        """The part whose picture is shown as part `index`: another one only when prerendered parts are shown again."""
        return self.index_from + (index - self.index_from) % self.prerendered if self.prerendered else index


def truth_of_part(config: SimulatedConfig, part_id: str) -> PartTruth:
    """The truth about a part that this camera showed, by its part id. Cheap: nothing is rendered.

    Raises: ConfigError when the part id is not one of this camera's.
    """
    product, _, number = part_id.rpartition("-")
    if product != config.product or not number.isdecimal():
        raise ConfigError(f"part {part_id!r} was not rendered here", expected=f"{config.product}-<index>")
    return truth_of(config.product, config.seed, config.picture_index(int(number)), config.scene)


class SimulatedCamera:
    """Renders one part after the other. See `lineside.core.ports.Camera` for who calls what, and when.

    Parts are numbered by the camera's own count, from `index_from`: each software trigger, and each takt when the
    camera sets the pace, is one part that passes by, photographed or not. Trigger numbers play no role, and the count
    goes on after `close` and `connect`. With a `belt_file` a part's number is its place on the belt instead, and the
    part of a software trigger is the one in view. `frame_id` counts exposures, so a lost frame leaves a gap.
    """

    def __init__(self, view: str, config: SimulatedConfig) -> None:
        self._view = view
        self._config = config
        self._serial = config.serial or f"SIM-{config.product}-{config.seed}"
        self._index = config.index_from
        self._frame_id = 0
        self._triggers = 0
        self._triggers_ignored = 0
        self._untold = 0
        self._connected = False
        self._gone_until_ns = 0
        self._last_exposure_ns = 0
        self._pace_from_ns = 0
        self._pace_index = 0
        self._stalled_until_ns = 0
        self._stalled_frame: Frame | None = None
        self._last_frame: Frame | None = None
        self._album: list[Pixels] = []
        self._ready: tuple[int, Pixels] | None = None
        self._belt_text = ""
        self._belt: Belt | None = None
        self._control_text = ""
        self._switched = SwitchedFaults()
        self._switched_at = config.index_from

    @property
    def triggers(self) -> int:
        """Software triggers that arrived."""
        return self._triggers

    @property
    def triggers_ignored(self) -> int:
        """The camera's own count of those that it took no picture for, since it was connected."""
        return self._triggers_ignored

    def connect(self) -> CameraReport:
        self._read_control()
        missing_ms = (self._gone_until_ns - time.monotonic_ns()) / 1e6
        if self._switched.unplugged or missing_ms > 0:
            raise CameraLost(f"simulated camera {self._serial} does not answer", remedy="it is simulated as unplugged")
        config = self._config
        prepare(config.product, config.scene)
        while len(self._album) < config.prerendered:
            self._album.append(self._render(config.index_from + len(self._album)))
        self._picture()
        self._connected = True
        self._triggers_ignored = self._untold = 0
        self._pace_from_ns, self._pace_index = time.monotonic_ns(), self._index
        settings = {"product": config.product, "seed": config.seed, "defect_rate": config.defect_rate}
        settings |= {"exposure_us": config.exposure_us, "takt_ms": config.takt_ms}
        return CameraReport(
            serial=self._serial,
            model="Lineside rendered parts",
            pixel_format=config.pixel_format,
            width_px=config.width_px,
            height_px=config.height_px,
            settings={name: str(value) for name, value in settings.items()},
            simulated=True,
            waits_for_reader=config.takt_ms == 0,
        )

    def capture(self, trigger_number: int, timeout_ms: int) -> Frame | MissedFrame:
        arrived_ns = time.monotonic_ns()
        self._triggers += 1
        busy = self._last_exposure_ns and arrived_ns - self._last_exposure_ns < self._config.busy_ms * 1e6
        if self._config.belt_file is not None:
            self._index = self._part_in_view(self._config.belt_file, arrived_ns)
        fault = self._next_part()
        if busy or self._is(fault, "overtrigger") or self._is(fault, "ignored_trigger"):
            self._triggers_ignored += 1
            return self._missed(Reason.OVERTRIGGER, f"trigger {trigger_number} came while the camera was busy")
        self._last_exposure_ns = arrived_ns
        result = self._expose(fault, arrived_ns)
        ready_ns = arrived_ns + round(self._config.exposure_us * 1e3)
        if fault is not None and fault.kind == "stall":
            ready_ns += round(fault.for_ms * 1e6)
        deadline_ns = arrived_ns + timeout_ms * 1_000_000
        _sleep_until(min(ready_ns, deadline_ns))
        if ready_ns > deadline_ns:
            return self._missed(Reason.NO_FRAME, f"no frame within {timeout_ms} ms of trigger {trigger_number}")
        return result

    def wait(self, timeout_ms: int) -> Frame | MissedFrame | None:
        deadline_ns = time.monotonic_ns() + timeout_ms * 1_000_000
        if self._untold:
            return self._told()
        if self._stalled_frame is None:
            takt_ns = round(self._config.takt_ms * 1e6)
            due_ns = self._pace_from_ns + (self._index - self._pace_index + 1) * takt_ns
            if takt_ns and self._connected and not self._ended:
                self._picture()  # rendered before it is due, so that rendering takes no time from the line
                _sleep_until(min(due_ns, deadline_ns))
                if time.monotonic_ns() < due_ns:
                    self._read_control()
                    self._refuse_when_unplugged()
                    return None
            fault = self._next_part()
            exposed_ns = due_ns if takt_ns else time.monotonic_ns()
            if self._is(fault, "overtrigger"):
                self._triggers_ignored += 1
                return self._missed(Reason.OVERTRIGGER, "the line's trigger came while the camera was busy")
            if self._is(fault, "ignored_trigger"):
                self._untold += 1
                return None
            if self._config.buffers and time.monotonic_ns() - exposed_ns > self._config.buffers * takt_ns:
                self._frame_id += 1
                return self._missed(Reason.FRAME_LOST, f"all {self._config.buffers} buffers of the camera were full")
            result = self._expose(fault, exposed_ns)
            if not (fault is not None and fault.kind == "stall" and isinstance(result, Frame)):
                return result
            self._stalled_frame, self._stalled_until_ns = result, exposed_ns + round(fault.for_ms * 1e6)
        _sleep_until(min(self._stalled_until_ns, deadline_ns))
        if time.monotonic_ns() < self._stalled_until_ns:
            return None
        frame, self._stalled_frame = self._stalled_frame, None
        return frame

    def close(self) -> None:
        self._connected = False
        self._stalled_frame = None

    # One part passes by. ----------------------------------------------------------------------------------------------

    def _part_in_view(self, belt_file: Path, mono_ns: int) -> int:
        text = belt_file.read_text("utf-8") if belt_file.exists() else ""
        if text != self._belt_text:
            try:
                self._belt = Belt.model_validate_json(text) if text else None
            except ValidationError as error:
                raise ConfigError(
                    f"belt file {belt_file} cannot be understood: {error.errors()[0]['msg']}",
                    expected="what `lineside sim line` writes",
                    remedy="remove it",
                ) from error
            self._belt_text = text
        index = self._belt.in_view(mono_ns) if self._belt is not None else None
        return _NOTHING if index is None else self._config.index_from + index

    @property
    def _ended(self) -> bool:
        return bool(self._config.count) and self._index >= self._config.index_from + self._config.count

    def _next_part(self) -> Fault | None:
        """Moves on to the next part and says which fault strikes it. Raises: CameraLost, EndOfSource."""
        self._read_control()
        self._refuse_when_unplugged()
        if self._ended:
            raise EndOfSource
        index, self._index = self._index, self._index + 1
        fault = self._fault_at(index)
        if fault is not None and fault.kind == "hang":
            time.sleep(fault.for_ms / 1e3 or _HANG_S)
        elif fault is not None and fault.kind == "disconnect":
            self._connected = False
            self._gone_until_ns = time.monotonic_ns() + round(fault.for_ms * 1e6)
            raise CameraLost(f"simulated camera {self._serial} was disconnected at part {index}")
        return fault

    def _told(self) -> MissedFrame:
        """What only the counter says: that a trigger was ignored, of no matter which part."""
        self._untold -= 1
        self._triggers_ignored += 1
        return MissedFrame(
            view=self._view,
            reason=Reason.OVERTRIGGER,
            detail=f"the camera ignored a trigger, {self._triggers_ignored} so far",
            triggers_ignored=self._triggers_ignored,
        )

    def _expose(self, fault: Fault | None, exposed_ns: int) -> Frame | MissedFrame:
        self._frame_id += 1
        self._triggers_ignored += self._is(fault, "miscount")
        if self._is(fault, "lost_frame"):
            return self._missed(Reason.FRAME_LOST, f"frame {self._frame_id} was exposed and never arrived")
        if self._is(fault, "damaged_frame"):
            return self._missed(Reason.FRAME_DAMAGED, f"frame {self._frame_id} arrived incomplete")
        if self._is(fault, "old_frame") and self._last_frame is not None:
            return self._last_frame
        index = self._index - 1
        pixels, self._ready = self._picture(index), None
        since_ns = time.monotonic_ns() - exposed_ns
        self._last_frame = Frame(
            view=self._view,
            pixels=pixels,
            pixel_format=self._config.pixel_format,
            frame_id=self._frame_id,
            captured_utc_ns=time.time_ns() - since_ns,
            captured_mono_ns=exposed_ns,
            camera_serial=self._serial,
            part_id=self._part_id(index),
            simulated=True,
            triggers_ignored=self._triggers_ignored,
        )
        return self._last_frame

    def _picture(self, index: int | None = None) -> Pixels:
        """The picture of a part (the next one), rendered at most once."""
        wanted = self._index if index is None else index
        if wanted == _NOTHING:
            return self._bare_belt()
        if self._album:
            return self._album[(wanted - self._config.index_from) % len(self._album)]
        if self._ready is None or self._ready[0] != wanted:
            self._ready = (wanted, self._render(wanted))
        return self._ready[1]

    def _render(self, index: int) -> Pixels:
        pixels = render(self._config.product, self._config.seed, index, self._config.scene).pixels
        pixels.flags.writeable = False
        return pixels

    def _bare_belt(self) -> Pixels:
        pixels: Pixels = np.zeros_like(self._render(self._config.index_from))
        pixels.flags.writeable = False
        return pixels

    def _missed(self, reason: Reason, detail: str) -> MissedFrame:
        return MissedFrame(
            view=self._view,
            reason=reason,
            detail=detail,
            part_id=self._part_id(self._index - 1),
            triggers_ignored=self._triggers_ignored,
        )

    def _part_id(self, index: int) -> str:
        return "" if index == _NOTHING else f"{self._config.product}-{index:06d}"

    # Faults. ----------------------------------------------------------------------------------------------------------

    @staticmethod
    def _is(fault: Fault | None, kind: str) -> bool:
        return fault is not None and fault.kind == kind

    def _fault_at(self, index: int) -> Fault | None:
        """The first fault that strikes this part; those of the control file come first."""
        seed, start = self._config.seed, self._config.index_from
        if index == _NOTHING:
            return None
        switched = (
            fault for fault in self._switched.faults if fault.strikes(index, since=self._switched_at, seed=seed)
        )
        declared = (fault for fault in self._config.faults if fault.strikes(index, since=start, seed=seed))
        return next(switched, None) or next(declared, None)

    def _refuse_when_unplugged(self) -> None:
        if self._switched.unplugged:
            self._connected = False
        if not self._connected:
            raise CameraLost(f"simulated camera {self._serial} is not connected", remedy="connect it first")

    def _read_control(self) -> None:
        path = self._config.control_file
        if path is None:
            return
        text = path.read_text("utf-8") if path.exists() else ""
        if text == self._control_text:
            return
        try:
            self._switched = SwitchedFaults.model_validate_json(text) if text.strip() else SwitchedFaults()
        except ValidationError as error:
            raise ConfigError(
                f"control file {path} cannot be understood: {error.errors()[0]['msg']}",
                expected='JSON like {"faults": [{"kind": "stall", "first": 1, "for_ms": 500}]}',
                remedy="write a whole new file and rename it over the old one",
            ) from error
        self._control_text, self._switched_at = text, self._index


def _sleep_until(mono_ns: int) -> None:
    remaining_s = (mono_ns - time.monotonic_ns()) / 1e9
    if remaining_s > 0:
        time.sleep(remaining_s)
