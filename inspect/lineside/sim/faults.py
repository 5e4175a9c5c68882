"""What can be made to go wrong on the simulated line, and when."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from lineside.core.errors import ConfigError

__all__ = ["FaultKind", "PlannedFault"]


class FaultKind(enum.StrEnum):
    """The kinds, as they are written on the command line."""

    LINK_CUT = "link-cut"
    MISSED_SCANS = "missed-scans"
    DOUBLE_TRIGGER = "double-trigger"
    ENCODER_SLIP = "encoder-slip"
    PLC_RESTART = "plc-restart"
    BRIDGE_KILLED = "bridge-killed"
    STATION_KILLED = "station-killed"

    @property
    def usual(self) -> float:
        """How much of it, where nothing is said."""
        return _USUAL[self]


_USUAL = {
    FaultKind.LINK_CUT: 1.0,  # seconds without a connection
    FaultKind.MISSED_SCANS: 30.0,  # scans
    FaultKind.DOUBLE_TRIGGER: 3.0,  # mm from the first edge to the second
    FaultKind.ENCODER_SLIP: 100.0,  # mm that the encoder jumps ahead; negative: it falls behind
    FaultKind.PLC_RESTART: 0.5,  # seconds until it runs again, with nothing remembered
    FaultKind.BRIDGE_KILLED: 0.0,  # seconds until it is started again
    FaultKind.STATION_KILLED: 0.0,  # likewise
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedFault:
    """Strikes when part `at_part` comes to the trigger sensor. Written `kind@part` or `kind@part:amount`."""

    kind: FaultKind
    at_part: int
    amount: float

    @classmethod
    def parse(cls, text: str) -> PlannedFault:
        """Raises: ConfigError."""
        match = re.fullmatch(r"([a-z-]+)@(\d+)(?::(-?\d+(?:\.\d+)?))?", text)
        if match is None or match[1] not in list(FaultKind):
            raise ConfigError(
                f"no fault {text!r}",
                expected=f"kind@part or kind@part:amount with one of {', '.join(FaultKind)}",
                remedy="write link-cut@20 or link-cut@20:2.5 (seconds)",
            )
        kind = FaultKind(match[1])
        amount = float(match[3]) if match[3] else kind.usual
        if amount < 0 and kind is not FaultKind.ENCODER_SLIP:
            raise ConfigError(f"fault {text!r} lasts less than nothing", expected="0 or more")
        return cls(kind=kind, at_part=int(match[2]), amount=amount)

    def __str__(self) -> str:
        return f"{self.kind}@{self.at_part}:{self.amount:g}"
