"""What every camera backend promises. The rows are in camera_cases.CASES."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from camera_cases import CASES, CameraCase, Keys, why_skipped

from lineside.core.errors import CameraLost, ConfigError
from lineside.core.frame import Frame, MissedFrame
from lineside.core.ports import Camera
from lineside.core.reason import Reason

TIMEOUT_MS = 10_000
MakeCamera = Callable[..., Camera]


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> CameraCase:
    chosen: CameraCase = request.param
    if reason := why_skipped(chosen):
        pytest.skip(reason)
    return chosen


@pytest.fixture
def keys(case: CameraCase, tmp_path: Path) -> Iterator[Keys]:
    """What the station file would say of the row's camera."""
    with contextlib.ExitStack() as stack:
        yield case.prepare(tmp_path, stack)


@pytest.fixture
def make(case: CameraCase, keys: Keys) -> Iterator[MakeCamera]:
    """Makes the row's camera, with some keys changed; closes it in the end."""
    with contextlib.ExitStack() as stack:

        def made(**changes: object) -> Camera:
            camera = case.camera("top", case.config.model_validate({**keys, **changes}))
            stack.callback(camera.close)
            return camera

        yield made


def _wait_for_frame(camera: Camera) -> Frame:
    deadline_s = time.monotonic() + TIMEOUT_MS / 1000
    while time.monotonic() < deadline_s:
        shot = camera.wait(200)
        if isinstance(shot, Frame):
            return shot
    raise AssertionError("no frame came")


def _capture_frame(camera: Camera, number: int = 1) -> Frame:
    shot = camera.capture(number, TIMEOUT_MS)

    assert isinstance(shot, Frame), shot

    return shot


def test_connect_reports_what_the_camera_really_is(keys: Keys, make: MakeCamera) -> None:
    report = make().connect()

    assert [report.width_px, report.height_px] == keys["size_px"]
    assert report.pixel_format == keys["pixel_format"]
    assert report.serial
    assert report.model


def test_settings_are_reported_as_read_back(case: CameraCase, make: MakeCamera) -> None:
    report = make().connect()

    assert case.settings.items() <= report.settings.items()


@pytest.mark.parametrize("take", [_capture_frame, _wait_for_frame], ids=["capture", "wait"])
def test_a_frame_is_what_was_declared(take: Callable[[Camera], Frame], keys: Keys, make: MakeCamera) -> None:
    camera = make()
    report = camera.connect()

    frame = take(camera).check()

    assert [frame.width_px, frame.height_px] == keys["size_px"]
    assert frame.pixel_format == keys["pixel_format"]
    assert frame.pixels.flags.c_contiguous
    assert ("top", report.serial, report.simulated) == (frame.view, frame.camera_serial, frame.simulated)


def test_each_trigger_gets_a_frame_exposed_after_it(make: MakeCamera) -> None:
    camera = make()
    camera.connect()
    last_id = 0
    for number in range(1, 6):
        triggered_mono_ns = time.monotonic_ns()

        frame = _capture_frame(camera, number)

        assert frame.frame_id > last_id
        assert frame.captured_mono_ns >= triggered_mono_ns
        last_id = frame.frame_id


def test_frame_ids_increase_while_the_camera_sets_the_pace(make: MakeCamera) -> None:
    camera = make()
    camera.connect()

    ids = [_wait_for_frame(camera).frame_id for _ in range(5)]

    assert sorted(set(ids)) == ids


def test_pixels_of_one_frame_stay_when_the_next_one_comes(make: MakeCamera) -> None:
    camera = make()
    camera.connect()
    first = _wait_for_frame(camera)
    before = first.pixels.copy()
    for _ in range(4):
        _wait_for_frame(camera)

    assert (before == first.pixels).all()


def test_a_wait_ends(make: MakeCamera) -> None:
    camera = make()
    camera.connect()
    begun_s = time.monotonic()

    for _ in range(3):
        camera.wait(1)

    assert time.monotonic() - begun_s < 5


def test_close_may_be_called_at_any_time(make: MakeCamera) -> None:
    camera = make()
    camera.close()
    camera.connect()
    camera.close()

    camera.close()


def test_a_closed_camera_connects_again(make: MakeCamera) -> None:
    camera = make()
    first = camera.connect()
    _capture_frame(camera)
    camera.close()

    again = camera.connect()

    assert first == again
    assert _capture_frame(camera).frame_id > 0


def _refusal(camera: Camera) -> tuple[str, str]:
    """What the camera says against what was declared: at connect, or in place of a frame."""
    try:
        camera.connect()
    except ConfigError as error:
        return error.what, error.expected
    shot = camera.capture(1, TIMEOUT_MS)
    assert isinstance(shot, MissedFrame)
    assert Reason.FRAME_DAMAGED is shot.reason
    what, _, expected = shot.detail.partition("expected ")
    return what, expected


@pytest.mark.parametrize("wrong", ["wrong_size", "wrong_format"])
def test_what_does_not_hold_is_refused_with_expected_and_got(case: CameraCase, make: MakeCamera, wrong: str) -> None:
    got, expected = _refusal(make(**getattr(case, wrong)))

    assert got
    assert expected


def test_a_camera_that_is_not_there_is_an_error_at_connect(case: CameraCase, make: MakeCamera) -> None:
    camera = make(**case.missing)

    with pytest.raises((CameraLost, ConfigError)):
        camera.connect()


def test_no_thread_is_left_behind(make: MakeCamera) -> None:
    before = {thread.name for thread in threading.enumerate()}
    camera = make()
    camera.connect()
    _capture_frame(camera)
    camera.close()

    after = {thread.name for thread in threading.enumerate() if "process_request_thread" not in thread.name}

    assert before == after
