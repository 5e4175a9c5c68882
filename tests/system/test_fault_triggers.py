"""A camera that ignores triggers: each is a part by name, in its place, and no picture moves to another part."""

from __future__ import annotations

from pathlib import Path

from small_project import journal_rows, make_project, running, status_when, why
from test_station_faults import SIMULATED, SOFTWARE, WHOLE, assert_in_time, heard, two_views, verdict_of

from lineside.client import StationClient

IGNORED = (3, 4, 9)
PARTS = 16
EVENTS = "SELECT detail FROM events WHERE kind LIKE '%do not add up'"


def ignoring(*indices: int) -> str:
    """A camera that takes no picture of these parts, and says only afterwards, and of no part, that there was one."""
    return f"faults = [{{kind = 'ignored_trigger', at = {list(indices)}}}]"


def part_ids(struck: tuple[int, ...]) -> list[str]:
    """The parts in their order; of those that no camera saw the line's camera cannot say which they are."""
    return ["" if index in struck else f"plate-{index:06d}" for index in range(PARTS)]


async def test_each_trigger_that_a_camera_at_its_own_pace_ignored_is_a_part_in_its_place(tmp_path: Path) -> None:
    station_file = make_project(tmp_path, camera=f"{SIMULATED}\n{ignoring(*IGNORED)}", due_ms=30_000)
    with running(station_file) as station:
        async with StationClient(station.address) as client:
            verdicts = await heard(client, PARTS)
            status = await status_when(client, lambda status: status.cameras[0].triggers_ignored == len(IGNORED))
    assert [verdict.trigger_number for verdict in verdicts] == list(range(1, PARTS + 1))
    assert [verdict.part_id for verdict in verdicts] == part_ids(IGNORED)
    for index, verdict in enumerate(verdicts):
        assert_in_time(verdict)
        if index in IGNORED:
            assert why(verdict) == "NOT_INSPECTED OVERTRIGGER"
            assert f"{IGNORED.index(index) + 1} so far" in verdict.detail
            assert not verdict.images
        else:
            assert why(verdict) in WHOLE
    assert status.cameras[0].triggers_unexplained == 0
    assert journal_rows(tmp_path, EVENTS) == []


async def test_a_trigger_that_one_of_two_cameras_ignored_joins_no_picture_to_another_part(tmp_path: Path) -> None:
    station_file = two_views(
        tmp_path,
        trigger='source = "camera"\njoin_ms = 10000',
        top=f"{SIMULATED}\n{ignoring(*IGNORED)}",
        side=f"seed = 2\n{ignoring(4, 6)}",
        due_ms=30_000,
    )
    with running(station_file) as station:
        async with StationClient(station.address) as client:
            verdicts = await heard(client, PARTS)
            status = await status_when(client, lambda status: status.cameras[1].triggers_ignored == 2)
    assert [verdict.part_id for verdict in verdicts] == part_ids((4,))
    for index, verdict in enumerate(verdicts):
        seen = [view for view, struck in (("top", IGNORED), ("side", (4, 6))) if index not in struck]
        assert sorted(image.view for image in verdict.images) == sorted(seen)
        assert why(verdict) in WHOLE if len(seen) == 2 else why(verdict) == "NOT_INSPECTED OVERTRIGGER"
    assert [(camera.triggers_ignored, camera.triggers_unexplained) for camera in status.cameras] == [(3, 0), (2, 0)]


async def test_a_trigger_that_a_camera_ignored_when_it_was_asked_is_that_parts(tmp_path: Path) -> None:
    station_file = two_views(tmp_path, trigger=SOFTWARE, top=f"{SIMULATED}\n{ignoring(1, 2)}")
    with running(station_file) as station:
        async with StationClient(station.address) as client:
            verdicts = [await verdict_of(client, f"part {number}") for number in range(5)]
            status = await client.status()
    ignored = ["NOT_INSPECTED OVERTRIGGER"] * 2
    assert [why(verdict) for verdict in verdicts[1:3]] == ignored
    assert all(why(verdict) in WHOLE for verdict in (verdicts[0], *verdicts[3:]))
    assert [[image.view for image in verdict.images] for verdict in verdicts[1:3]] == [["side"], ["side"]]
    assert [(camera.triggers_ignored, camera.triggers_unexplained) for camera in status.cameras] == [(2, 0), (0, 0)]


async def test_counters_that_do_not_add_up_are_an_event_that_says_by_how_much_once_for_each_change(
    tmp_path: Path,
) -> None:
    faults = "faults = [{kind = 'miscount', at = [2, 3, 7]}]"
    with running(make_project(tmp_path, trigger=SOFTWARE, camera=f"{SIMULATED}\n{faults}")) as station:
        async with StationClient(station.address) as client:
            verdicts = [await verdict_of(client, f"part {number}") for number in range(10)]
            status = await client.status()
    assert all(why(verdict) in WHOLE for verdict in verdicts)
    assert (status.cameras[0].triggers_ignored, status.cameras[0].triggers_unexplained) == (3, 3)
    assert [event.kind for event in status.events if "add up" in event.kind] == [
        "camera top triggers do not add up"
    ] * 3
    assert [detail.rpartition(": ")[2] for (detail,) in journal_rows(tmp_path, EVENTS)] == ["+1", "+2", "+3"]
