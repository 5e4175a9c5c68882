"""What a bridge must not forget: whole after any cut, refused when damaged."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lineside.bridges.state_file import BridgeState, MissedPart, OwedPart, StateFile
from lineside.core.errors import ConfigError, StationFault

OWED = OwedPart(acquisition_id=3, part_id=9, encoder_count=None)


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state"
    state = StateFile(path)
    assert state.state == BridgeState()
    missed = MissedPart(request_id="r", name="P-1", encoder_count=5)
    await state.write(owed=(OWED,), last_acquisition_id=3)
    await state.write(missed=(missed,))

    assert StateFile(path).state == BridgeState(owed=(OWED,), last_acquisition_id=3, missed=(missed,))


async def test_a_write_that_is_cut_off_leaves_the_state_before_it(tmp_path: Path) -> None:
    """Each byte of the newest slot may be the one at which the power went."""
    path = tmp_path / "state"
    state = StateFile(path)
    await state.write(last_acquisition_id=1)
    before = path.read_bytes()
    await state.write(last_acquisition_id=2)
    after = path.read_bytes()
    changed = [place for place, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    seen = set()
    for cut in range(changed[0], changed[-1] + 1):
        path.write_bytes(after[:cut] + before[cut:])
        seen.add(StateFile(path).state.last_acquisition_id)

    assert seen == {1}
    path.write_bytes(after)
    assert StateFile(path).state.last_acquisition_id == 2


async def test_writes_that_come_together_are_all_on_disk_when_they_return(tmp_path: Path) -> None:
    path = tmp_path / "state"
    state = StateFile(path)

    async def one(number: int) -> None:
        await state.write(last_acquisition_id=number)
        assert StateFile(path).state.last_acquisition_id >= number

    await asyncio.gather(*(one(number) for number in range(1, 30)))
    assert StateFile(path).state.last_acquisition_id == 29


async def test_a_file_that_is_not_a_state_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_text("something else")

    with pytest.raises(ConfigError, match=r"not the state of a bridge.*move it away"):
        StateFile(path)


async def test_a_disk_that_does_not_take_it_is_a_fault_and_the_next_write_mends_it(tmp_path: Path) -> None:
    path = tmp_path / "state"
    state = StateFile(path)
    aside = path.rename(tmp_path / "aside")
    with pytest.raises(StationFault, match="cannot be written"):
        await state.write(last_acquisition_id=1)
    aside.rename(path)
    await state.write(owed=(OWED,))

    assert StateFile(path).state == BridgeState(last_acquisition_id=1, owed=(OWED,))
