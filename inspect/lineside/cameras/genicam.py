"""Any camera that speaks GenICam, through its vendor's GenTL producer."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from lineside.cameras.device_clock import DeviceClock
from lineside.cameras.frame_counter import frames_lost
from lineside.cameras.genicam_config import GenicamConfig
from lineside.cameras.gentl import DamagedBuffer, FeatureValue, FilledBuffer, GenicamDevice, open_device
from lineside.cameras.ignored_triggers import IgnoredTriggers
from lineside.cameras.pixels import check_conversion, check_size, image_from_buffer, to_house
from lineside.core.errors import CameraLost, ConfigError, FrameError
from lineside.core.frame import Frame, MissedFrame
from lineside.core.ports import CameraReport
from lineside.core.reason import Reason

__all__ = ["GenicamCamera", "GenicamConfig"]

_GEOMETRY: Final = (
    *("OffsetX", "OffsetY", "BinningHorizontal", "BinningVertical"),
    *("DecimationHorizontal", "DecimationVertical", "ReverseX", "ReverseY"),
)
"""Features that say which pixels of the sensor a frame is made of: told even where nobody declared them."""
_QUIET_NS: Final = 1_000_000_000
"""A camera that sets the pace and is silent for so long is asked whether it is still there."""
_SILENT_MS: Final = 100
"""A camera that owes a frame and is silent for so long is asked: its part must hear of it before it is due."""
_MOST_BUFFERED: Final = 64
"""More filled buffers than any producer holds back: a very fast camera must not keep us dropping for ever."""


OpenDevice = Callable[[Sequence[str], str], GenicamDevice]


class GenicamCamera:
    """A GenICam camera. `captured_*` is the device's own timestamp brought to the host's clock, where it has one, else
    the frame's arrival less `latency_ms`.

    With trigger "software" each capture exposes; with "free_run" a capture takes the first frame that was certainly
    exposed after it, and `wait` takes every frame; with "hardware" frames come by `wait` alone.
    """

    def __init__(self, view: str, config: GenicamConfig, *, open_device: OpenDevice = open_device) -> None:
        self._view = view
        self._config = config
        self._open_device = open_device
        self._device: GenicamDevice | None = None
        self._clock = DeviceClock()
        self._owed: deque[Frame | MissedFrame] = deque()
        self._last_id: int | None = None
        self._damaged = 0
        self._heard_mono_ns = 0
        self._stale = False
        self._ignored = IgnoredTriggers()
        self._unplaced = False
        """True while the next frame may have been exposed before a trigger that is known to be ignored, or after it."""

    def connect(self) -> CameraReport:
        """Opens the device, applies every setting, and reads them all back once more when the last is set: one may
        change another. Raises: ConfigError, CameraLost; the device is closed then.
        """
        check_conversion(self._config.sent_format, self._config.pixel_format)
        self.close()
        device = self._device = self._open_device(self._config.producers, self._config.serial)
        try:
            device.stop()
            self._check_commandable(device, "TriggerMode")
            for feature, value in self._wishes(device):
                device.apply(feature, value)
            wishes = [*self._wishes(device), *self._counted(device)]
            settings = {feature: str(device.expect(feature, value)) for feature, value in wishes}
            settings = {name: str(device.count(name)) for name in _GEOMETRY if device.has(name)} | settings
            self._check_commandable(device, "TriggerSoftware")
            self._check_units(device)
            if self._config.trigger != "free_run":
                self._restart()
        except BaseException:
            self.close()
            raise
        return CameraReport(
            serial=device.found.serial,
            model=f"{device.found.vendor} {device.found.model}".strip(),
            pixel_format=self._config.pixel_format,
            width_px=self._config.width_px,
            height_px=self._config.height_px,
            settings=settings,
            simulated=device.found.simulated,
        )

    def _wishes(self, device: GenicamDevice) -> list[tuple[str, FeatureValue]]:
        """All settings in the order in which devices take them: a format decides about sizes, sizes about rates."""
        config = self._config
        wishes: list[tuple[str, FeatureValue]] = [("PixelFormat", config.sent_format.value)]
        wishes += [("Width", config.width_px), ("Height", config.height_px)]
        if config.offset_px is not None:
            wishes += [("OffsetX", config.offset_px[0]), ("OffsetY", config.offset_px[1])]
        wishes += config.features.items()
        if config.exposure_us is not None:
            wishes += [*_switched_off(device, "ExposureAuto"), ("ExposureTime", config.exposure_us)]
        if config.gain_db is not None:
            wishes += [*_switched_off(device, "GainAuto"), ("Gain", config.gain_db)]
        if device.has("AcquisitionMode"):
            wishes.append(("AcquisitionMode", "Continuous"))
        if config.trigger == "free_run":
            return wishes + _switched_off(device, "TriggerMode")
        if device.has("TriggerSelector"):
            wishes.append(("TriggerSelector", config.trigger_selector))
        wishes += [("TriggerMode", "On"), ("TriggerSource", config.trigger_source or "Software")]
        if config.trigger_activation:
            wishes.append(("TriggerActivation", config.trigger_activation))
        return wishes

    def _counted(self, device: GenicamDevice) -> list[tuple[str, FeatureValue]]:
        """Sets up the counter of ignored triggers, unless there are none or the station file needs the counters."""
        self._ignored = IgnoredTriggers()
        needed = any(feature.startswith("Counter") for feature in self._config.features)
        return [] if needed or self._config.trigger == "free_run" else self._ignored.set_up(device)

    def _check_commandable(self, device: GenicamDevice, feature: str) -> None:
        if self._config.trigger == "software" and not device.has(feature):
            raise ConfigError(
                f"camera {device.found.serial} ({device.found.model}) takes no software trigger: it has no {feature}",
                expected='a camera that exposes on command, or trigger = "free_run"',
                remedy='with "free_run" a trigger takes the first frame exposed after it',
            )

    def _check_units(self, device: GenicamDevice) -> None:
        wanted = (("ExposureTime", "us", self._config.exposure_us), ("Gain", "db", self._config.gain_db))
        for feature, unit, value in wanted:
            if value is not None and (stated := device.unit(feature).lower()) not in ("", unit, "\u00b5s", "\u03bcs"):
                raise ConfigError(
                    f"camera {device.found.serial} states {feature} in {stated}", expected=unit, remedy="use features"
                )

    def _connected(self) -> GenicamDevice:
        if self._device is None:
            raise CameraLost(f"camera {self._config.serial} is closed", remedy="connect it")
        return self._device

    def _restart(self) -> None:
        """Begins to acquire anew: no frame of an earlier trigger, filled or still to come, is left afterwards."""
        device = self._connected()
        device.stop()
        device.start()
        self._stale = False
        self._forget()

    def _forget(self) -> None:
        self._owed.clear()
        self._last_id = None
        self._damaged = 0
        self._unplaced = False
        self._heard_mono_ns = time.monotonic_ns()

    def capture(self, trigger_number: int, timeout_ms: int) -> Frame | MissedFrame:
        """Exposes (or takes the next exposure of a free-running camera) and waits for that frame.

        Raises: CameraLost; ConfigError when the camera waits for a hardware trigger.
        """
        deadline_ns = time.monotonic_ns() + timeout_ms * 1_000_000
        match self._config.trigger:
            case "software":
                shot = self._capture_on_command(deadline_ns)
            case "free_run":
                shot = self._capture_next(deadline_ns)
            case "hardware":
                raise ConfigError(
                    f"camera {self._config.serial} is set to a hardware trigger and cannot expose on command",
                    remedy='set its trigger = "software", or let the camera trigger the station',
                )
        if shot is not None:
            return shot
        # A frame that is late now must not pass for the next trigger's.
        self._stale = True
        return self._missed(Reason.NO_FRAME, f"no frame within {timeout_ms} ms of trigger {trigger_number}")

    def _capture_on_command(self, deadline_ns: int) -> Frame | MissedFrame | None:
        device = self._connected()
        if self._stale:
            self._restart()
        triggered_mono_ns = time.monotonic_ns()
        device.execute("TriggerSoftware")
        before = self._ignored.count
        buffer = self._next_buffer(device, deadline_ns)
        self._ignored.more(device)
        if self._ignored.count != before:
            self._stale = True  # what came, or is still to come, is not this trigger's
            if isinstance(buffer, FilledBuffer):
                device.give_back(buffer)
            return self._missed(Reason.OVERTRIGGER, f"it ignored the trigger, {self._ignored.count} so far")
        if isinstance(buffer, DamagedBuffer):
            return self._damaged_frame(buffer)
        return None if buffer is None else self._frame(device, buffer, not_before_mono_ns=triggered_mono_ns)

    def _capture_next(self, deadline_ns: int) -> Frame | MissedFrame | None:
        device = self._connected()
        device.start()
        self._drop_filled(device)
        triggered_mono_ns = time.monotonic_ns()
        # The first frame to arrive now may have been under way at the trigger; the second was not.
        under_way = True
        while (buffer := self._next_buffer(device, deadline_ns)) is not None:
            too_soon = time.monotonic_ns() - self._latency_ns < triggered_mono_ns
            if under_way or too_soon:
                under_way = under_way and too_soon
                if isinstance(buffer, FilledBuffer):
                    device.give_back(buffer)
            elif isinstance(buffer, DamagedBuffer):
                return self._damaged_frame(buffer)
            else:
                return self._frame(device, buffer, not_before_mono_ns=triggered_mono_ns)
        return None

    def _next_buffer(self, device: GenicamDevice, deadline_ns: int) -> FilledBuffer | DamagedBuffer | None:
        """The next buffer, or None after the deadline or when the camera says that it ignored a trigger.

        Raises: CameraLost when the camera has gone meanwhile.
        """
        while (remaining_ms := _ms_until(deadline_ns)) > 0:
            buffer = device.fetch(min(remaining_ms, _SILENT_MS))
            if buffer is not None:
                return buffer
            device.answers()
            if self._ignored.more(device):
                return None
        return None

    def _drop_filled(self, device: GenicamDevice) -> None:
        self._forget()
        for _ in range(_MOST_BUFFERED):
            buffer = device.fetch(0)
            if buffer is None:
                return
            if isinstance(buffer, FilledBuffer):
                device.give_back(buffer)

    def wait(self, timeout_ms: int) -> Frame | MissedFrame | None:
        """The next frame of a camera that sets the pace; a MissedFrame for each one that its counter says was lost
        before, and for each trigger that it says it ignored.

        Whether that trigger came before or after a frame that was on its way then, nobody says: such a frame is missed
        as well. Raises: CameraLost; ConfigError when the camera exposes on command.
        """
        if self._config.trigger == "software":
            raise ConfigError(
                f"camera {self._config.serial} is set to a software trigger and sets no pace",
                remedy='set its trigger = "hardware" or "free_run", or let the station trigger it',
            )
        if not self._owed:
            device = self._connected()
            device.start()
            self._owed.extend(self._looks(device, timeout_ms))
        return self._owed.popleft() if self._owed else None

    def _looks(self, device: GenicamDevice, timeout_ms: int) -> list[Frame | MissedFrame]:
        """What came within the time: lost frames, the frame itself, ignored triggers."""
        filled = device.fetch(0) if self._unplaced else None
        buffer = device.fetch(timeout_ms) if filled is None else filled
        looks = self._silence(device) if buffer is None else self._arrived(device, buffer)
        told = self._ignored.count or 0
        ignored = self._ignored.more(device)  # read behind the frame: all until now
        if looks and isinstance(looks[-1], Frame) and (ignored or self._unplaced):
            why = f"frame {looks[-1].frame_id}: it ignored a trigger about then, so whose picture it is, is not known"
            looks[-1] = self._missed(Reason.FRAME_LOST, why, ignored=told)
        for number in range(told + 1, told + ignored + 1):
            looks.append(self._missed(Reason.OVERTRIGGER, f"it ignored a trigger, {number} so far", ignored=number))
        # The frame that arrives next may have been under way; those that lie there already were.
        self._unplaced = bool(ignored) or (self._unplaced and (buffer is None or filled is not None))
        return looks

    def _silence(self, device: GenicamDevice) -> list[Frame | MissedFrame]:
        now_ns = time.monotonic_ns()
        if now_ns - self._heard_mono_ns > _QUIET_NS:
            device.answers()
            self._heard_mono_ns = now_ns
        return []

    def _arrived(self, device: GenicamDevice, buffer: FilledBuffer | DamagedBuffer) -> list[Frame | MissedFrame]:
        self._heard_mono_ns = time.monotonic_ns()
        if isinstance(buffer, DamagedBuffer):
            return [self._damaged_frame(buffer)]
        last_id, damaged = self._last_id, self._damaged
        frame = self._frame(device, buffer)
        lost = 0 if last_id is None else frames_lost(last_id, buffer.frame_id) - damaged
        return [*(self._lost_frame(number, lost, last_id, buffer.frame_id) for number in range(1, lost + 1)), frame]

    def _frame(
        self, device: GenicamDevice, buffer: FilledBuffer, *, not_before_mono_ns: int = 0
    ) -> Frame | MissedFrame:
        """Copies the pixels out of the buffer and gives it back, whatever it holds."""
        arrived_mono_ns, arrived_utc_ns = time.monotonic_ns(), time.time_ns()
        self._last_id, self._damaged = buffer.frame_id, 0
        config = self._config
        try:
            if buffer.pixel_format != config.sent_format:
                raise FrameError(f"frame in {buffer.pixel_format}", expected=config.sent_format)
            raw = image_from_buffer(
                buffer.data,
                pixel_format=config.sent_format,
                width_px=buffer.width_px,
                height_px=buffer.height_px,
                padding_x_bytes=buffer.padding_x_bytes,
            )
            check_size(raw, *config.size_px)
            pixels = to_house(raw, config.sent_format, config.pixel_format)
        except FrameError as error:
            return self._missed(Reason.FRAME_DAMAGED, f"frame {buffer.frame_id}: {error}")
        finally:
            device.give_back(buffer)
        if buffer.timestamp_ns is None:
            captured_mono_ns = arrived_mono_ns - self._latency_ns
        else:
            captured_mono_ns = self._clock.host_mono_ns(buffer.timestamp_ns, arrived_mono_ns)
        captured_mono_ns = max(captured_mono_ns, not_before_mono_ns)
        return Frame(
            view=self._view,
            pixels=pixels,
            pixel_format=config.pixel_format,
            frame_id=buffer.frame_id,
            captured_utc_ns=arrived_utc_ns - (arrived_mono_ns - captured_mono_ns),
            captured_mono_ns=captured_mono_ns,
            camera_serial=config.serial,
            simulated=device.found.simulated,
            triggers_ignored=self._ignored.count,
        )

    def _damaged_frame(self, buffer: DamagedBuffer) -> MissedFrame:
        self._damaged += 1
        return self._missed(Reason.FRAME_DAMAGED, buffer.why)

    def _lost_frame(self, number: int, lost: int, last_id: int | None, this_id: int) -> MissedFrame:
        return self._missed(
            Reason.FRAME_LOST, f"{number} of {lost} lost: the frame counter went from {last_id} to {this_id}"
        )

    def _missed(self, reason: Reason, why: str, *, ignored: int | None = None) -> MissedFrame:
        return MissedFrame(
            view=self._view,
            reason=reason,
            detail=f"camera {self._config.serial}: {why}",
            triggers_ignored=self._ignored.count if self._ignored.count is None or ignored is None else ignored,
        )

    @property
    def _latency_ns(self) -> int:
        return self._config.latency_ms * 1_000_000

    def close(self) -> None:
        device, self._device = self._device, None
        if device is not None:
            device.close()
        self._clock = DeviceClock()
        self._forget()


def _switched_off(device: GenicamDevice, feature: str) -> list[tuple[str, FeatureValue]]:
    return [(feature, "Off")] if device.has(feature) else []


def _ms_until(deadline_ns: int) -> int:
    return max(0, (deadline_ns - time.monotonic_ns()) // 1_000_000)
