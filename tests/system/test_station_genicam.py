"""A station with a GenICam camera: the simulator `viky.cti`, through the same producer interface as any vendor's."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_project import WIDTH_PX, make_project, running, status_when, why

from lineside.client import StationClient

pytest.importorskip("harvesters", reason="the extra `genicam` is not installed")

CAMERA = """backend = "genicam"
producers = ["viky.cti"]
serial = "1"
trigger = "free_run"
device_pixel_format = "RGBa8"
features = { AcquisitionFrameRate = 190.0 }
"""


async def test_a_hundred_software_triggers_get_a_hundred_verdicts(tmp_path: Path) -> None:
    with running(make_project(tmp_path, trigger='source = "software"', camera=CAMERA)) as station:
        async with StationClient(station.address) as client:
            camera = (await client.status()).cameras[0]
            assert (camera.backend, camera.serial, camera.connected) == ("genicam", "1", True)
            asked_for = {"AcquisitionFrameRate": "190.0", "PixelFormat": "RGBa8", "Width": str(WIDTH_PX)}
            assert asked_for.items() <= dict(camera.settings).items()

            answers = [await client.trigger(f"part {number}", wait=True) for number in range(100)]
            assert [answer.trigger_number for answer in answers] == list(range(1, 101))
            assert [answer.verdict.part_id for answer in answers] == [f"part {number}" for number in range(100)]
            assert {why(answer.verdict) for answer in answers} <= {"PASS", "FAIL DEFECTS"}
            for answer in answers:
                assert answer.verdict.captured_utc_ns >= answer.verdict.triggered_utc_ns - 1_000_000
            status = await status_when(client, lambda status: status.counters.in_flight == 0)
            assert (status.counters.triggers, status.cameras[0].frames, status.cameras[0].restarts) == (100, 100, 0)


def test_a_setting_that_the_camera_does_not_take_refuses_to_start(tmp_path: Path) -> None:
    from test_station_refuses import refusal

    station = make_project(tmp_path, trigger='source = "software"', camera=CAMERA.replace("190.0", "999.0"))
    said = refusal(station)
    assert "asked for AcquisitionFrameRate = 999.0" in said
    assert "expected: 1.0 to 200.0 Hz" in said
