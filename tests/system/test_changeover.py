"""Another recipe or model while the line runs: no part is missed, and each verdict names what judged it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from listener import Heard, Listener, listening, payloads_of, violations
from small_project import (
    StationProcess,
    add_golden_part,
    descendants_of,
    journal_rows,
    make_project,
    running,
    status_when,
)

from lineside.client import Outcome, StationClient
from lineside.core.errors import InspectorLost, LinesideError, NotReady, PackageError
from lineside.wire.v1 import inspection_pb2 as pb

TAKT = 'source = "takt"\ntakt_ms = 25'
CAMERA = 'backend = "simulated"\nprerendered = 8'


def add_recipe(project: Path, recipe_id: str, **replacements: str) -> None:
    """A copy of the small recipe under another id, with words replaced."""
    recipes = project / "models" / "recipes"
    text = (recipes / "small.toml").read_text().replace('recipe_id = "small"', f'recipe_id = "{recipe_id}"')
    for word, other in replacements.items():
        text = text.replace(word, other)
    (recipes / f"{recipe_id}.toml").write_text(text)


@asynccontextmanager
async def line(folder: Path) -> AsyncIterator[tuple[StationProcess, StationClient, Listener]]:
    """A station at work, with recipes "small" and "other", golden parts that both judge rightly, and a listener."""
    station_file = make_project(folder, trigger=TAKT, camera=CAMERA, due_ms=2000)
    add_recipe(folder, "other", **{"max_count = 3": "max_count = 0"})
    add_golden_part(folder, "good", 20)
    add_golden_part(folder, "bad", 250)
    recipe = folder / "models" / "recipes" / "small.toml"
    recipe.write_text(recipe.read_text().replace("max_count = 3", "max_count = 0"))
    with running(station_file) as station, listening(station.address, folder / "heard") as listener:
        async with StationClient(station.address) as client:
            listener.wait_for(10)
            yield station, client, listener


def end(station: StationProcess, listener: Listener, folder: Path) -> list[Heard]:
    """Ends the station; all that was told, with every promise held."""
    station.terminate()
    told = listener.wait_for(len(payloads_of(folder / "var")))
    assert violations(told, folder / "var") == []
    assert {Outcome(heard.verdict.outcome) for heard in told} <= {Outcome.PASS, Outcome.FAIL}, "no part was missed"
    return told


def recipes_by_trigger(told: list[Heard]) -> list[str]:
    """Which recipe judged, part by part in the order of the triggers; repetitions once."""
    in_order = sorted((heard.verdict for heard in told), key=lambda verdict: verdict.trigger_number)
    names = [verdict.recipe.id for verdict in in_order]
    return [name for number, name in enumerate(names) if number == 0 or names[number - 1] != name]


def events(folder: Path) -> list[str]:
    """What the journal says of change-overs."""
    rows = journal_rows(folder, "SELECT kind, detail FROM events WHERE kind LIKE 'recipe%' ORDER BY id")
    return [f"{kind}: {detail}" for kind, detail in rows]


async def test_old_up_to_a_trigger_and_new_from_the_next_and_no_part_is_missed(tmp_path: Path) -> None:
    assert await changes(tmp_path, 3) >= 40


async def changes(folder: Path, count: int) -> int:
    """Changes to and fro so many times under load; returns how many parts were judged."""
    async with line(folder) as (station, client, listener):
        order = ["small"]
        for number in range(count):
            order.append(("other", "small")[number % 2])
            recipe = await client.change_recipe(order[-1], requested_by="the test")
            assert (recipe.id, (await client.status()).recipe.id) == (order[-1], order[-1])
            await asyncio.to_thread(listener.wait_for, listener.count + 5)
        assert len(descendants_of(station.process.pid)) == 3, "camera, archiver, one inspector: the old ones are gone"
        told = end(station, listener, folder)
    by_recipe = {heard.verdict.recipe.id: heard.verdict for heard in told}

    assert recipes_by_trigger(told) == order
    assert by_recipe["small"].recipe.sha256 != by_recipe["other"].recipe.sha256
    assert by_recipe["small"].config_fingerprint != by_recipe["other"].config_fingerprint
    for heard in told:
        assert heard.verdict.config_fingerprint == by_recipe[heard.verdict.recipe.id].config_fingerprint
        assert [model.id for model in heard.verdict.models] == ["small"]
    assert len([event for event in events(folder) if event.startswith("recipe changed: from")]) == count
    return len(told)


async def refused(folder: Path, client: StationClient, recipe_id: str, error: type[LinesideError], why: str) -> None:
    """A change that must not take place, and is told why."""
    with pytest.raises(error, match=why):
        await client.change_recipe(recipe_id, requested_by="the test")
    status = await client.status()
    assert (status.recipe.id, status.ready) == ("small", True)


async def test_a_recipe_that_does_not_exist_or_a_damaged_package_is_refused_and_the_old_one_stays(
    tmp_path: Path,
) -> None:
    async with line(tmp_path) as (station, client, listener):
        package = tmp_path / "models" / "damaged"
        shutil.copytree(tmp_path / "models" / "small", package)
        graph = bytearray((package / "model.onnx").read_bytes())
        graph[len(graph) // 2] ^= 1
        (package / "model.onnx").write_bytes(graph)
        add_recipe(tmp_path, "spoilt", **{'package = "small"': 'package = "damaged"'})
        await refused(tmp_path, client, "nowhere", LinesideError, "nowhere")
        await refused(tmp_path, client, "spoilt", PackageError, "model.onnx")
        told = end(station, listener, tmp_path)

    assert recipes_by_trigger(told) == ["small"]
    assert [event for event in events(tmp_path) if event.startswith("recipe refused")] == []
    assert (
        len([event for event in events(tmp_path) if "recipe change refused" in event and "small stays" in event]) == 2
    )


async def test_a_golden_bad_part_that_passes_keeps_the_new_recipe_out(tmp_path: Path) -> None:
    async with line(tmp_path) as (station, client, listener):
        add_recipe(tmp_path, "blind", **{"max_count = 0": "max_count = 3"})
        await refused(tmp_path, client, "blind", NotReady, "golden part bad/250.png was judged PASS")
        told = end(station, listener, tmp_path)

    assert recipes_by_trigger(told) == ["small"]
    assert any("golden part bad/250.png was judged PASS" in event for event in events(tmp_path))


async def test_a_crash_while_loading_leaves_the_old_inspector_at_work(tmp_path: Path) -> None:
    assert await crash_while_loading(tmp_path) >= 20


async def crash_while_loading(folder: Path) -> int:
    """Kills the new inspector before it is up; returns how many parts were judged."""
    async with line(folder) as (station, client, listener):
        before = set(descendants_of(station.process.pid))
        changing = asyncio.create_task(client.change_recipe("other", requested_by="the test"))
        await asyncio.to_thread(kill_a_newcomer, station.process.pid, before)
        with pytest.raises(InspectorLost, match="process ended"):
            await changing
        assert (await client.status()).recipe.id == "small"
        assert set(descendants_of(station.process.pid)) == before, "nothing of the new one is left"
        await asyncio.to_thread(listener.wait_for, listener.count + 10)
        recipe = await client.change_recipe("other", requested_by="the test")
        assert recipe.id == "other", "a refused change does not stand in the way of the next"
        told = end(station, listener, folder)

    assert recipes_by_trigger(told)[0] == "small"
    assert any("process ended" in event and "small stays" in event for event in events(folder))
    return len(told)


def kill_a_newcomer(pid: int, known: set[int]) -> None:
    """Waits for another child of that process and kills it, long before it has loaded anything."""
    while not (new := set(descendants_of(pid)) - known):
        time.sleep(0.001)
    for child in new:
        os.kill(child, signal.SIGKILL)


def change_begun(status: pb.GetStationStatusResponse) -> bool:
    """Whether a change-over is under way, or was."""
    return any(event.kind == "recipe change begun" for event in status.events)


async def test_a_second_change_while_one_is_under_way_is_refused(tmp_path: Path) -> None:
    async with line(tmp_path) as (station, client, listener):
        first = asyncio.create_task(client.change_recipe("other", requested_by="one"))
        await status_when(client, change_begun)
        with pytest.raises(NotReady, match="under way"):
            await client.change_recipe("other", requested_by="two")
        assert (await first).id == "other"
        end(station, listener, tmp_path)


async def test_a_client_that_hangs_up_does_not_stop_a_change_half_way(tmp_path: Path) -> None:
    async with line(tmp_path) as (station, client, listener):
        first = asyncio.create_task(client.change_recipe("other", requested_by="one"))
        await status_when(client, change_begun)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await status_when(client, lambda status: status.recipe.id == "other")
        end(station, listener, tmp_path)


async def test_the_command_changes_the_recipe_and_ends_with_1_or_2_and_the_reason_when_refused(tmp_path: Path) -> None:
    async with line(tmp_path) as (station, _, listener):
        changed = await asyncio.to_thread(lineside_recipe_use, station, "other")
        refusal = await asyncio.to_thread(lineside_recipe_use, station, "nowhere")
        end(station, listener, tmp_path)

    assert (changed.returncode, "now inspecting with other" in changed.stdout) == (0, True)
    assert refusal.returncode in (1, 2)
    assert "nowhere" in refusal.stderr


def lineside_recipe_use(station: StationProcess, recipe_id: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lineside", "recipe", "use", recipe_id, "--station", station.address]
    return subprocess.run(command, capture_output=True, text=True, check=False)
