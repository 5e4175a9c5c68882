"""What fell where, and why: one row for each part, and what they add up to."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

__all__ = ["LineRecord", "PartRow"]


@dataclass(slots=True, kw_only=True)
class PartRow:
    """One physical part. `really` is "good" or its defects; `bin` "accept" or "reject", "" while it is on the belt.

    `part_ids` are the numbers the PLC gave it, `verdict` what the bridge showed for it, `decision` what the PLC made of
    that, `after` the last fault that had begun before it came to the gate.
    """

    index: int
    really: str
    part_ids: list[int] = field(default_factory=list)
    verdict: str = ""
    decision: str = ""
    bin: str = ""
    why: str = ""
    after: str = ""

    @property
    def good(self) -> bool:
        return self.really == "good"

    @property
    def as_it_should(self) -> bool:
        """Good parts are accepted, bad parts rejected."""
        return bool(self.bin) and self.good == (self.bin == "accept")


@dataclass(slots=True, kw_only=True)
class LineRecord:
    """All parts of a run, with the faults that were made."""

    rows: list[PartRow]
    faults: list[str] = field(default_factory=list)
    not_ready: str = ""
    """Why the run ended before its last part, empty where it did not."""

    def binned(self, name: str) -> list[PartRow]:
        """The parts in a bin."""
        return [row for row in self.rows if row.bin == name]

    @property
    def escapes(self) -> list[PartRow]:
        """Bad parts that were accepted."""
        return [row for row in self.binned("accept") if not row.good]

    @property
    def overkill(self) -> list[PartRow]:
        """Good parts that were rejected."""
        return [row for row in self.binned("reject") if row.good]

    @property
    def complete(self) -> bool:
        """Every part is in a bin."""
        return len(self.rows) == len(self.binned("accept")) + len(self.binned("reject"))

    def summary(self) -> dict[str, object]:
        """The counts at the gate, and each part that fell where it should not, by name."""
        return {
            "parts": len(self.rows),
            "accepted": len(self.binned("accept")),
            "rejected": len(self.binned("reject")),
            "complete": self.complete,
            "bad": sum(not row.good for row in self.rows),
            "bad_accepted": [asdict(row) for row in self.escapes],
            "good_rejected": [asdict(row) for row in self.overkill],
            "good_rejected_why": dict(Counter(row.why for row in self.overkill)),
            "faults": self.faults,
        }

    def write(self, folder: Path) -> None:
        """Leaves `parts.csv` and `summary.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        names: Sequence[str] = list(PartRow.__dataclass_fields__)
        with (folder / "parts.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, names)
            table.writeheader()
            table.writerows({**asdict(row), "part_ids": " ".join(map(str, row.part_ids))} for row in self.rows)
        (folder / "summary.json").write_text(json.dumps(self.summary(), indent=2) + "\n", encoding="utf-8")
