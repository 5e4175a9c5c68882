"""What the simulated camera promises beyond what every camera does: its parts' truth, and faults on demand."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from lineside.cameras.scenes import render
from lineside.cameras.simulated import SimulatedCamera, SimulatedConfig, truth_of_part
from lineside.core.errors import CameraLost, ConfigError
from lineside.core.frame import Frame, MissedFrame
from lineside.core.ports import EndOfSource
from lineside.core.reason import Reason


def camera_of(**keys: Any) -> SimulatedCamera:
    camera = SimulatedCamera("face", SimulatedConfig(**{"size_px": (160, 120), **keys}))
    camera.connect()
    return camera


def switch(control: Path, **content: Any) -> None:
    """Replaces the control file in one step, as its documentation demands."""
    fresh = control.with_suffix(".new")
    fresh.write_text(json.dumps(content), "utf-8")
    fresh.rename(control)


def all_of(camera: SimulatedCamera) -> list[Frame | MissedFrame]:
    results: list[Frame | MissedFrame] = []
    try:
        while True:
            if (result := camera.wait(1000)) is not None:
                results.append(result)
    except EndOfSource:
        return results


def test_each_part_is_the_one_that_its_part_id_says() -> None:
    config = SimulatedConfig(size_px=(160, 120), count=5, index_from=100, seed=7)
    camera = SimulatedCamera("face", config)
    camera.connect()

    frames = all_of(camera)

    assert [f"plate-{index:06d}" for index in range(100, 105)] == [frame.part_id for frame in frames]
    for index, frame in enumerate(frames, start=100):
        assert isinstance(frame, Frame)
        assert np.array_equal(render("plate", 7, index, config.scene).pixels, frame.pixels)
        assert render("plate", 7, index, config.scene).truth == truth_of_part(config, frame.part_id)
        assert frame.simulated


def test_the_truth_of_a_part_from_elsewhere_is_refused() -> None:
    with pytest.raises(ConfigError, match="cup-000001"):
        truth_of_part(SimulatedConfig(), "cup-000001")


def test_parts_are_counted_by_the_camera_and_not_by_trigger_numbers() -> None:
    camera = camera_of()

    frames = [camera.capture(number, 500) for number in (17, 4711, 5)]

    assert ["plate-000000", "plate-000001", "plate-000002"] == [frame.part_id for frame in frames]


def test_the_takt_does_not_drift() -> None:
    camera = camera_of(takt_ms=20, count=6)

    moments = [frame.captured_mono_ns for frame in all_of(camera) if isinstance(frame, Frame)]

    assert [20_000_000] * 5 == list(np.diff(moments))


def test_the_line_stands_still_until_the_next_part_is_due() -> None:
    camera = camera_of(takt_ms=60_000)

    assert camera.wait(10) is None


def test_a_lost_frame_is_named_and_leaves_a_gap_in_the_counter() -> None:
    results = all_of(camera_of(count=4, faults=[{"kind": "lost_frame", "at": [1]}]))

    assert [Reason.FRAME_LOST] == [result.reason for result in results if isinstance(result, MissedFrame)]
    assert "plate-000001" == results[1].part_id
    assert [1, 3, 4] == [result.frame_id for result in results if isinstance(result, Frame)]


def test_every_second_frame_can_be_damaged() -> None:
    results = all_of(camera_of(count=6, faults=[{"kind": "damaged_frame", "every": 2}]))

    assert [1, 3, 5] == [index for index, result in enumerate(results) if isinstance(result, MissedFrame)]
    assert {Reason.FRAME_DAMAGED} == {result.reason for result in results if isinstance(result, MissedFrame)}


def test_a_rate_of_faults_is_the_same_again_with_the_same_seed() -> None:
    runs = [
        [type(result) for result in all_of(camera_of(count=60, seed=3, faults=[{"kind": "lost_frame", "rate": 0.3}]))]
        for _ in range(2)
    ]

    assert runs[0] == runs[1]
    assert 5 <= runs[0].count(MissedFrame) <= 35


def test_a_stalled_capture_returns_within_its_timeout() -> None:
    camera = camera_of(faults=[{"kind": "stall", "at": [0], "for_ms": 60_000}])

    missed, frame = camera.capture(1, 30), camera.capture(2, 500)

    assert isinstance(missed, MissedFrame) and missed.reason is Reason.NO_FRAME
    assert isinstance(frame, Frame) and frame.part_id == "plate-000001"


def test_a_stall_shorter_than_the_timeout_only_delays() -> None:
    assert isinstance(camera_of(faults=[{"kind": "stall", "at": [0], "for_ms": 20}]).capture(1, 5000), Frame)


def test_a_stalled_frame_of_a_paced_camera_comes_late_with_its_own_exposure_time() -> None:
    camera = camera_of(count=1, takt_ms=1, faults=[{"kind": "stall", "at": [0], "for_ms": 300}])

    answers = [camera.wait(10)]
    while answers[-1] is None:
        answers.append(camera.wait(10))
    frame = answers[-1]

    assert answers[0] is None
    assert isinstance(frame, Frame)
    assert time.monotonic_ns() - frame.captured_mono_ns >= 300_000_000


def test_a_hang_does_not_mind_the_timeout() -> None:
    camera = camera_of(faults=[{"kind": "hang", "at": [0], "for_ms": 120}])
    begun_ns = time.monotonic_ns()

    camera.capture(1, 5)

    assert time.monotonic_ns() - begun_ns >= 120_000_000


def test_a_disconnected_camera_can_be_connected_when_its_time_is_over() -> None:
    camera = camera_of(faults=[{"kind": "disconnect", "at": [1], "for_ms": 500}])
    camera.capture(1, 500)

    with pytest.raises(CameraLost, match="disconnected at part 1"):
        camera.capture(2, 500)
    camera.close()
    with pytest.raises(CameraLost, match="does not answer"):
        camera.connect()
    time.sleep(0.55)
    camera.connect()

    assert "plate-000002" == camera.capture(3, 500).part_id


def test_a_closed_camera_is_lost() -> None:
    camera = camera_of()
    camera.close()
    camera.close()

    with pytest.raises(CameraLost, match="not connected"):
        camera.capture(1, 100)


def test_a_trigger_that_comes_too_soon_is_ignored_and_counted() -> None:
    camera = camera_of(busy_ms=60_000)

    first, second = camera.capture(1, 500), camera.capture(2, 500)

    assert isinstance(first, Frame)
    assert isinstance(second, MissedFrame) and second.reason is Reason.OVERTRIGGER
    assert (2, 1) == (camera.triggers, camera.triggers_ignored)


def test_a_reader_that_is_far_behind_loses_frames_by_name() -> None:
    camera = camera_of(takt_ms=5, count=12, buffers=2)
    time.sleep(0.15)

    results = all_of(camera)

    assert 12 == len(results)
    assert {Reason.FRAME_LOST} == {result.reason for result in results if isinstance(result, MissedFrame)}


def test_faults_are_switched_while_the_camera_runs(tmp_path: Path) -> None:
    control = tmp_path / "faults.json"
    camera = camera_of(control_file=control)
    kinds = [type(camera.capture(1, 500))]

    switch(control, faults=[{"kind": "lost_frame", "first": 2}])
    kinds += [type(camera.capture(number, 500)) for number in (2, 3, 4)]
    switch(control, faults=[{"kind": "damaged_frame", "first": 1}])
    kinds += [type(camera.capture(number, 500)) for number in (5, 6)]

    assert [Frame, MissedFrame, MissedFrame, Frame, MissedFrame, Frame] == kinds


def test_an_unplugged_camera_is_gone_until_it_is_plugged_in_again(tmp_path: Path) -> None:
    control = tmp_path / "faults.json"
    camera = camera_of(control_file=control, takt_ms=5)

    switch(control, unplugged=True)
    with pytest.raises(CameraLost):
        while True:
            camera.wait(50)
    with pytest.raises(CameraLost):
        camera.connect()
    switch(control, unplugged=False)
    camera.connect()

    assert isinstance(camera.wait(1000), Frame)


def test_a_control_file_that_cannot_be_understood_is_named(tmp_path: Path) -> None:
    control = tmp_path / "faults.json"
    camera = camera_of(control_file=control)
    control.write_text('{"faults": [{"kind": "explode", "first": 1}]}', "utf-8")

    with pytest.raises(ConfigError, match=r"faults\.json"):
        camera.capture(1, 500)


def test_prerendered_parts_are_shown_again_and_again() -> None:
    config = SimulatedConfig(size_px=(160, 120), count=7, prerendered=3, defect_rate=0.5)
    camera = SimulatedCamera("face", config)
    camera.connect()

    frames = [result for result in all_of(camera) if isinstance(result, Frame)]

    assert [f"plate-{index:06d}" for index in range(7)] == [frame.part_id for frame in frames]
    assert np.array_equal(frames[1].pixels, frames[4].pixels)
    assert truth_of_part(config, "plate-000001").defects == truth_of_part(config, "plate-000004").defects


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"product": "cup"}, "board, gasket, plate"),
        ({"severity": [1.0, 0.2]}, "backwards"),
        ({"pixel_format": "BayerRG8"}, "only cameras speak"),
        ({"faults": [{"kind": "stall"}]}, "strikes no part"),
        ({"faults": [{"kind": "stall", "at": ["3"]}]}, "integer"),
        ({"takt": 5}, "Extra inputs"),
    ],
)
def test_what_is_declared_wrongly_is_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        SimulatedConfig(**keys)
