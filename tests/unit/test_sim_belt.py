"""The pieces of the simulated line: belt, encoder, gate, faults, record; and that the camera sees what is in view."""

from __future__ import annotations

import csv
import json
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.cameras.scenes import Belt
from lineside.cameras.simulated import SimulatedCamera, SimulatedConfig
from lineside.core.errors import ConfigError
from lineside.core.frame import Frame
from lineside.sim.encoder import Encoder
from lineside.sim.faults import FaultKind, PlannedFault
from lineside.sim.gate import Gate
from lineside.sim.line import LineSettings
from lineside.sim.record import LineRecord, PartRow


def belt(*, started_mono_ns: int = 0, parts: int = 5) -> Belt:
    return Belt(
        started_mono_ns=started_mono_ns, speed_mm_s=400.0, pitch_mm=100.0, parts=parts, camera_mm=100.0, reach_mm=40.0
    )


def ms(value: float) -> int:
    return round(value * 1e6)


def test_a_part_is_in_view_for_as_long_as_its_middle_is_within_reach() -> None:
    seen = [belt().in_view(ms(at)) for at in (140, 160, 250, 345, 355, 360, 395, 410)]

    assert [None, 0, 0, 0, None, None, None, 1] == seen


def test_after_the_last_part_the_belt_is_bare() -> None:
    assert 4 == belt().in_view(ms(1250))
    assert belt().in_view(ms(1500)) is None


@given(cuts=st.lists(st.integers(0, 3_000_000_000), max_size=20), place_mm=st.floats(0, 400))
def test_however_time_is_cut_each_part_passes_a_place_once_and_in_order(cuts: list[int], place_mm: float) -> None:
    moments = [-1, *sorted(cuts), 3_000_000_000]
    passed = [index for after, until in pairwise(moments) for index in belt().passing(place_mm, after, until)]

    assert list(range(5)) == passed


def test_the_encoder_wraps_within_the_first_metre_and_slips_on_demand() -> None:
    encoder = Encoder(counts_per_mm=10)
    assert 2**32 - 10_000 == encoder.count_at(0)
    assert 5 == encoder.count_at(1000.5)

    encoder.slip(-100)

    assert 2**32 - 995 == encoder.count_at(1000.5)


def test_the_gate_follows_its_output_after_its_lag_and_falls_back_when_the_output_is_not_renewed() -> None:
    gate = Gate(lag_ns=ms(20), watchdog_ns=ms(100))
    gate.set(ms(10), accept=False)
    gate.set(ms(20), accept=True)

    assert [False, True, True, False] == [gate.accepts_at(ms(at)) for at in (39, 40, 139, 140)]


def test_a_fault_is_written_with_its_part_and_how_much_of_it() -> None:
    assert PlannedFault(kind=FaultKind.LINK_CUT, at_part=20, amount=2.5) == PlannedFault.parse("link-cut@20:2.5")
    assert PlannedFault(kind=FaultKind.ENCODER_SLIP, at_part=3, amount=-50) == PlannedFault.parse("encoder-slip@3:-50")
    assert "missed-scans@7:30" == str(PlannedFault.parse("missed-scans@7"))


@pytest.mark.parametrize("text", ["", "link-cut", "link-cut@", "fire@3", "link-cut@3:-1", "link-cut@3:x"])
def test_a_fault_that_is_none_is_refused_with_the_list_of_those_there_are(text: str) -> None:
    with pytest.raises(ConfigError):
        PlannedFault.parse(text)


def test_a_belt_that_is_too_fast_for_the_gate_is_refused() -> None:
    LineSettings(speed_mm_s=1500).layout()

    with pytest.raises(ConfigError):
        LineSettings(speed_mm_s=20_000).layout()


def test_the_record_names_what_fell_where_it_should_not(tmp_path: Path) -> None:
    rows = [
        PartRow(index=0, really="good", bin="accept", part_ids=[7]),
        PartRow(index=1, really="dent", bin="accept", part_ids=[8, 9]),
        PartRow(index=2, really="good", bin="reject", why="no verdict"),
        PartRow(index=3, really="dent", bin="reject"),
    ]
    record = LineRecord(rows=[*rows, PartRow(index=4, really="good")])
    assert not record.complete
    record.rows.pop()
    record.write(tmp_path)

    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (4, 2, 2, 2, True) == tuple(summary[key] for key in ("parts", "accepted", "rejected", "bad", "complete"))
    assert [1] == [row["index"] for row in summary["bad_accepted"]]
    assert {"no verdict": 1} == summary["good_rejected_why"]
    with (tmp_path / "parts.csv").open() as file:
        assert ["7", "8 9", "", ""] == [row["part_ids"] for row in csv.DictReader(file)]


def test_the_simulated_camera_sees_the_part_that_is_in_view_however_often_it_was_triggered(tmp_path: Path) -> None:
    file = tmp_path / "belt.json"
    camera = SimulatedCamera("top", SimulatedConfig(size_px=(160, 120), exposure_us=1, belt_file=file))
    camera.connect()

    def look() -> Frame:
        frame = camera.capture(1, 1000)
        assert isinstance(frame, Frame)
        return frame

    bare = look()
    file.write_text(belt(started_mono_ns=time.monotonic_ns() - ms(250 + 2 * 250)).model_dump_json())
    first, second = look(), look()
    file.unlink()

    assert ("", 0) == (bare.part_id, int(bare.pixels.max()))
    assert ["plate-000002", "plate-000002"] == [first.part_id, second.part_id]
    assert (first.pixels == second.pixels).all()
    assert "" == look().part_id


def test_a_belt_file_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "belt.json"
    file.write_text('{"speed_mm_s": 0}')
    camera = SimulatedCamera("top", SimulatedConfig(size_px=(160, 120), belt_file=file))
    camera.connect()

    with pytest.raises(ConfigError, match="belt file"):
        camera.capture(1, 1000)
