"""The line in real time: one loop that lets the belt run, scans the PLC, moves the gate and fills the bins."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lineside.bridges.tracking import Layout
from lineside.cameras.scenes import Belt
from lineside.core.errors import ConfigError, StationFault
from lineside.sim.encoder import Encoder
from lineside.sim.faults import FaultKind, PlannedFault
from lineside.sim.gate import Gate
from lineside.sim.modbus_link import ModbusLink
from lineside.sim.plc import Plc, PlcSettings, ScanInput, ScanOutput
from lineside.sim.record import LineRecord, PartRow

__all__ = ["Line", "LineSettings"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LineSettings:
    """The line in mm, s and mm/s. Places are measured from the trigger sensor, which stands where the camera looks."""

    speed_mm_s: float = 400.0
    pitch_mm: float = 100.0
    reach_mm: float = 40.0
    gate_mm: float = 320.0
    window_mm: float = 20.0
    tolerance_mm: float = 15.0
    gate_lag_s: float = 0.02
    run_in_mm: float = 100.0
    scan_s: float = 0.01
    output_watchdog_s: float = 0.1
    counts_per_mm: float = 10.0
    encoder_bits: int = 32
    ready_timeout_s: float = 60.0

    @property
    def lead_mm(self) -> float:
        """What the belt runs while the gate moves."""
        return self.gate_lag_s * self.speed_mm_s

    @property
    def eye_mm(self) -> float:
        """The eye stands as near to the gate as it may."""
        return self.gate_mm - self.window_mm - self.lead_mm - self.tolerance_mm - 1

    def layout(self) -> Layout:
        """The same in encoder counts, for the PLC. Raises: ConfigError when it cannot work."""
        per_mm = self.counts_per_mm
        return Layout(
            gate_counts=round(self.gate_mm * per_mm),
            window_counts=round(self.window_mm * per_mm),
            pitch_counts=round(self.pitch_mm * per_mm),
            lead_counts=round(self.lead_mm * per_mm),
            eye_counts=round(self.eye_mm * per_mm),
            tolerance_counts=round(self.tolerance_mm * per_mm),
            bits=self.encoder_bits,
        )


class Line:
    """A conveyor with parts of known truth. `really` says for each part "good" or what is wrong with it.

    `belt_file` tells the simulated camera what runs where. `outside` carries out the faults that strike other
    processes, with their amount; a fault that nobody can carry out is refused.

    Raises: ConfigError.
    """

    def __init__(
        self,
        settings: LineSettings,
        link: ModbusLink,
        *,
        really: Sequence[str],
        belt_file: Path,
        faults: Sequence[PlannedFault] = (),
        outside: Mapping[FaultKind, Callable[[float], None]] | None = None,
    ) -> None:
        self.settings = settings
        self._outside = outside or {}
        for fault in faults:
            if fault.at_part >= len(really):
                raise ConfigError(f"{fault} never strikes", expected=f"a part below {len(really)}")
            if fault.kind in (FaultKind.BRIDGE_KILLED, FaultKind.STATION_KILLED) and fault.kind not in self._outside:
                raise ConfigError(
                    f"{fault} strikes a process that this command did not start",
                    expected="a fault of the line itself",
                    remedy="use `lineside demo --line`, which starts station and bridge, or kill it yourself",
                )
        self.record = LineRecord(rows=[PartRow(index=index, really=what) for index, what in enumerate(really)])
        self.ready = False
        self._link = link
        self._belt_file = belt_file
        self._faults = list(faults)
        self._last_fault = ""
        self._belt: Belt | None = None
        self._encoder = Encoder(counts_per_mm=settings.counts_per_mm, bits=settings.encoder_bits)
        self._gate = Gate(lag_ns=round(settings.gate_lag_s * 1e9), watchdog_ns=round(settings.output_watchdog_s * 1e9))
        self._plc_settings = PlcSettings(
            layout=settings.layout(),
            counts_per_s=settings.counts_per_mm * settings.speed_mm_s,
            view_counts=round(settings.reach_mm * settings.counts_per_mm),
        )
        self._plc: Plc | None = self._new_plc(belt_empty=True)
        self._plc_back_ns = 0
        self._latched: list[tuple[int, int]] = []  # (part, count) at the trigger sensor, not yet scanned
        self._arrived: list[int] = []
        self._row_of: dict[int, PartRow] = {}  # by part id

    # What is seen from outside.

    @property
    def running(self) -> bool:
        """Whether the belt has been started."""
        return self._belt is not None

    @property
    def gate_accepts(self) -> bool:
        """Whether the gate lets through now."""
        return self._gate.accepts_at(time.monotonic_ns())

    def places_mm(self) -> dict[int, float]:
        """Where the parts between the start of the belt and the gate are, from the trigger sensor, by their index."""
        if self._belt is None:
            return {}
        now_ns, settings = time.monotonic_ns(), self.settings
        places = {index: self._belt.place_mm(index, now_ns) - settings.run_in_mm for index in range(self._belt.parts)}
        return {index: place for index, place in places.items() if -settings.run_in_mm <= place <= settings.gate_mm}

    # The run.

    async def run(self) -> LineRecord:
        """Starts the belt when the station is ready, and ends when the last part has fallen.

        Raises: StationFault when the station is not ready in time.
        """
        exchanging = asyncio.create_task(self._link.run())
        try:
            await self._wait_until_ready()
            self._start_belt()
            await self._until_the_last_part()
        finally:
            self._link.stop()
            await exchanging
            self._belt_file.unlink(missing_ok=True)
        return self.record

    async def _wait_until_ready(self) -> None:
        deadline_s = time.monotonic() + self.settings.ready_timeout_s
        while not self.ready:
            if time.monotonic() > deadline_s:
                why = "there is no connection to the bridge"
                if self._link.registers is not None:
                    why = (
                        f"fault code {self._link.registers['fault_code']}, status {self._link.registers['status']:#06x}"
                    )
                raise StationFault(
                    f"the bridge has not shown TRIGGER_READY for {self.settings.ready_timeout_s:g} s: {why}",
                    remedy="start station and bridge, and see their logs",
                )
            self._scan(time.monotonic_ns())
            await asyncio.sleep(self.settings.scan_s)

    def _start_belt(self) -> None:
        settings = self.settings
        self._belt = Belt(
            started_mono_ns=time.monotonic_ns(),
            speed_mm_s=settings.speed_mm_s,
            pitch_mm=settings.pitch_mm,
            parts=len(self.record.rows),
            camera_mm=settings.run_in_mm,
            reach_mm=settings.reach_mm,
        )
        self._belt_file.parent.mkdir(parents=True, exist_ok=True)
        new = self._belt_file.with_suffix(".new")
        new.write_text(self._belt.model_dump_json(), encoding="utf-8")
        new.replace(self._belt_file)

    async def _until_the_last_part(self) -> None:
        assert self._belt is not None
        scan_ns = round(self.settings.scan_s * 1e9)
        before_ns = self._belt.started_mono_ns
        next_ns = before_ns + scan_ns
        while not self.record.complete:
            await asyncio.sleep(max(0.0, (next_ns - time.monotonic_ns()) / 1e9))
            now_ns = time.monotonic_ns()
            self._happen(self._belt, before_ns, now_ns)
            self._scan(now_ns)
            before_ns = now_ns
            next_ns = max(next_ns + scan_ns, now_ns)

    def _happen(self, belt: Belt, after_ns: int, until_ns: int) -> None:
        """What happened on the belt between two scans, by its own time."""
        settings = self.settings
        sensor_mm = settings.run_in_mm
        for index in belt.passing(sensor_mm, after_ns, until_ns):
            for fault in [each for each in self._faults if each.at_part == index]:
                self._begin(fault, until_ns)
            at_mm = belt.travelled_mm(belt.passes_mono_ns(index, sensor_mm))
            edges_mm = [at_mm, *(at_mm + each.amount for each in self._faults if self._doubles(each, index))]
            self._latched += [(index, self._encoder.count_at(edge_mm)) for edge_mm in edges_mm]
        for index in belt.passing(sensor_mm + settings.eye_mm, after_ns, until_ns):
            at_ns = belt.passes_mono_ns(index, sensor_mm + settings.eye_mm)
            self._arrived.append(self._encoder.count_at(belt.travelled_mm(at_ns)))
        for index in belt.passing(sensor_mm + settings.gate_mm, after_ns, until_ns):
            self._fall(self.record.rows[index], belt.passes_mono_ns(index, sensor_mm + settings.gate_mm))

    def _scan(self, now_ns: int) -> None:
        count = self._encoder.count_at(self._belt.travelled_mm(now_ns) if self._belt else 0.0)
        if now_ns < self._plc_back_ns:  # it stands still, or is starting: its output watchdog rests the gate
            self.ready = False
            return
        if self._plc is None:
            self._plc = self._new_plc(count=count, belt_empty=False)
            self._latched, self._arrived = [], []
        output = self._plc.scan(
            ScanInput(
                now_s=now_ns / 1e9,
                count=count,
                triggered=tuple(latched for _, latched in self._latched),
                arrived=tuple(self._arrived),
                registers=self._link.registers,
            )
        )
        self._note(output)
        self._latched, self._arrived = [], []
        self._link.control = output.control
        self._gate.set(now_ns, accept=output.accept)
        self.ready = output.ready

    def _new_plc(self, *, count: int | None = None, belt_empty: bool) -> Plc:
        return Plc(
            self._plc_settings,
            count=self._encoder.count_at(0.0) if count is None else count,
            first_part_id=time.time_ns() // 1_000_000 % 0xFFFF_FFFF + 1,  # ahead of all that were given before
            belt_empty=belt_empty,
        )

    # What becomes of a part.

    def _note(self, output: ScanOutput) -> None:
        for (index, _), part_id in zip(self._latched, output.numbered, strict=True):
            row = self.record.rows[index]
            row.part_ids.append(part_id)
            self._row_of[part_id] = row
        for answer in output.answers:
            if (about := self._row_of.get(answer.part_id)) is not None:
                about.verdict = f"{about.verdict} and {answer}" if about.verdict else str(answer)
        for decision in output.decided:
            if (about := self._row_of.get(decision.part_id)) is not None:
                about.decision = "accept" if decision.accepted else "reject"
                about.why = decision.why

    def _fall(self, row: PartRow, mono_ns: int) -> None:
        row.bin = "accept" if self._gate.accepts_at(mono_ns) else "reject"
        if not row.part_ids:
            row.why = "the PLC did not see it at the trigger"
        elif not row.decision:
            row.why = "the PLC no longer knew it at the gate"
        elif row.decision != row.bin:
            row.why = f"decided {row.decision} ({row.why}), but the gate stood at {row.bin}"
        row.after = self._last_fault

    # Faults.

    @staticmethod
    def _doubles(fault: PlannedFault, index: int) -> bool:
        return fault.kind is FaultKind.DOUBLE_TRIGGER and fault.at_part == index

    def _begin(self, fault: PlannedFault, now_ns: int) -> None:
        self._last_fault = str(fault)
        self.record.faults.append(self._last_fault)
        match fault.kind:
            case FaultKind.LINK_CUT:
                self._link.cut(fault.amount)
            case FaultKind.MISSED_SCANS:
                self._plc_back_ns = now_ns + round(fault.amount * self.settings.scan_s * 1e9)
            case FaultKind.ENCODER_SLIP:
                self._encoder.slip(fault.amount)
            case FaultKind.PLC_RESTART:
                self._plc, self._plc_back_ns = None, now_ns + round(fault.amount * 1e9)
                self._link.cut(fault.amount)
                self._link.control = {}
            case FaultKind.BRIDGE_KILLED | FaultKind.STATION_KILLED:
                self._outside[fault.kind](fault.amount)
            case FaultKind.DOUBLE_TRIGGER:
                pass  # the sensor's second edge: see _happen
