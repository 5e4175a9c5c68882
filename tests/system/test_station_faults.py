"""Whatever breaks, each part gets its one verdict in time, with the right reason, and the rest never notices."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
from pathlib import Path

import pytest
from small_project import (
    StationProcess,
    child_named,
    image_states,
    make_project,
    running,
    status_when,
    why,
)

from lineside.client import StationClient
from lineside.wire.v1 import inspection_pb2 as pb

SOFTWARE = 'source = "software"'
SIMULATED = 'backend = "simulated"'
SIDE_RECIPE = """[views.side]
package = "small"
pixel_format = "Mono8"
size_px = [160, 120]
"""
SIDE_CAMERA = """[cameras.side]
pixel_format = "Mono8"
size_px = [160, 120]
backend = "simulated"
"""
WHOLE = ("PASS", "FAIL DEFECTS")
"""A part that was looked at; which of the two it is does not matter here."""


def two_views(folder: Path, *, top: str = SIMULATED, side: str = "", **more: str | int) -> Path:
    """A project with two simulated cameras."""
    return make_project(folder, recipe=SIDE_RECIPE, camera=f"{top}\n{SIDE_CAMERA}{side}", **more)


def switch(station: StationProcess, **control: object) -> None:
    """Writes the simulated camera's control file, whole, as its documentation asks."""
    new = station.project / "control.new"
    new.write_text(json.dumps(control))
    new.replace(station.project / "control.json")


def asked(client: StationClient, part_id: str, due_ms: int | None = None) -> asyncio.Task[pb.TriggerInspectionResponse]:
    """Triggers at once; the task ends with the verdict."""
    return asyncio.create_task(client.trigger(part_id, wait=True, due_ms=due_ms))


async def verdict_of(client: StationClient, part_id: str, due_ms: int | None = None) -> pb.Verdict:
    return (await client.trigger(part_id, wait=True, due_ms=due_ms)).verdict


def assert_in_time(verdict: pb.Verdict) -> None:
    """Decided before its due time, by the station's own clock."""
    assert verdict.slack_ns >= 0
    assert verdict.latency.decide_ns <= verdict.due_ns


# Processes


async def test_a_camera_that_dies_in_mid_part_costs_that_part_only_and_is_replaced(tmp_path: Path) -> None:
    with running(two_views(tmp_path, trigger=SOFTWARE)) as station:
        async with StationClient(station.address) as client:
            camera, other = child_named(station, "camera side"), child_named(station, "camera top")
            os.kill(camera, signal.SIGSTOP)  # now it cannot answer before it is killed
            part = asked(client, "struck", due_ms=20_000)
            await status_when(client, lambda status: status.counters.in_flight == 1)
            os.kill(camera, signal.SIGKILL)
            struck = (await part).verdict
            assert why(struck) == "NOT_INSPECTED CAMERA_LOST"
            assert "side" in struck.detail
            assert_in_time(struck)

            status = await status_when(client, lambda status: status.ready)
            assert [(camera.view, camera.restarts) for camera in status.cameras] == [("top", 0), ("side", 1)]
            assert child_named(station, "camera top") == other
            assert why(await verdict_of(client, "next")) in WHOLE


async def test_a_camera_that_stands_still_is_named_until_it_is_replaced(tmp_path: Path) -> None:
    # With a takt the simulated camera does not queue triggers: it is busy, as a real one.
    station_file = two_views(tmp_path, trigger=SOFTWARE, side="takt_ms = 1")
    with running(station_file) as station:
        async with StationClient(station.address) as client:
            os.kill(child_named(station, "camera side"), signal.SIGSTOP)
            struck = asked(client, "struck", due_ms=2_000)
            await status_when(client, lambda status: status.counters.in_flight == 1)
            meanwhile = await verdict_of(client, "meanwhile", due_ms=2_000)
            assert why(meanwhile) == "NOT_INSPECTED OVERTRIGGER"
            assert why((await struck).verdict) == "NOT_INSPECTED NO_FRAME"
            assert_in_time((await struck).verdict)
            assert_in_time(meanwhile)

            await status_when(client, lambda status: status.cameras[1].restarts == 1 and status.ready)
            status = await client.status()
            assert status.cameras[0].restarts == 0
            assert why(await verdict_of(client, "next")) in WHOLE


async def test_an_inspector_that_dies_costs_the_part_it_was_judging_and_no_other(tmp_path: Path) -> None:
    with running(make_project(tmp_path, trigger=SOFTWARE)) as station:
        async with StationClient(station.address) as client:
            inspector = child_named(station, "inspector 1")
            os.kill(inspector, signal.SIGSTOP)
            parts = []
            for number in range(4):
                parts.append(asked(client, f"part {number}", due_ms=30_000))
                await status_when(client, lambda status, number=number: status.counters.in_flight == number + 1)
            await status_when(client, lambda status: status.cameras[0].frames == 4)
            os.kill(inspector, signal.SIGKILL)
            verdicts = [(await part).verdict for part in parts]

            assert [why(verdict) for verdict in verdicts[:1]] == ["NOT_INSPECTED DEVICE_LOST"]
            assert all(why(verdict) in WHOLE for verdict in verdicts[1:])
            assert verdicts[0].sequence == 1, "it is told at once, not when the inspector is back"
            for verdict in verdicts:
                assert_in_time(verdict)
            status = await status_when(client, lambda status: status.ready)
            assert (status.inspectors[0].restarts, status.cameras[0].restarts) == (1, 0)


async def test_an_inspector_that_hangs_is_replaced_and_what_it_says_later_is_told_to_nobody(tmp_path: Path) -> None:
    tables = "[inspector]\nhang_ms = 300"
    with running(make_project(tmp_path, trigger=SOFTWARE, serve=tables)) as station:
        async with StationClient(station.address) as client:
            inspector = child_named(station, "inspector 1")
            os.kill(inspector, signal.SIGSTOP)
            late = asked(client, "due before it counts as hung", due_ms=300)
            await status_when(client, lambda status: status.counters.in_flight == 1)
            hung = asked(client, "due afterwards", due_ms=30_000)
            assert why((await late).verdict) == "NOT_INSPECTED DUE_TIME"
            assert_in_time((await late).verdict)
            assert why((await hung).verdict) in WHOLE  # it had not been begun: its successor judges it
            assert_in_time((await hung).verdict)
            status = await status_when(client, lambda status: status.ready)
            assert status.inspectors[0].restarts == 1
            assert status.counters.late == 1
            assert status.counters.triggers == 2


async def test_an_inspector_that_thinks_too_long_is_too_late_and_goes_on(tmp_path: Path) -> None:
    with running(make_project(tmp_path, trigger=SOFTWARE)) as station:
        async with StationClient(station.address) as client:
            inspector = child_named(station, "inspector 1")
            os.kill(inspector, signal.SIGSTOP)
            late = await verdict_of(client, "late", due_ms=200)
            os.kill(inspector, signal.SIGCONT)
            assert why(late) == "NOT_INSPECTED DUE_TIME"
            assert_in_time(late)

            status = await status_when(client, lambda status: status.counters.late == 1)
            assert (status.counters.triggers, status.counters.not_inspected) == (1, 1)
            assert (await client.verdict(trigger_number=late.trigger_number)).verdict == late
            assert why(await verdict_of(client, "next")) in WHOLE
            assert child_named(station, "inspector 1") == inspector


async def test_while_no_inspector_can_be_had_every_part_is_answered_in_time(tmp_path: Path) -> None:
    with running(make_project(tmp_path, trigger=SOFTWARE)) as station:
        package, away = tmp_path / "models" / "small", tmp_path / "models" / "away"
        async with StationClient(station.address) as client:
            package.rename(away)
            os.kill(child_named(station, "inspector 1"), signal.SIGKILL)
            status = await status_when(client, lambda status: not status.ready)
            assert "inspector 1" in status.why_not_ready
            for number in range(3):
                verdict = await verdict_of(client, f"part {number}", due_ms=200)
                assert why(verdict) == "NOT_INSPECTED DEVICE_LOST"
                assert_in_time(verdict)

            await status_when(client, lambda status: status.inspectors[0].restarts >= 2)
            assert "models/small" in (await client.status()).why_not_ready
            away.rename(package)
            await status_when(client, lambda status: status.ready)
            assert why(await verdict_of(client, "next")) in WHOLE


async def test_without_the_archiver_parts_are_judged_and_lost_images_are_named(tmp_path: Path) -> None:
    with running(make_project(tmp_path, trigger=SOFTWARE, recipe="[images]\npass_share = 1.0")) as station:
        async with StationClient(station.address) as client:
            archiver = child_named(station, "archiver")
            os.kill(archiver, signal.SIGSTOP)
            verdicts = [await verdict_of(client, f"part {number}") for number in range(2)]
            assert all(why(verdict) in WHOLE for verdict in verdicts)
            os.kill(archiver, signal.SIGKILL)
            await status_when(client, lambda status: status.archive.failed == 2)
            for verdict in verdicts:
                assert await image_states(client, verdict) == ["failed"]

            later = await verdict_of(client, "later")  # kept when the archiver is back
            assert await image_states(client, later) == ["kept"]
            description, content = await client.image(later.images[0].image_id)
            assert (description.width_px, description.size_bytes) == (160, len(content))
            assert (await client.status()).ready


async def test_a_station_that_is_held_up_for_a_moment_can_still_be_reached(tmp_path: Path) -> None:
    with running(make_project(tmp_path, trigger=SOFTWARE)) as station:
        os.kill(station.process.pid, signal.SIGSTOP)
        async with StationClient(station.address) as client:
            first_call = asyncio.create_task(client.status())
            await asyncio.sleep(0.5)
            os.kill(station.process.pid, signal.SIGCONT)
            assert (await first_call).ready


# The model, the disk


async def test_a_model_that_answers_nan_judges_no_part(tmp_path: Path) -> None:
    with running(make_project(tmp_path, trigger=SOFTWARE, nan=True)) as station:
        async with StationClient(station.address) as client:
            for number in range(2):
                verdict = await verdict_of(client, f"part {number}")
                assert why(verdict) == "NOT_INSPECTED MODEL_ERROR"
                assert "NaN" in verdict.detail
            assert (await client.status()).inspectors[0].restarts == 0


async def test_a_disk_that_takes_its_time_delays_the_answer_and_nothing_else(tmp_path: Path) -> None:
    with running(make_project(tmp_path, trigger=SOFTWARE)) as station:
        async with StationClient(station.address) as client:
            disk = sqlite3.connect(tmp_path / "var" / "journal.sqlite", isolation_level=None)
            for number in range(5):
                disk.execute("BEGIN IMMEDIATE")  # the journal's next commit waits for this one
                part = asked(client, f"part {number}")
                await status_when(client, lambda status: status.inspectors[0].judged == number + 1)  # noqa: B023
                assert not part.done(), "nothing is told before it is recorded"
                disk.execute("ROLLBACK")
                assert why((await part).verdict) in WHOLE
            disk.close()


# The camera's own troubles


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"kind": "lost_frame"}, "FRAME_LOST"),
        ({"kind": "damaged_frame"}, "FRAME_DAMAGED"),
        ({"kind": "old_frame"}, "FRAME_LOST"),
        ({"kind": "overtrigger"}, "OVERTRIGGER"),
        ({"kind": "stall", "for_ms": 700}, "NO_FRAME"),
        ({"kind": "disconnect"}, "CAMERA_LOST"),
        ({"kind": "hang"}, "NO_FRAME"),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else value,
)
async def test_a_part_without_a_frame_is_named_with_its_reason(
    fault: dict[str, object], reason: str, tmp_path: Path
) -> None:
    station_file = make_project(tmp_path, trigger=SOFTWARE, camera=f'{SIMULATED}\ncontrol_file = "control.json"')
    with running(station_file) as station:
        async with StationClient(station.address) as client:
            assert why(await verdict_of(client, "before")) in WHOLE
            switch(station, faults=[{**fault, "first": 1}])
            struck = await verdict_of(client, "struck", due_ms=500)
            switch(station)
            assert why(struck) == f"NOT_INSPECTED {reason}"
            assert struck.part_id == "struck"
            assert_in_time(struck)

            replaced = fault["kind"] in ("disconnect", "hang")
            await status_when(client, lambda status: status.ready and status.cameras[0].restarts == replaced)
            assert why(await verdict_of(client, "after")) in WHOLE


async def test_a_station_whose_camera_is_absent_starts_and_says_so_until_the_camera_comes(tmp_path: Path) -> None:
    station_file = make_project(tmp_path, trigger=SOFTWARE, camera=f'{SIMULATED}\ncontrol_file = "control.json"')
    (tmp_path / "control.json").write_text('{"unplugged": true}')
    with running(station_file) as station:
        async with StationClient(station.address) as client:
            status = await client.status()
            assert not status.ready
            assert "camera top" in status.why_not_ready
            verdict = await verdict_of(client, "too early")
            assert why(verdict) == "NOT_INSPECTED CAMERA_LOST"
            assert_in_time(verdict)
            switch(station)
            await status_when(client, lambda status: status.ready)
            assert why(await verdict_of(client, "next")) in WHOLE


async def test_triggers_faster_than_the_camera_are_overtriggers_by_name(tmp_path: Path) -> None:
    station_file = make_project(tmp_path, trigger=SOFTWARE, camera=f"{SIMULATED}\ntakt_ms = 1")
    with running(station_file) as station:
        async with StationClient(station.address) as client:
            camera = child_named(station, "camera top")
            os.kill(camera, signal.SIGSTOP)
            first = asked(client, "first", due_ms=20_000)
            await status_when(client, lambda status: status.counters.in_flight == 1)
            for number in range(3):
                verdict = await verdict_of(client, f"too soon {number}")
                assert why(verdict) == "NOT_INSPECTED OVERTRIGGER"
                assert "trigger 1" in verdict.detail
            os.kill(camera, signal.SIGCONT)
            assert why((await first).verdict) in WHOLE


# Several views


async def test_two_views_of_cameras_that_are_asked_make_one_verdict(tmp_path: Path) -> None:
    side = "seed = 2\nfaults = [{kind = 'lost_frame', at = [3]}]"
    with running(two_views(tmp_path, trigger=SOFTWARE, side=side, due_ms=30_000)) as station:
        async with StationClient(station.address) as client:
            verdicts = [await verdict_of(client, f"part {number}") for number in range(6)]
    lost = verdicts.pop(3)
    assert why(lost) == "NOT_INSPECTED FRAME_LOST"
    assert [image.view for image in lost.images] == ["top"], "the frame that came is kept"
    assert all(why(verdict) in WHOLE for verdict in verdicts)
    assert all([score.view for score in verdict.view_scores] == ["top", "side"] for verdict in verdicts)


async def heard(client: StationClient, count: int) -> list[pb.Verdict]:
    """The first verdicts of the journal, by trigger number."""
    async with client.verdicts(after_sequence=0) as reader:
        verdicts = [await anext(aiter(reader)) for _ in range(count)]
    return sorted(verdicts, key=lambda verdict: verdict.trigger_number)


async def test_two_views_of_cameras_that_set_the_pace_make_one_verdict(tmp_path: Path) -> None:
    # More damaged frames in a row than there is room for parts: neither camera may end up waiting for the other.
    damaged = [7, 20, 21, 22, 23, 24, 25, 26]
    station_file = two_views(
        tmp_path,
        trigger='source = "camera"\njoin_ms = 10000',
        top=f"{SIMULATED}\ncount = 40",
        side=f"count = 40\nseed = 2\nfaults = [{{kind = 'damaged_frame', at = {damaged}}}]",
        due_ms=30_000,
    )
    with running(station_file) as station:
        async with StationClient(station.address) as client:
            verdicts = await heard(client, 40)
            status = await status_when(client, lambda status: status.counters.in_flight == 0)
    assert status.counters.triggers == 40
    assert [verdict.part_id for verdict in verdicts] == [f"plate-{index:06d}" for index in range(40)]
    for index, verdict in enumerate(verdicts):
        if index in damaged:
            assert why(verdict) == "NOT_INSPECTED FRAME_DAMAGED"
        else:
            assert why(verdict) in WHOLE
            assert [score.view for score in verdict.view_scores] == ["top", "side"]
            assert verdict.latency.decide_ns < 10_000_000_000, "no part waited for its time to join to pass"


async def test_views_of_different_parts_never_make_one_verdict(tmp_path: Path) -> None:
    station_file = two_views(
        tmp_path,
        trigger='source = "camera"\njoin_ms = 1000',
        top=f"{SIMULATED}\ncount = 10",
        side="count = 10\nindex_from = 1",  # it did not see the first part
        due_ms=30_000,
    )
    with running(station_file) as station:
        async with StationClient(station.address) as client:
            verdicts = await heard(client, 11)
    by_part = {verdict.part_id: verdict for verdict in verdicts}
    assert by_part.keys() == {f"plate-{index:06d}" for index in range(11)}
    for index, missing in ((0, "side"), (10, "top")):
        alone = by_part.pop(f"plate-{index:06d}")
        assert why(alone) == "NOT_INSPECTED NO_FRAME"
        assert f"no frame of view {missing} within 1000 ms" in alone.detail
    for verdict in by_part.values():
        assert why(verdict) in WHOLE
        assert [score.view for score in verdict.view_scores] == ["top", "side"]


async def test_a_camera_that_sets_the_pace_and_dies_leaves_its_view_missing_by_name(tmp_path: Path) -> None:
    station_file = two_views(
        tmp_path,
        trigger='source = "camera"\njoin_ms = 150',
        top=f"{SIMULATED}\ntakt_ms = 200",
        side='takt_ms = 200\ncontrol_file = "control.json"',
    )
    with running(station_file) as station:
        async with StationClient(station.address) as client, client.verdicts() as reader:
            switch(station, unplugged=True)
            async for verdict in reader:
                if why(verdict) == "NOT_INSPECTED CAMERA_LOST":
                    assert "side" in verdict.detail
                    assert_in_time(verdict)
                    break
            switch(station)
            status = await status_when(client, lambda status: status.ready)
            assert status.cameras[0].restarts == 0


# People, and too much at once


async def test_a_paused_station_answers_every_part_at_once_and_none_with_pass(tmp_path: Path) -> None:
    with running(make_project(tmp_path, trigger=SOFTWARE)) as station:
        async with StationClient(station.address) as client:
            await client.pause(requested_by="Ann", why="cleaning the lens")
            status = await client.status()
            assert (status.ready, status.paused) == (False, True)
            for number in range(20):
                verdict = await verdict_of(client, f"part {number}")
                assert why(verdict) == "NOT_INSPECTED OPERATOR_OFFLINE"
                assert "cleaning the lens (by Ann)" in verdict.detail
            await client.resume(requested_by="Ann")
            assert why(await verdict_of(client, "next")) in WHOLE
            assert (await client.status()).cameras[0].frames == 1, "nothing was photographed for parts refused"


async def test_more_parts_in_flight_than_declared_are_refused_by_name(tmp_path: Path) -> None:
    with running(make_project(tmp_path, trigger=f"{SOFTWARE}\nmax_in_flight = 2")) as station:
        async with StationClient(station.address) as client:
            inspector = child_named(station, "inspector 1")
            os.kill(inspector, signal.SIGSTOP)
            parts = [asked(client, f"part {number}", due_ms=20_000) for number in range(2)]
            await status_when(client, lambda status: status.counters.in_flight == 2)
            refused = await verdict_of(client, "one too many")
            assert why(refused) == "NOT_INSPECTED QUEUE_FULL"
            assert "limit 2" in refused.detail
            os.kill(inspector, signal.SIGCONT)
            for part in parts:
                assert why((await part).verdict) in WHOLE
            assert why(await verdict_of(client, "next")) in WHOLE
