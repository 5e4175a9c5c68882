"""The PLC's self-test command: golden parts through the live inspectors, the outcome as bits on the PLC's side."""

from __future__ import annotations

from pathlib import Path

from small_bridge import Plc, plc_at, running_bridge
from small_project import add_golden_part, make_project, running

from lineside.bridges.plc import Command, Control, FaultCode, Status
from lineside.client import Outcome

SOFTWARE = 'source = "software"'
ENDED = Status.COMMAND_DONE | Status.COMMAND_FAILED


async def _self_test(plc: Plc) -> tuple[Status, FaultCode]:
    """One command from EXECUTE to the cleared bits; what was shown when it had ended."""
    await plc.until_status(on=Status.TRIGGER_READY)
    await plc.write(on=Control.EXECUTE, command=Command.SELF_TEST)
    ended = await plc.until(lambda shown: bool(shown["status"] & ENDED))
    await plc.write(off=Control.EXECUTE)
    await plc.until_status(off=ENDED)
    return Status(ended["status"]), FaultCode(ended["fault_code"])


async def test_a_self_test_that_passes_is_shown_and_judges_no_part_of_the_line(tmp_path: Path) -> None:
    station = make_project(tmp_path, trigger=SOFTWARE)
    _judge_strictly(tmp_path)
    add_golden_part(tmp_path, "good", 20)
    add_golden_part(tmp_path, "bad", 250)
    with running(station) as process, running_bridge(tmp_path, process.address) as bridge:
        async with plc_at(bridge.port) as plc:
            status, _ = await _self_test(plc)
            acquisition_id = await plc.trigger(part_id=7)
            result = await plc.take_result()

    assert Status.COMMAND_DONE in status and Status.SELF_TEST_OK in status and Status.FAULT not in status
    assert (acquisition_id, result["result_acquisition_id"], result["result_part_id"]) == (1, 1, 7)
    assert result["verdict"] in (Outcome.PASS, Outcome.FAIL)
    assert result["triggers"] == 1, "golden parts are not counted among the line's"


async def test_a_golden_bad_part_that_passes_fails_the_self_test_and_the_next_good_one_mends_it(tmp_path: Path) -> None:
    station = make_project(tmp_path, trigger=SOFTWARE)
    _judge_strictly(tmp_path)
    add_golden_part(tmp_path, "good", 20)
    add_golden_part(tmp_path, "bad", 30)  # as dark as a good one: it will pass
    with running(station) as process, running_bridge(tmp_path, process.address) as bridge:
        async with plc_at(bridge.port) as plc:
            failed = await _self_test(plc)
            (tmp_path / "calibration" / "golden" / "plate" / "bad" / "30.png").unlink()
            add_golden_part(tmp_path, "bad", 250)
            mended, _ = await _self_test(plc)

    assert Status.COMMAND_FAILED in failed[0] and Status.SELF_TEST_OK not in failed[0]
    assert failed[1] is FaultCode.SELF_TEST_FAILED
    assert Status.COMMAND_DONE in mended and Status.SELF_TEST_OK in mended


async def test_a_self_test_without_golden_parts_fails_and_the_line_may_go_on(tmp_path: Path) -> None:
    station = make_project(tmp_path, trigger=SOFTWARE)
    with running(station) as process, running_bridge(tmp_path, process.address) as bridge:
        async with plc_at(bridge.port) as plc:
            status, fault = await _self_test(plc)
            acquisition_id = await plc.trigger(part_id=8)
            result = await plc.take_result()

    assert Status.COMMAND_FAILED in status and fault is FaultCode.SELF_TEST_FAILED
    assert (result["result_acquisition_id"], result["result_part_id"]) == (acquisition_id, 8)


def _judge_strictly(project: Path) -> None:
    """Each finding is a defect, as the golden parts' truth expects."""
    recipe = project / "models" / "recipes" / "small.toml"
    recipe.write_text(recipe.read_text().replace("max_count = 3", "max_count = 0"))
