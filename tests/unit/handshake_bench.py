"""The handshake without I/O: a PLC by hand, a station by hand, a clock by hand."""

from __future__ import annotations

from dataclasses import replace

from lineside.bridges.handshake import Handshake, HandshakeOptions
from lineside.bridges.plc import Control, Controls, Display, Effect, Release, Result, StationView, Status, TakeTrigger
from lineside.core.verdict import Outcome

MS = 1_000_000
READY = StationView(connected=True, ready=True, recipe_number=1)


class Bench:
    """A handshake between two hands."""

    def __init__(self, restored: tuple[Result, ...] = (), last: int = 0) -> None:
        self.now = 1_000 * MS
        self.handshake = Handshake(
            boot_id=77,
            last_acquisition_id=last,
            restored=restored,
            options=HandshakeOptions(),
            now_ns=self.now,
        )
        self.controls = Controls()
        self.effects: list[Effect] = []
        self.effects += self.handshake.station(READY, self.now)

    def write(self, on: int = 0, off: int = 0, beat: bool = True, **data: object) -> list[Effect]:
        bits = Control((self.controls.bits | on) & ~off)
        heartbeat = self.controls.heartbeat + beat
        self.controls = replace(self.controls, bits=bits, heartbeat=heartbeat, **data)  # type: ignore[arg-type]
        return self._note(self.handshake.plc(self.controls, self.now))

    def wait(self, ms: float, beat: bool = True) -> list[Effect]:
        effects: list[Effect] = []
        for _ in range(int(ms / 10)):
            self.now += 10 * MS
            effects += self.handshake.tick(self.now)
            if beat:
                effects += self.write()
        self._note(effects if not beat else [])
        return effects

    def tell(self, acquisition_id: int, outcome: Outcome = Outcome.PASS, due_ms: int = 2000) -> list[Effect]:
        result = Result(acquisition_id=acquisition_id, outcome=outcome, due_ns=due_ms * MS)
        return self._note(self.handshake.told(result, self.now))

    def enable(self, *, buffered: bool = True) -> None:
        self.write(on=Control.TRIGGER_ENABLE | (Control.BUFFER_ENABLE if buffered else 0))

    def trigger(self, part_id: int = 5, deadline_ms: int = 0) -> int:
        """A whole acquisition loop."""
        [take] = [
            effect
            for effect in self.write(on=Control.TRIGGER, part_id=part_id, deadline_ms=deadline_ms)
            if isinstance(effect, TakeTrigger)
        ]
        self._note(self.handshake.taken(take.part.acquisition_id, self.now))
        self.write(off=Control.TRIGGER)
        return take.part.acquisition_id

    def acknowledge(self) -> Display:
        """A whole inspection loop; returns what was shown."""
        shown = self.shown
        assert Status.RESULTS_VALID in shown.status
        [release] = [effect for effect in self.write(on=Control.RESULTS_ACK) if isinstance(effect, Release)]
        assert release.acquisition_id == shown.result_acquisition_id
        self._note(self.handshake.released(release.acquisition_id, self.now))
        self.write(off=Control.RESULTS_ACK)
        return shown

    def _note(self, effects: list[Effect]) -> list[Effect]:
        self.effects += effects
        return effects

    @property
    def shown(self) -> Display:
        return self.handshake.display

    @property
    def on(self) -> Status:
        return self.shown.status


def enabled_bench() -> Bench:
    """One whose PLC has enabled triggers and buffering."""
    bench = Bench()
    bench.enable()
    return bench
