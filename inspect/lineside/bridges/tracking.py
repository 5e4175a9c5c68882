"""Reject tracking: which part is at the gate, and does it have a PASS? Pure: counts and verdicts in, gate bits out.

The encoder count is latched at the trigger, not at the result; the part is at the gate when the count is so much
higher. Only a PASS that came before the last safe moment opens the way: a missing, late or contradicted verdict, a
second trigger for the same part, and a part whose place is in doubt are rejected.

A photo-eye shortly before the gate tells whether encoder and belt still agree. Each part is expected there once, in
order, within a tolerance. An arrival that fits nothing, or an expected one that does not come, means that counts were
lost or gained or that a part was taken off; which of these, nobody can tell. Every part before the gate is then
rejected, and so is what is triggered until those have gone by. Without the eye a slip of one pitch sends the wrong
part through: leave it out only where the encoder cannot slip. With it one case remains: a part taken off while the
encoder slips by exactly the gap that it leaves.
"""

from __future__ import annotations

import bisect
import enum
import math
from dataclasses import dataclass

from lineside.core.errors import ConfigError

__all__ = ["Decision", "GateImage", "Layout", "Tracker", "Why", "due_ms", "nearest"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Where things stand along the belt, in encoder counts after the trigger. Raises: ConfigError.

    The gate is set for a part from `window_counts` before its middle is there until as many after; so long a gate bit
    is on. `lead_counts` is what passes while the actuator moves. `pitch_counts` is the least distance of two parts.
    """

    gate_counts: int
    window_counts: int
    pitch_counts: int
    lead_counts: int = 0
    eye_counts: int | None = None
    tolerance_counts: int = 0
    bits: int = 32

    def __post_init__(self) -> None:
        if self.bits not in (16, 32):
            raise ConfigError(f"an encoder of {self.bits} bits", expected="16 or 32")
        if min(self.window_counts, self.pitch_counts) < 1 or min(self.lead_counts, self.tolerance_counts) < 0:
            raise ConfigError(f"{self} has counts below nought", expected="window and pitch 1 or more, the others 0")
        if 2 * (self.window_counts + self.tolerance_counts) >= self.pitch_counts:
            raise ConfigError(
                f"gate window {self.window_counts} and tolerance {self.tolerance_counts} counts, pitch "
                f"{self.pitch_counts}: the window of one part touches the next part",
                expected="2 x (window + tolerance) below the pitch",
                remedy="narrow the window, or space the parts",
            )
        if self.commit_counts <= 0:
            raise ConfigError(
                f"the gate must begin to move {-self.commit_counts} counts before the trigger",
                expected="gate - window - lead above 0",
                remedy="move the gate downstream",
            )
        if self.eye_counts is not None and not 0 < self.eye_counts + self.tolerance_counts <= self.commit_counts:
            raise ConfigError(
                f"the eye at {self.eye_counts} counts speaks after the gate must begin to move, at "
                f"{self.commit_counts}",
                expected="eye + tolerance at most gate - window - lead",
                remedy="move the eye upstream",
            )
        if 2 * (self.gate_counts + self.pitch_counts) >= 1 << (self.bits - 1):
            raise ConfigError(
                f"{self.gate_counts} counts to the gate are too many for an encoder of {self.bits} bits",
                expected=f"gate + pitch below {1 << (self.bits - 2)}",
                remedy="use a coarser encoder or 32 bits",
            )

    @property
    def commit_counts(self) -> int:
        """The last safe moment: until here a PASS still opens the gate in full."""
        return self.gate_counts - self.window_counts - self.lead_counts


class Why(enum.StrEnum):
    """Why a part was let through or rejected, in words for a person."""

    PASSED = "PASS in time"
    NOT_PASSED = "the verdict is not PASS"
    NO_VERDICT = "no verdict before the last safe moment"
    SECOND_TRIGGER = "a second trigger for the same part"
    NOT_SEEN = "not seen at the eye before the gate"
    TRACKING_LOST = "encoder and belt did not agree"
    IN_DOUBT = "triggered while parts of unknown place were on the belt"
    SCAN_LATE = "the gate could no longer be set in time"


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What becomes of a part, told when it must be settled; and again in the rare case that a pass is taken back."""

    part_id: int
    accepted: bool
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GateImage:
    """Output bits. Wire `accept` to a gate that rests on reject: silence, a dead PLC and an unknown part then reject.

    An output that no scan renews must fall back to rest by itself before the belt has run a pitch less a window.
    `reject` is for a gate that rests on accept, such as a blow-off nozzle; a part that was never tracked gets past it.
    """

    accept: bool
    reject: bool
    decided: tuple[Decision, ...] = ()


@dataclass(slots=True, kw_only=True, eq=False)
class _Part:
    """A part between trigger and gate; its places are unbounded counts."""

    part_id: int
    triggered: int
    eye: int
    target: int
    passed: bool | None = None
    seen: bool = False
    why_not: str = ""
    decision: Decision | None = None


def nearest(raw: int, near: int, bits: int) -> int:
    """The unbounded count that an encoder of so many bits shows as `raw` and that is nearest to `near`."""
    half = 1 << (bits - 1)
    return near + (raw - near + half) % (2 * half) - half


def due_ms(layout: Layout, *, counts_per_s: float, travelled_counts: int = 0, margin_ms: int = 0) -> int:
    """The due time to send with a trigger: from now to the last safe moment, rounded down; 0 when it is over.

    The station counts in time, the belt in counts: `counts_per_s` is the highest speed to be expected until then, and
    `margin_ms` what the verdict takes from the station to the gate's output. On a belt that stands still it does not
    matter: the due time then comes early, which is safe.
    """
    left = layout.commit_counts - travelled_counts
    return max(0, math.floor(left * 1000 / counts_per_s) - margin_ms)


class Tracker:
    """Parts between trigger and gate. Call `trigger`, `verdict` and `arrival` for what a scan brought, then `scan`.

    All counts are raw: unsigned, of the layout's bits, wrapping. Between two scans the count must move by less than
    half of its range. Unless `belt_empty` is promised, parts of unknown place are expected at first.
    """

    def __init__(self, layout: Layout, *, count: int, belt_empty: bool = False) -> None:
        self._layout = layout
        self._now = count
        self._parts: list[_Part] = []  # as they lie on the belt, the farthest first
        self._taken_back: list[Decision] = []
        self._in_doubt_until = count - 1 if belt_empty else count + (layout.eye_counts or -1)

    @property
    def part_ids(self) -> tuple[int, ...]:
        """What is being tracked, the farthest first."""
        return tuple(part.part_id for part in self._parts)

    def trigger(self, part_id: int, count: int) -> bool:
        """A part was triggered at this latched count. False when it cannot be told from another one: both are rejected.

        Triggers may be told late and out of order.
        """
        at = nearest(count, self._now, self._layout.bits)
        doubles = [other for other in self._parts if abs(other.triggered - at) < self._layout.pitch_counts // 2]
        doubles += [other for other in self._parts if other.part_id == part_id]
        for other in doubles:
            other.why_not = other.why_not or Why.SECOND_TRIGGER
        if any(abs(other.triggered - at) < self._layout.pitch_counts // 2 for other in doubles):
            return False
        why_not = Why.IN_DOUBT if at <= self._in_doubt_until else ""
        part = _Part(
            part_id=part_id,
            triggered=at,
            eye=at + (self._layout.eye_counts or 0),
            target=at + self._layout.gate_counts,
            why_not=Why.SECOND_TRIGGER if doubles else why_not,
        )
        bisect.insort(self._parts, part, key=lambda other: other.triggered)
        return not doubles

    def verdict(self, part_id: int, *, passed: bool) -> bool:
        """The verdict of a part. False when it is of no use: the part is unknown here, or settled already.

        The first one counts; a second one can only turn PASS into reject.
        """
        known = [part for part in self._parts if part.part_id == part_id and part.decision is None]
        for part in known:
            part.passed = passed if part.passed is None else part.passed and passed
        return bool(known)

    def reject(self, part_id: int, why: str) -> bool:
        """Rejects a part whatever its verdict. False when it is unknown, or settled already."""
        known = [part for part in self._parts if part.part_id == part_id and part.decision is None]
        for part in known:
            part.why_not = part.why_not or why
        return bool(known)

    def arrival(self, count: int) -> bool:
        """A part came to the eye at this latched count. False when it is not where it should be: tracking is lost."""
        at = nearest(count, self._now, self._layout.bits)
        part = next((part for part in self._parts if not part.seen), None)
        if part is None or abs(at - part.eye) > self._layout.tolerance_counts:
            if at <= self._in_doubt_until:
                return True  # one of those whose place is unknown
            self._lose(at)
            return False
        part.seen = True
        part.target = at + part.target - part.eye  # from here on the eye's count rules
        return True

    def scan(self, count: int) -> GateImage:
        """The gate's bits at this count, and what was settled since the last scan."""
        layout = self._layout
        self._now = nearest(count, self._now, layout.bits)
        overdue = [part for part in self._parts if not part.seen and self._now > part.eye + layout.tolerance_counts]
        if layout.eye_counts is not None and overdue:
            self._lose(self._now)
        decided, self._taken_back = self._taken_back, []
        for part in self._parts:
            if part.decision is None and self._now >= part.target - layout.window_counts - layout.lead_counts:
                part.decision = self._settled(part)
                decided.append(part.decision)
        set_for = [part for part in self._parts if self._is_set_for(part)]
        self._parts = [
            part for part in self._parts if part.decision is None or self._now < part.target + layout.window_counts
        ]
        return GateImage(
            accept=any(part.decision and part.decision.accepted for part in set_for),
            reject=any(part.decision and not part.decision.accepted for part in set_for),
            decided=tuple(decided),
        )

    def _is_set_for(self, part: _Part) -> bool:
        from_counts = part.target - self._layout.window_counts - self._layout.lead_counts
        return part.decision is not None and 0 <= self._now - from_counts < 2 * self._layout.window_counts

    def _settled(self, part: _Part) -> Decision:
        layout = self._layout
        why = part.why_not
        if not why and part.passed is not True:
            why = Why.NO_VERDICT if part.passed is None else Why.NOT_PASSED
        if not why and layout.eye_counts is not None and not part.seen:
            why = Why.NOT_SEEN
        if not why and self._now > part.target - layout.lead_counts:
            why = Why.SCAN_LATE
        return Decision(part_id=part.part_id, accepted=not why, why=why or Why.PASSED)

    def _lose(self, at: int) -> None:
        """Counts no longer say where the parts are: none of those on the belt may pass, settled or not.

        They will still come to the eye, without having to be where the counts say; those after them have gone by when
        the belt has run from the trigger to the eye.
        """
        self._in_doubt_until = at + (self._layout.eye_counts or 0)
        for part in self._parts:
            part.why_not = part.why_not or Why.TRACKING_LOST
            part.seen = True
            if part.decision is not None and part.decision.accepted and self._now < part.target:
                part.decision = Decision(part_id=part.part_id, accepted=False, why=Why.TRACKING_LOST)
                self._taken_back.append(part.decision)
