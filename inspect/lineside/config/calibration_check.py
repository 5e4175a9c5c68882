"""The daily check of a calibration: what a station file demands of it, and the record that each check leaves.

Records lie in `<data_dir>/calibration-checks/`, one JSON file for each check with a page beside it, and are never
removed by Lineside: they are for the auditor. A record names the calibrations that it was held against by hash, and is
under a SHA-256 itself; one that was changed by hand counts for nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from lineside.config.calibration_tables import Kind
from lineside.config.table import Id, Table
from lineside.core.identity import sha256_of_value

__all__ = [
    "CheckItem",
    "CheckRecord",
    "CheckTable",
    "checks_folder",
    "kinds_of",
    "last_checks",
    "why_due",
    "write_check",
]

Share = Annotated[float, Field(gt=0, le=1)]


class CheckTable(Table):
    """The daily check of the calibration, and how much may have changed since it was made."""

    required: bool = False
    """Whether the station is Ready only after a passed check; until then every part is NOT_INSPECTED(NOT_READY)."""
    max_age_h: Annotated[float, Field(gt=0, le=8760)] = 24.0
    """How old a passed check may be, in h; for a check at the start of each shift a little more than a shift."""
    shows: Literal["target", "part"] = "target"
    """What the picture shows: "target" (that of the plane's calibration) or "part" (a golden one; needs a light)."""
    target: str = ""
    """File of that target, relative to the project; "" means calibration/targets/<its id>.toml."""
    same_place: bool = True
    """Whether the target lies as when the plane was calibrated; else shift, rotation and light are not judged."""
    max_scale: Share = 0.003
    """Largest change of scale, as a share."""
    max_shift_px: Annotated[float, Field(gt=0, le=1000)] = 5.0
    """Largest shift of the picture's middle in px."""
    max_rotation_deg: Annotated[float, Field(gt=0, le=90)] = 0.3
    """Largest rotation about the optical axis in degrees."""
    max_tilt_deg: Annotated[float, Field(gt=0, le=90)] = 1.0
    """Largest change of the angle between camera and plane in degrees."""
    max_blur: Share = 0.25
    """Largest change of the width of edges, or of sharpness, as a share."""
    max_brightness: Share = 0.15
    """Largest change of brightness, as a share."""
    max_colour: Share = 0.02
    """Largest change of the share that red, green or blue has of the light."""
    max_unevenness: Share = 0.15
    """Largest change of one region's brightness against that of the whole picture, as a share."""


class CheckItem(Table):
    """One thing that was looked at."""

    name: Annotated[str, Field(min_length=1)]
    """What, in a word or two."""
    change: float
    """How much it has changed since the calibration, in `unit`."""
    limit: float
    """The largest change that passes, in the same unit."""
    unit: str
    """"%", "px", "°", or empty."""
    judged: bool = True
    """False where it is told only."""
    words: str = ""
    """Then and now, or why it cannot be told, in words."""
    todo: str = ""
    """What to do, where it does not pass."""

    @property
    def passed(self) -> bool:
        """Within its limit, or not judged."""
        return not self.judged or abs(self.change) <= self.limit

    @property
    def told(self) -> tuple[str, str, str]:
        """Change, limit and ruling in words; the first two are empty where there is no figure."""
        ruling = "not judged" if not self.judged else "passed" if self.passed else "NOT PASSED"
        if not self.limit:
            return "", "", ruling
        digits = max(0, 2 - math.floor(math.log10(self.limit)))  # a hundredth of the limit can be read off
        return f"{self.change:+.{digits}f} {self.unit}", f"± {self.limit:.3g} {self.unit}", ruling


class CheckRecord(Table):
    """One check of one view."""

    station: Id
    """The station."""
    view: Id
    """Its view."""
    shows: Literal["target", "part"]
    """What the picture showed."""
    made_utc: AwareDatetime
    """When, in UTC."""
    made_by: Annotated[str, Field(min_length=1)]
    """Who."""
    camera_serial: str
    """Serial number of the camera that took the picture, or empty for a file."""
    picture_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the pixels."""
    counts: bool
    """Whether it can make a station Ready: its own camera's picture, by the settings of the station file."""
    calibrations: dict[str, str]
    """The calibrations that it was held against: kind and SHA-256."""
    passed: bool
    """Whether every judged item is within its limit."""
    items: tuple[CheckItem, ...]
    """What was looked at."""

    @property
    def summary(self) -> str:
        """One sentence: what failed, or that all is well."""
        wrong = [
            f"{item.name} {item.told[0]}, limit {item.told[1]}" if item.limit else f"{item.name}: {item.words}"
            for item in self.items
            if not item.passed
        ]
        return f"{self.view}: " + ("; ".join(wrong) or "all within limits")


def kinds_of(table: CheckTable) -> tuple[Kind, ...]:
    """The kinds of calibration without which there is nothing to check against."""
    return ("lens", "plane") if table.shows == "target" else ("light",)


def checks_folder(data_dir: Path) -> Path:
    """Where a station keeps its checks."""
    return data_dir / "calibration-checks"


def write_check(folder: Path, record: CheckRecord) -> Path:
    """Writes the record, whole or not at all, and returns its path. Raises: OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    content = record.model_dump(mode="json")
    text = json.dumps(content | {"sha256": sha256_of_value(content)}, indent=2, ensure_ascii=False)
    stem = f"{record.made_utc.astimezone(UTC):%Y%m%dT%H%M%S%f}Z-{record.view}"
    partial = folder / f"{stem}.json.partial"
    partial.write_text(text + "\n", encoding="utf-8")
    return partial.replace(folder / f"{stem}.json")


def last_checks(folder: Path, views: Iterable[str]) -> tuple[dict[str, CheckRecord], tuple[Path, ...]]:
    """The last check of each view that counts; and newer files that are torn or altered, which never do."""
    last: dict[str, CheckRecord] = {}
    spoiled: list[Path] = []
    wanted = set(views)
    for path in sorted(folder.glob("*.json"), reverse=True):  # their names begin with the time: the newest first
        if wanted <= last.keys():
            break
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            stated = content.pop("sha256", "")
            record = CheckRecord.model_validate_json(json.dumps(content))
        except (OSError, ValueError, AttributeError, TypeError):  # no JSON, no object, or no record
            spoiled.append(path)
            continue
        if stated != sha256_of_value(content):
            spoiled.append(path)
        elif record.counts:
            last.setdefault(record.view, record)
    return last, tuple(spoiled)


def why_due(
    table: CheckTable,
    views: Iterable[str],
    last: Mapping[str, CheckRecord],
    calibrations: Mapping[str, Sequence[str]],
    now_utc: datetime,
) -> str:
    """Why the station needs a check now, in a sentence; empty when none is required, or all views have passed theirs.

    `calibrations` are the SHA-256 that each view's check must have been held against.
    """
    if not table.required:
        return ""
    reasons = [reason for view in views if (reason := _why(table, view, last.get(view), calibrations, now_utc))]
    return f"calibration check: {'; '.join(reasons)}: run `lineside check-calibration`" if reasons else ""


def _why(
    table: CheckTable,
    view: str,
    record: CheckRecord | None,
    calibrations: Mapping[str, Sequence[str]],
    now_utc: datetime,
) -> str:
    if record is None:
        return f"view {view} was never checked"
    if not record.passed:
        return f"view {view} failed its last"
    age = now_utc - record.made_utc
    if age < timedelta(minutes=-5):
        return f"view {view} was checked in the future: see the clocks"
    if age > timedelta(hours=table.max_age_h):
        return f"view {view} was checked {age.total_seconds() / 3600:.1f} h ago, {table.max_age_h:g} h are allowed"
    if set(calibrations.get(view, ())) - set(record.calibrations.values()):
        return f"view {view} was calibrated anew since"
    return ""
