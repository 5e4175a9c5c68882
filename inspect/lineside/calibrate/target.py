"""Reads and writes `calibration/targets/<id>.toml`: a target to print, with exact geometry in mm."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import numpy as np
import tomli_w
from numpy.typing import NDArray
from pydantic import Field, model_validator

from lineside.config.table import Id, Table, contradiction, read_table
from lineside.config.toml_file import TomlFile, refuse
from lineside.core.errors import ConfigError
from lineside.core.identity import Identity, sha256_of_value

__all__ = ["MARKER_CODES", "PAPERS_MM", "Paper", "Target", "TargetKind", "TargetTable", "default_target", "read_target"]

TargetKind = Literal["charuco", "checkerboard", "dots"]
Paper = Literal["a5", "a4", "a3", "letter"]

PAPERS_MM: Final = {"a5": (210.0, 148.0), "a4": (297.0, 210.0), "a3": (420.0, 297.0), "letter": (279.4, 215.9)}
"""Width and height, lying: ISO 216 and ANSI/ASME Y14.1."""

MARKER_CODES: Final = 1000
"""Codes in the dictionary DICT_5X5_1000. Targets take different ones, so that one is not taken for another."""

LEFT_MM, TOP_MM, RIGHT_MM, BOTTOM_MM = 26.0, 30.0, 12.0, 26.0
"""Room around the pattern: what printers leave white, the rulers, the heading."""

_DEFAULT_PITCH_MM = {"a5": 10.0, "a4": 15.0, "a3": 20.0, "letter": 15.0}


class TargetTable(Table):
    """One target. The pattern starts at its upper left corner; x runs right, y runs down."""

    id: Id
    """Id, printed on the sheet."""
    revision: Annotated[int, Field(ge=1)] = 1
    """Revision, printed on the sheet."""
    kind: TargetKind
    """"charuco" (chessboard with markers; may be partly hidden), "checkerboard" or "dots"."""
    paper: Paper
    """Size of the sheet, printed lying."""
    columns: Annotated[int, Field(ge=4, le=200)]
    """Squares, or dots, across."""
    rows: Annotated[int, Field(ge=3, le=200)]
    """Squares, or dots, down."""
    pitch_mm: Annotated[float, Field(ge=1, le=200)]
    """Side of a square, or distance of dots."""
    first_marker: Annotated[int, Field(ge=0, lt=MARKER_CODES)] = 0
    """First code of the dictionary; for kind "charuco"."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        width_mm, height_mm = PAPERS_MM[self.paper]
        room = (width_mm - LEFT_MM - RIGHT_MM, height_mm - TOP_MM - BOTTOM_MM)
        wanted = (self.columns * self.pitch_mm, self.rows * self.pitch_mm)
        if wanted[0] > room[0] or wanted[1] > room[1]:
            raise contradiction(
                f"pattern of {wanted[0]:g} x {wanted[1]:g} mm",
                expected=f"at most {room[0]:g} x {room[1]:g} mm on {self.paper}",
                remedy="take fewer or smaller ones, or larger paper",
            )
        if self.kind == "charuco" and self.first_marker + self.columns * self.rows // 2 > MARKER_CODES:
            raise contradiction(
                f"markers {self.first_marker} to {self.first_marker + self.columns * self.rows // 2 - 1}",
                expected=f"codes below {MARKER_CODES}",
                remedy="lower first_marker, or take fewer squares",
            )
        if self.kind == "checkerboard" and self.columns % 2 == self.rows % 2:
            raise contradiction(
                f"checkerboard of {self.columns} x {self.rows} squares, which looks the same upside down",
                expected="an even and an odd number",
                remedy="take one row or column less",
            )
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A target and its content hash."""

    table: TargetTable
    identity: Identity

    @property
    def points_mm(self) -> NDArray[np.float64]:
        """Nominal places of corners or dots, float64 (N, 2), row by row from the upper left."""
        table = self.table
        if table.kind == "dots":
            across, down = np.arange(table.columns) + 0.5, np.arange(table.rows) + 0.5
        else:
            across, down = np.arange(1.0, table.columns), np.arange(1.0, table.rows)
        x, y = np.meshgrid(across, down)
        return np.stack([x.ravel(), y.ravel()], axis=1) * table.pitch_mm

    @property
    def size_mm(self) -> tuple[float, float]:
        """Nominal width and height of the pattern."""
        return self.table.columns * self.table.pitch_mm, self.table.rows * self.table.pitch_mm

    @property
    def rulers_mm(self) -> tuple[int, int]:
        """Nominal lengths of the rulers across and down: whole centimetres."""
        return int(self.size_mm[0] // 10 * 10), int(self.size_mm[1] // 10 * 10)

    def toml(self) -> str:
        """The target's file."""
        return "# A target to print: see docs/calibration.md.\n" + tomli_w.dumps(self.table.model_dump())


def default_target(
    *, id: str, kind: TargetKind, paper: Paper, revision: int = 1, pitch_mm: float | None = None
) -> Target:
    """A target that fills the paper. Markers start where id and revision put them.

    Raises: ConfigError when nothing useful fits.
    """
    pitch_mm = _DEFAULT_PITCH_MM[paper] if pitch_mm is None else pitch_mm
    width_mm, height_mm = PAPERS_MM[paper]
    columns, rows = int((width_mm - LEFT_MM - RIGHT_MM) // pitch_mm), int((height_mm - TOP_MM - BOTTOM_MM) // pitch_mm)
    if kind != "dots" and columns % 2 == rows % 2:
        columns -= 1
    markers = columns * rows // 2
    # Blocks of codes that do not overlap for targets of one size: another id or revision most likely has another block.
    blocks = max(1, MARKER_CODES // max(1, markers))
    block = int(sha256_of_value([id, revision])[:8], 16) % blocks
    value = {
        "id": id, "revision": revision, "kind": kind, "paper": paper, "columns": columns, "rows": rows,
        "pitch_mm": float(pitch_mm), "first_marker": block * markers if kind == "charuco" else 0,
    }  # fmt: skip
    try:
        return _target(TargetTable.model_validate(value))
    except ValueError as error:
        raise ConfigError(
            f"target {id} of {columns} x {rows} with a pitch of {pitch_mm:g} mm on {paper}: {error}",
            remedy="choose another --pitch, --paper or --id",
        ) from error


def read_target(path: Path) -> Target:
    """Reads a target's file. Raises: ConfigError."""
    file = TomlFile(path)
    table, problems = read_table(TargetTable, file.value, file)
    if table is None:
        raise refuse(problems)
    return _target(table)


def _target(table: TargetTable) -> Target:
    identity = Identity(id=table.id, revision=table.revision, sha256=sha256_of_value(table.model_dump(mode="json")))
    return Target(table=table, identity=identity)
