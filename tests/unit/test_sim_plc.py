"""The simulated PLC's program, scan by scan, against a bridge made of registers."""

from __future__ import annotations

from lineside.bridges.plc import Control, Status
from lineside.core.verdict import Outcome
from lineside.sim.line import LineSettings
from lineside.sim.plc import Plc, PlcSettings, ScanInput, ScanOutput

LAYOUT = LineSettings().layout()
ONLINE = Status.ONLINE | Status.TRIGGER_READY


class Bench:
    """One PLC, 40 counts a scan, and a bridge that answers as it is told."""

    def __init__(self) -> None:
        settings = PlcSettings(layout=LAYOUT, counts_per_s=4000, view_counts=400)
        self.plc = Plc(settings, count=0, first_part_id=100, belt_empty=True)
        self.count = 0
        self.status = ONLINE
        self.shown = {"result_part_id": 0, "verdict": 0, "reason": 0}
        self.boot_id = 1
        self.connected = True
        self.beat = 0
        self.beats = True
        self.output: ScanOutput = self.plc.scan(ScanInput(now_s=0, count=0))

    def scan(self, *, triggered: tuple[int, ...] = (), arrived: tuple[int, ...] = ()) -> ScanOutput:
        self.count += 40
        self.beat += self.beats
        registers = {**self.output.control, **self.shown}
        registers |= {"status": self.status, "vision_heartbeat": self.beat, "boot_id": self.boot_id}
        self.output = self.plc.scan(
            ScanInput(
                now_s=self.count / 4000,
                count=self.count,
                triggered=triggered,
                arrived=arrived,
                registers=registers if self.connected else None,
            )
        )
        return self.output

    def bit(self, bit: Control) -> bool:
        return bool(self.output.control["control"] & bit)

    def show(self, part_id: int, outcome: Outcome) -> None:
        self.shown = {"result_part_id": part_id, "verdict": outcome, "reason": 0}
        self.status |= Status.RESULTS_VALID

    def photographed(self) -> int:
        """One whole acquisition; the id that the part got."""
        self.status = ONLINE
        (part_id,) = self.scan(triggered=(self.count,)).numbered
        self.scan()
        assert self.bit(Control.TRIGGER)
        self.status |= Status.TRIGGER_ACK
        self.scan()
        assert not self.bit(Control.TRIGGER)
        self.status &= ~Status.TRIGGER_ACK
        self.scan()
        return part_id

    def to_the_gate(self, from_count: int) -> list[tuple[bool, str]]:
        """Runs on until the part that was triggered there has been decided on."""
        decided = []
        seen = False
        while self.count < from_count + LAYOUT.gate_counts + LAYOUT.window_counts:
            assert LAYOUT.eye_counts is not None
            at_eye = not seen and self.count + 40 >= from_count + LAYOUT.eye_counts
            output = self.scan(arrived=(from_count + LAYOUT.eye_counts,) if at_eye else ())
            seen |= at_eye
            decided += [(each.accepted, each.why) for each in output.decided]
        return decided


def ready_bench() -> Bench:
    """After the boot of a new bridge has been noticed."""
    bench = Bench()
    bench.scan()
    bench.scan()
    return bench


def test_a_part_with_its_pass_is_let_through() -> None:
    bench = ready_bench()
    at = bench.count
    part_id = bench.photographed()
    bench.show(part_id, Outcome.PASS)
    bench.scan()
    assert bench.bit(Control.RESULTS_ACK)
    bench.status &= ~Status.RESULTS_VALID
    bench.scan()
    assert not bench.bit(Control.RESULTS_ACK)

    assert [(True, "PASS in time")] == bench.to_the_gate(at)


def test_a_result_is_taken_once_however_long_it_is_shown() -> None:
    bench = ready_bench()
    part_id = bench.photographed()
    bench.show(part_id, Outcome.PASS)

    assert [1, 0, 0] == [len(bench.scan().answers) for _ in range(3)]


def test_the_pass_of_another_part_lets_nobody_through() -> None:
    bench = ready_bench()
    at = bench.count
    part_id = bench.photographed()
    bench.show(part_id - 1, Outcome.PASS)

    assert [(False, "no verdict before the last safe moment")] == bench.to_the_gate(at)


def test_a_verdict_register_that_is_neither_of_the_three_is_no_pass() -> None:
    for verdict in (0, 2, 3, 4, 0xFFFF):
        bench = ready_bench()
        at = bench.count
        bench.show(bench.photographed(), Outcome.PASS)
        bench.shown["verdict"] = verdict

        assert [False] == [accepted for accepted, _ in bench.to_the_gate(at)], verdict


def test_a_part_that_could_not_be_triggered_while_in_view_is_rejected_and_never_triggered() -> None:
    bench = ready_bench()
    bench.status = Status.ONLINE
    bench.scan(triggered=(bench.count,))
    for _ in range(11):
        bench.scan()
    bench.status = ONLINE
    bench.scan()

    assert not bench.bit(Control.TRIGGER)
    assert [(False, "not triggered while in view: the bridge was not ready")] == bench.to_the_gate(80)


def test_a_trigger_that_is_not_acknowledged_while_the_part_is_in_view_rejects_it_in_spite_of_its_pass() -> None:
    bench = ready_bench()
    at = bench.count
    (part_id,) = bench.scan(triggered=(at,)).numbered
    for _ in range(10):
        bench.scan()
    bench.show(part_id, Outcome.PASS)

    assert [(False, "the trigger was not acknowledged while in view")] == bench.to_the_gate(at)


def test_a_trigger_bit_that_dropped_goes_up_again_only_when_the_bridge_has_seen_the_drop() -> None:
    bench = ready_bench()
    bench.scan(triggered=(bench.count,))
    held = bench.output
    bench.status |= Status.TRIGGER_ACK
    bench.scan()
    bench.status = ONLINE
    bench.output = held  # the exchange with the drop has not taken place yet
    bench.scan(triggered=(bench.count + 1000,))
    assert not bench.bit(Control.TRIGGER)


def test_a_bridge_whose_heartbeat_stands_still_is_not_triggered() -> None:
    bench = ready_bench()
    bench.beats = False
    for _ in range(101):
        bench.scan()
    assert not bench.output.ready
    bench.scan(triggered=(bench.count,))
    bench.scan()

    assert not bench.bit(Control.TRIGGER)


def test_after_a_new_boot_of_the_bridge_everything_held_is_let_go() -> None:
    bench = ready_bench()
    bench.show(bench.photographed(), Outcome.PASS)
    bench.scan()
    bench.scan(triggered=(bench.count,))
    assert bench.bit(Control.RESULTS_ACK)
    assert bench.bit(Control.TRIGGER)

    bench.boot_id, bench.status = 2, Status.ONLINE
    bench.scan()

    assert not bench.bit(Control.RESULTS_ACK)
    assert not bench.bit(Control.TRIGGER)


def test_the_due_time_sent_ends_before_the_gate_must_move() -> None:
    bench = ready_bench()
    bench.scan(triggered=(bench.count,))

    due_ms = bench.output.control["deadline_ms"]
    assert 0 < due_ms <= LAYOUT.commit_counts / 4000 * 1000 - 60
