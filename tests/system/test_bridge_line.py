"""A real station, a real bridge, a real Modbus client: what the PLC asks it gets, once, and about the right part."""

from __future__ import annotations

from pathlib import Path

from small_bridge import plc_at, running_bridge
from small_project import make_project, running, why

from lineside.bridges.modbus.register_map import WordOrder
from lineside.bridges.plc import Control, FaultCode, Status
from lineside.client import Outcome, Reason, StationClient

SOFTWARE = 'source = "software"'


async def test_a_part_is_triggered_judged_shown_and_acknowledged(tmp_path: Path) -> None:
    station = make_project(tmp_path, trigger=SOFTWARE)
    with running(station) as process, running_bridge(tmp_path, process.address) as bridge:
        async with plc_at(bridge.port) as plc, StationClient(process.address) as client:
            acquisition_id = await plc.trigger(part_id=123_456, encoder_count=4_000_000_000)
            result = await plc.take_result()
            shown = await plc.until_status(on=Status.TRIGGER_READY)
            [verdict] = [verdict async for verdict in client.list_verdicts()]

    assert acquisition_id == result["result_acquisition_id"]
    assert result["result_part_id"] == 123_456
    assert result["result_encoder_count"] == 4_000_000_000
    assert verdict.part_id == "123456"
    assert verdict.encoder_count == 4_000_000_000
    assert result["verdict"] == verdict.outcome
    assert result["recipe_current"] == result["recipe_used"] == 1
    assert result["config_fingerprint"] == int(verdict.config_fingerprint[:8], 16)
    assert shown["verdict"] == 0
    assert shown["triggers"] == shown["acknowledged"] == 1
