"""GenICam cameras that are unplugged and come back, and a producer that hangs: `viky.cti` in real camera processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from camera_cable import Cables, cables
from small_project import WIDTH_PX, StationProcess, child_named, make_project, running, status_when, why
from test_station_faults import SIDE_RECIPE, SOFTWARE, WHOLE, asked, assert_in_time, verdict_of

from lineside.client import StationClient
from lineside.wire.v1 import inspection_pb2 as pb

pytest.importorskip("harvesters", reason="the extra `genicam` is not installed")

SETTINGS = {"PixelFormat": "RGBa8", "Width": str(WIDTH_PX), "Height": "120", "AcquisitionFrameRate": "190.0"}
"""None of them is what the simulated device begins with."""


def camera(producer: Path, serial: str) -> str:
    return f"""backend = "genicam"
producers = ["{producer}"]
serial = "{serial}"
trigger = "free_run"
device_pixel_format = "RGBa8"
features = {{ AcquisitionFrameRate = 190.0 }}
"""


def two_cameras(folder: Path, producer: Path) -> Path:
    """A project of two views; each camera has a process, and so a producer, of its own."""
    side = f'[cameras.side]\npixel_format = "Mono8"\nsize_px = [160, 120]\n{camera(producer, "2")}'
    top = camera(producer, "1")
    return make_project(folder, trigger=SOFTWARE, recipe=SIDE_RECIPE, camera=f"{top}\n{side}", due_ms=20_000)


def assert_as_declared(status: pb.GetStationStatusResponse, restarts: int) -> None:
    """Both cameras are connected with their settings; the first was replaced so often, the other never."""
    top, side = status.cameras
    assert [(top.serial, top.restarts >= restarts), (side.serial, side.restarts)] == [("1", True), ("2", 0)]
    for of_camera in (top, side):
        assert SETTINGS.items() <= dict(of_camera.settings).items()


async def pulled_and_plugged_in(station: StationProcess, client: StationClient, cable: Cables) -> None:
    """The first camera goes and comes back; every part gets its verdict, and the other camera never notices."""
    other = child_named(station, "camera side")
    assert why(await verdict_of(client, "before")) in WHOLE
    cable.pull("1")
    struck = await verdict_of(client, "struck")
    assert why(struck) == "NOT_INSPECTED CAMERA_LOST"
    assert "camera 1 does not answer" in struck.detail
    assert struck.latency.decide_ns < struck.due_ns, "it is not left until it is due"
    assert_in_time(struck)

    status = await status_when(client, lambda status: "no camera with serial" in status.why_not_ready)
    assert "expected one of '0', '2'" in status.why_not_ready
    without = await verdict_of(client, "without it")
    assert why(without) == "NOT_INSPECTED CAMERA_LOST"
    assert [image.view for image in without.images] == ["side"]
    cable.plug_in("1")
    assert_as_declared(await status_when(client, lambda status: status.ready), restarts=1)
    assert child_named(station, "camera side") == other
    assert why(await verdict_of(client, "after")) in WHOLE


async def test_a_genicam_camera_is_unplugged_and_back_with_its_settings_and_the_other_never_notices(
    tmp_path: Path,
) -> None:
    with cables(tmp_path) as cable, running(two_cameras(tmp_path, cable.producer)) as station:
        async with StationClient(station.address) as client:
            assert_as_declared(await client.status(), restarts=0)
            for _ in range(2):
                await pulled_and_plugged_in(station, client, cable)


async def test_a_producer_that_hangs_costs_its_part_and_the_camera_is_back_with_its_settings(tmp_path: Path) -> None:
    with running(two_cameras(tmp_path, Path("viky.cti"))) as station:
        async with StationClient(station.address) as client:
            assert why(await verdict_of(client, "before")) in WHOLE
            hung, other = child_named(station, "camera top"), child_named(station, "camera side")
            os.kill(hung, signal.SIGSTOP)
            struck = asked(client, "struck", due_ms=500)
            assert why((await struck).verdict) == "NOT_INSPECTED NO_FRAME"
            assert_in_time((await struck).verdict)
            status = await status_when(client, lambda status: status.cameras[0].restarts == 1 and status.ready)
            assert_as_declared(status, restarts=1)
            assert child_named(station, "camera top") != hung
            assert child_named(station, "camera side") == other
            assert why(await verdict_of(client, "after")) in WHOLE
