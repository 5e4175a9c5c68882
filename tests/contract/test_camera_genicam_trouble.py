"""The GenICam camera on a device that can be made to lose, delay and damage frames, which the simulator cannot."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lineside.cameras.device_clock import DeviceClock
from lineside.cameras.frame_counter import frames_lost
from lineside.cameras.genicam import GenicamCamera, GenicamConfig
from lineside.cameras.gentl import DamagedBuffer, FeatureValue, FilledBuffer, GenicamDevice
from lineside.cameras.producers import FoundDevice
from lineside.core.errors import CameraLost, ConfigError
from lineside.core.frame import Frame, MissedFrame
from lineside.core.reason import Reason


@dataclass
class BenchDevice:
    """A GenicamDevice on the bench. `on_trigger` is what each command makes it send; `line` what it sends by itself.

    What is `on_its_way` comes to those who wait. `counts` is what each of its counters can count, where it has any;
    `counted` how many of them there were.
    """

    on_trigger: deque[FilledBuffer | DamagedBuffer | None] = field(default_factory=deque)
    line: deque[FilledBuffer | DamagedBuffer] = field(default_factory=deque)
    on_its_way: deque[FilledBuffer] = field(default_factory=deque)
    features: dict[str, FeatureValue] = field(default_factory=dict)
    stuck: dict[str, FeatureValue] = field(default_factory=dict)
    gone: bool = False
    opened: int = 0
    closed: int = 0
    lent: int = 0
    units: dict[str, str] = field(default_factory=dict)
    counts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    counted: int = 0
    silences: int = 0
    found = FoundDevice(
        producer=Path("bench.cti"),
        serial="B-7",
        model="Bench",
        vendor="Lineside",
        user_name="",
        free=True,
        simulated=False,
    )

    def opener(self, producers: Sequence[str], serial: str) -> GenicamDevice:
        self.opened += 1
        return self

    def has(self, feature: str) -> bool:
        counters = ("CounterSelector", "CounterEventSource", "CounterValue", "CounterReset") if self.counts else ()
        return feature in ("TriggerMode", "TriggerSoftware", "TriggerSelector", "ExposureAuto", *counters)

    def choices(self, feature: str) -> tuple[str, ...]:
        return (
            tuple(self.counts) if feature == "CounterSelector" else self.counts[str(self.features["CounterSelector"])]
        )

    def count(self, feature: str) -> int:
        self.answers()
        assert feature == "CounterValue"
        return self.counted

    def apply(self, feature: str, value: FeatureValue) -> FeatureValue:
        self.features[feature] = self.stuck.get(feature, value)
        return self.expect(feature, value)

    def expect(self, feature: str, value: FeatureValue) -> FeatureValue:
        if self.features[feature] != value:
            raise ConfigError(f"asked for {feature} = {value}, camera has {self.features[feature]}")
        return value

    def unit(self, feature: str) -> str:
        return self.units.get(feature, "")

    def execute(self, command: str) -> None:
        if command == "CounterReset":
            self.counted = 0
            return
        assert command == "TriggerSoftware"
        self.answers()
        sent = self.on_trigger.popleft()
        if sent is not None:
            self.line.append(sent)

    def start(self) -> None: ...

    def stop(self) -> None:
        self.line.clear()

    def fetch(self, timeout_ms: int) -> FilledBuffer | DamagedBuffer | None:
        if timeout_ms and not self.line and self.on_its_way:
            self.line.append(self.on_its_way.popleft())
        sent = self.line.popleft() if self.line else None
        self.silences += sent is None
        self.lent += isinstance(sent, FilledBuffer)
        return sent

    def give_back(self, buffer: FilledBuffer) -> None:
        self.lent -= 1

    def answers(self) -> None:
        if self.gone:
            raise CameraLost("camera B-7 does not answer")

    def close(self) -> None:
        self.closed += 1


def buffer(frame_id: int, shade: int = 0, **facts: object) -> FilledBuffer:
    told: dict[str, object] = {
        "data": memoryview(bytes([shade]) * 6),
        "frame_id": frame_id,
        "pixel_format": "Mono8",
        "width_px": 3,
        "height_px": 2,
        "padding_x_bytes": 0,
        "timestamp_ns": None,
        "handle": None,
    }
    return FilledBuffer(**{**told, **facts})  # type: ignore[arg-type]


def config(**keys: object) -> GenicamConfig:
    declared = {"backend": "genicam", "serial": "B-7", "pixel_format": "Mono8", "size_px": [3, 2], **keys}
    return GenicamConfig.model_validate(declared)


def connected(device: BenchDevice, **keys: object) -> GenicamCamera:
    camera = GenicamCamera("top", config(**keys), open_device=device.opener)
    camera.connect()
    return camera


def on_line(device: BenchDevice) -> GenicamCamera:
    return connected(device, trigger="hardware", trigger_source="Line1", trigger_activation="RisingEdge")


def test_a_command_exposes_and_its_frame_is_returned() -> None:
    device = BenchDevice(on_trigger=deque([buffer(1, shade=7), buffer(2, shade=8)]))
    camera = connected(device, exposure_us=250.0)

    first, second = camera.capture(1, 100), camera.capture(2, 100)

    assert isinstance(first, Frame)
    assert isinstance(second, Frame)
    assert (first.frame_id, first.pixels[0, 0], second.frame_id, second.pixels[0, 0]) == (1, 7, 2, 8)
    assert device.features["TriggerSource"] == "Software"
    assert (device.features["ExposureAuto"], device.features["ExposureTime"]) == ("Off", 250.0)
    assert device.lent == 0


def test_a_late_frame_is_never_taken_for_the_next_triggers() -> None:
    late, own = buffer(1, shade=7), buffer(2, shade=8)
    device = BenchDevice(on_trigger=deque([None, own]))
    camera = connected(device)

    missed = camera.capture(1, 100)
    device.line.append(late)
    frame = camera.capture(2, 100)

    assert isinstance(missed, MissedFrame)
    assert missed.reason is Reason.NO_FRAME
    assert "trigger 1" in missed.detail
    assert isinstance(frame, Frame)
    assert frame.pixels[0, 0] == 8


def test_a_camera_that_no_longer_answers_is_lost() -> None:
    device = BenchDevice(on_trigger=deque([None]))
    camera = connected(device)
    device.gone = True

    with pytest.raises(CameraLost):
        camera.capture(1, 100)


def test_an_incomplete_buffer_is_a_missed_frame() -> None:
    camera = connected(BenchDevice(on_trigger=deque([DamagedBuffer(why="the buffer arrived incomplete"), buffer(2)])))

    damaged, good = camera.capture(1, 100), camera.capture(2, 100)

    assert isinstance(damaged, MissedFrame)
    assert damaged.reason is Reason.FRAME_DAMAGED
    assert "incomplete" in damaged.detail
    assert isinstance(good, Frame)


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"pixel_format": "Mono12"}, "frame in Mono12; expected Mono8"),
        ({"width_px": 4, "data": memoryview(bytes(8))}, "picture of 4 x 2 px; expected 3 x 2 px"),
        ({"data": memoryview(bytes(5))}, "5 bytes of pixels; expected at least 6"),
        ({"padding_x_bytes": 1}, "6 bytes of pixels; expected at least 7"),
    ],
)
def test_a_buffer_that_is_not_as_declared_is_a_missed_frame(facts: dict[str, object], told: str) -> None:
    device = BenchDevice(on_trigger=deque([buffer(1, **facts)]))

    shot = connected(device).capture(1, 100)

    assert isinstance(shot, MissedFrame)
    assert shot.reason is Reason.FRAME_DAMAGED
    assert told in shot.detail
    assert device.lent == 0


def test_padding_behind_the_rows_is_not_part_of_the_picture() -> None:
    padded = memoryview(bytes([1, 2, 3, 99, 4, 5, 6, 99]))
    device = BenchDevice(on_trigger=deque([buffer(1, data=padded, padding_x_bytes=1)]))

    frame = connected(device).capture(1, 100)

    assert isinstance(frame, Frame)
    assert frame.pixels.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_frames_that_the_counter_says_were_lost_come_before_the_next_frame() -> None:
    device = BenchDevice()
    camera = on_line(device)
    device.line.extend([buffer(10), buffer(13), DamagedBuffer(why="incomplete"), buffer(15), buffer(16)])

    shots = [camera.wait(10) for _ in range(8)]

    reasons = [getattr(shot, "reason", getattr(shot, "frame_id", shot)) for shot in shots]
    assert reasons == [10, Reason.FRAME_LOST, Reason.FRAME_LOST, 13, Reason.FRAME_DAMAGED, 15, 16, None]
    assert "2 of 2 lost: the frame counter went from 10 to 13" in shots[2].detail


@pytest.mark.parametrize(
    ("last_id", "this_id", "lost"),
    [
        (1, 2, 0),
        (1, 5, 3),
        (65535, 1, 0),
        (65534, 2, 2),
        (500, 1, 0),
        (9, 9, 0),
        (2**40, 2**40 + 3, 2),
        (5, 50_000, 0),
    ],
)
def test_lost_frames_are_counted_around_the_end_of_the_counter(last_id: int, this_id: int, lost: int) -> None:
    assert lost == frames_lost(last_id, this_id)


def test_a_line_that_stands_still_is_no_fault_while_the_camera_answers() -> None:
    camera = on_line(BenchDevice())

    assert [camera.wait(1) for _ in range(3)] == [None, None, None]


def test_the_trigger_that_is_set_decides_who_may_ask() -> None:
    with pytest.raises(ConfigError, match="hardware trigger and cannot expose on command"):
        on_line(BenchDevice()).capture(1, 10)
    with pytest.raises(ConfigError, match="software trigger and sets no pace"):
        connected(BenchDevice()).wait(10)


def test_a_setting_that_the_device_changes_behind_our_back_refuses_to_start_and_closes_it() -> None:
    device = BenchDevice(stuck={"Height": 4})

    with pytest.raises(ConfigError, match="asked for Height = 2, camera has 4"):
        connected(device)

    assert (device.opened, device.closed) == (1, 1)


def test_an_exposure_in_another_unit_refuses_to_start() -> None:
    with pytest.raises(ConfigError, match="states ExposureTime in ms; expected us"):
        connected(BenchDevice(units={"ExposureTime": "ms"}), exposure_us=250.0)


@pytest.mark.parametrize(
    "keys",
    [
        {"trigger": "hardware"},
        {"trigger": "free_run", "trigger_source": "Line1"},
        {"trigger_activation": "RisingEdge"},
        {"serial": ""},
        {"pixel_format": "BayerRG8"},
        {"exposure_us": 0.0},
        {"exposure_us": "250"},
        {"size_px": [0, 2]},
        {"gain": 3.0},
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(keys: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(keys)).split("_", maxsplit=1)[0]):
        connected(BenchDevice(), **keys)


def test_a_producer_in_a_folder_of_the_project_is_found_from_the_project() -> None:
    config = GenicamConfig(
        backend="genicam", serial="B-7", pixel_format="Mono8", size_px=(3, 2), producers=("vendor/a.cti", "viky.cti")
    )

    assert config.rooted(Path("/line")).producers == ("/line/vendor/a.cti", "viky.cti")


COUNTERS = {"Counter0": ("Off", "ExposureStart"), "Counter1": ("Off", "FrameTrigger", "FrameTriggerMissed")}
"""As of a device of which one counter can count ignored triggers."""


def looks_of(camera: GenicamCamera) -> list[str]:
    """Every look that there is now: the frame's number or the reason, and the device's count of ignored triggers."""
    looks = iter(lambda: camera.wait(10), None)
    return [
        f"{look.frame_id if isinstance(look, Frame) else look.reason.name} {look.triggers_ignored}" for look in looks
    ]


def test_the_counter_that_can_count_ignored_triggers_is_set_to_it_and_begins_at_nought() -> None:
    device = BenchDevice(counts=COUNTERS, counted=55)
    camera = GenicamCamera("top", config(trigger="hardware", trigger_source="Line1"), open_device=device.opener)

    settings = camera.connect().settings
    device.line.append(buffer(1))

    assert device.counted == 0, "the further from its largest value the better"
    assert (settings["CounterSelector"], settings["CounterEventSource"]) == ("Counter1", "FrameTriggerMissed")
    assert looks_of(camera) == ["1 0"]


@pytest.mark.parametrize(
    ("counts", "keys"),
    [
        ({}, {}),
        ({"Counter0": ("Off", "ExposureStart")}, {}),
        (COUNTERS, {"features": {"CounterSelector": "Counter1", "CounterEventSource": "ExposureStart"}}),
    ],
    ids=["no counter", "a counter of other things", "a counter that the station file needs"],
)
def test_without_a_counter_of_ignored_triggers_nothing_is_said_of_them(
    counts: dict[str, tuple[str, ...]], keys: dict[str, object]
) -> None:
    device = BenchDevice(counts=counts)
    camera = connected(device, trigger="hardware", trigger_source="Line1", **keys)
    device.counted = 3
    device.line.append(buffer(1))

    assert looks_of(camera) == ["1 None"]
    assert device.features.get("CounterEventSource") in (None, "ExposureStart")


def test_each_ignored_trigger_is_a_missed_frame_and_so_is_a_picture_that_may_be_of_either_side_of_it() -> None:
    device = BenchDevice(counts=COUNTERS)
    camera = on_line(device)
    looks = []
    for frame_id, counted in ((1, 0), (2, 2), (3, 2), (4, 2), (5, 3), (6, 3), (7, 3)):
        device.on_its_way.append(buffer(frame_id))
        device.counted = counted
        looks += looks_of(camera)

    assert looks == [
        *["1 0", "FRAME_LOST 0", "OVERTRIGGER 1", "OVERTRIGGER 2", "FRAME_LOST 2", "4 2"],
        *["FRAME_LOST 2", "OVERTRIGGER 3", "FRAME_LOST 3", "7 3"],
    ]
    assert device.lent == 0


def test_pictures_that_lay_there_when_a_trigger_was_ignored_are_nobodys() -> None:
    device = BenchDevice(counts=COUNTERS)
    camera = on_line(device)
    device.line.extend([buffer(1), buffer(2), buffer(3)])
    device.counted = 1
    behind = looks_of(camera)
    device.on_its_way.append(buffer(4))  # it may have been under way
    under_way = looks_of(camera)
    device.on_its_way.append(buffer(5))

    assert behind == ["FRAME_LOST 0", "OVERTRIGGER 1", "FRAME_LOST 1", "FRAME_LOST 1"]
    assert (under_way, looks_of(camera)) == (["FRAME_LOST 1"], ["5 1"])


def test_a_trigger_that_is_ignored_while_the_line_stands_still_is_told_without_waiting_for_a_picture() -> None:
    device = BenchDevice(counts=COUNTERS)
    camera = on_line(device)
    still = looks_of(camera)
    device.counted = 1

    assert (still, looks_of(camera), looks_of(camera)) == ([], ["OVERTRIGGER 1"], [])


def test_a_counter_that_was_set_to_nought_behind_our_back_counts_on_from_there() -> None:
    device = BenchDevice(counts=COUNTERS)
    camera = on_line(device)
    device.counted = 3
    before = looks_of(camera)
    device.counted = 1

    assert (before[-1], looks_of(camera)) == ("OVERTRIGGER 3", ["OVERTRIGGER 4"])


def test_a_command_that_the_camera_ignored_is_an_overtrigger_at_once_and_the_next_frame_is_not_its() -> None:
    device = BenchDevice(on_trigger=deque([buffer(1, shade=7), None, buffer(3, shade=9)]), counts=COUNTERS)
    camera = connected(device)
    first = camera.capture(1, 100)
    device.counted = 1
    ignored = camera.capture(2, 60_000)
    waited = device.silences
    device.line.append(buffer(2, shade=8))  # whatever it is of, it is no picture of the third part
    third = camera.capture(3, 100)

    assert isinstance(first, Frame)
    assert isinstance(ignored, MissedFrame)
    assert (ignored.reason, ignored.triggers_ignored) == (Reason.OVERTRIGGER, 1)
    assert "B-7" in ignored.detail
    assert waited == 1, "it is known after the first silence, not when the time is over"
    assert isinstance(third, Frame)
    assert (third.frame_id, third.pixels[0, 0], third.triggers_ignored) == (3, 9, 1)
    assert device.lent == 0


def test_a_picture_that_comes_after_an_ignored_command_is_not_taken_for_its() -> None:
    device = BenchDevice(on_trigger=deque([buffer(1, shade=7), buffer(2, shade=8)]), counts=COUNTERS)
    camera = connected(device)
    device.counted = 1
    ignored, second = camera.capture(1, 100), camera.capture(2, 100)

    assert isinstance(ignored, MissedFrame)
    assert ignored.reason is Reason.OVERTRIGGER
    assert isinstance(second, Frame)
    assert second.pixels[0, 0] == 8
    assert device.lent == 0


def test_the_devices_clock_is_followed_through_late_arrivals() -> None:
    clock = DeviceClock()
    exposed_ns = [1_000, 2_000, 3_000]
    arrived_ns = [501_500, 502_100, 503_900]

    told = [clock.host_mono_ns(device, arrived) for device, arrived in zip(exposed_ns, arrived_ns, strict=True)]

    assert told == [501_500, 502_100, 503_100]


def test_a_frame_is_stamped_by_the_devices_clock_and_never_before_its_trigger() -> None:
    sent = [buffer(1, timestamp_ns=5_000_000_000), buffer(2, timestamp_ns=1_000_000_000)]
    camera = connected(BenchDevice(on_trigger=deque(sent)))

    first, second = camera.capture(1, 100), camera.capture(2, 100)

    assert isinstance(first, Frame)
    assert isinstance(second, Frame)
    assert first.captured_mono_ns < second.captured_mono_ns
