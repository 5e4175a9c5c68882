"""A target's sheet as shapes in mm from the sheet's upper left corner: one description for PDF, PNG and tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.calibrate.target import LEFT_MM, MARKER_CODES, PAPERS_MM, TOP_MM, Target

__all__ = ["MARKER_SHARE", "Disc", "Rectangle", "Sheet", "Text", "marker_dictionary", "sheet_of"]

MARKER_SHARE = 0.7
"""Side of a marker over side of its square: white around it keeps the corners' edges apart from the marker's."""

_DOT_SHARE = 0.25
_RULER_AWAY_MM = 6.0
_TICK_MM = 0.15
_QR_MM = 16.0


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A black, upright rectangle."""

    x_mm: float
    y_mm: float
    width_mm: float
    height_mm: float


@dataclass(frozen=True, slots=True)
class Disc:
    """A black disc by its centre."""

    x_mm: float
    y_mm: float
    radius_mm: float


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text, by the left end or the middle of its baseline; `size_mm` is the height of a capital letter."""

    x_mm: float
    y_mm: float
    size_mm: float
    text: str
    centred: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """All that is printed. `pattern_at_mm` is where the pattern's own origin lies."""

    title: str
    size_mm: tuple[float, float]
    pattern_at_mm: tuple[float, float]
    rectangles: tuple[Rectangle, ...]
    discs: tuple[Disc, ...]
    texts: tuple[Text, ...]


def marker_dictionary() -> cv2.aruco.Dictionary:
    """The dictionary that markers come from."""
    return cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_5X5_1000)


def sheet_of(target: Target) -> Sheet:
    """The target with heading, QR code and rulers."""
    table = target.table
    across_mm, down_mm = target.rulers_mm
    title = f"lineside target {table.id} revision {table.revision}"
    what = "dots" if table.kind == "dots" else "squares"
    lines = [
        f"{title}: {table.kind}, {table.columns} x {table.rows} {what}, pitch {table.pitch_mm:g} mm",
        f"Print at 100 %. Measure the rulers: they must show {across_mm} mm and {down_mm} mm; if not, say so",
    ]
    if table.kind == "charuco":
        lines[0] += f", markers from {table.first_marker} of {MARKER_CODES}"
    width_mm, height_mm = PAPERS_MM[table.paper]
    pattern = list(_dots(target) if table.kind == "dots" else _squares(target))
    rectangles = [each for each in pattern if isinstance(each, Rectangle)]
    rulers = [*_ruler(target, down=False), *_ruler(target, down=True)]
    rectangles += [each for each in rulers if isinstance(each, Rectangle)]
    rectangles += _qr_code(f"{title} {target.identity.sha256[:16]}", width_mm - 12 - _QR_MM, 9.0)
    return Sheet(
        title=title,
        size_mm=(width_mm, height_mm),
        pattern_at_mm=(LEFT_MM, TOP_MM),
        rectangles=tuple(rectangles),
        discs=tuple(each for each in pattern if isinstance(each, Disc)),
        texts=(
            *(Text(LEFT_MM, 14.0 + 5.0 * number, 2.0, line) for number, line in enumerate(lines)),
            *(each for each in rulers if isinstance(each, Text)),
        ),
    )


def _squares(target: Target) -> Iterator[Rectangle]:
    table, pitch = target.table, target.table.pitch_mm
    marker = table.first_marker
    inset = pitch * (1 - MARKER_SHARE) / 2
    for row in range(table.rows):
        for column in range(table.columns):
            x, y = LEFT_MM + column * pitch, TOP_MM + row * pitch
            if (row + column) % 2 == 0:  # as OpenCV's boards have it: black in the upper left corner
                yield Rectangle(x, y, pitch, pitch)
            elif table.kind == "charuco":
                cells = cv2.aruco.generateImageMarker(marker_dictionary(), marker, 7) == 0
                yield from _cells(cells, x + inset, y + inset, pitch * MARKER_SHARE / 7)
                marker += 1


def _dots(target: Target) -> Iterator[Disc]:
    for x, y in target.points_mm:
        yield Disc(LEFT_MM + float(x), TOP_MM + float(y), target.table.pitch_mm * _DOT_SHARE)


def _cells(black: NDArray[np.bool_], x_mm: float, y_mm: float, cell_mm: float) -> Iterator[Rectangle]:
    """Runs of black cells, one rectangle each."""
    for row, cells in enumerate(black):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], cells, [0]]).astype(np.int8)))
        for first, end in zip(edges[::2], edges[1::2], strict=True):
            yield Rectangle(x_mm + float(first) * cell_mm, y_mm + row * cell_mm, float(end - first) * cell_mm, cell_mm)


def _qr_code(text: str, x_mm: float, y_mm: float) -> list[Rectangle]:
    modules = cv2.QRCodeEncoder.create().encode(text) == 0
    inside = np.flatnonzero(modules.any(axis=0))
    modules = modules[inside[0] : inside[-1] + 1, inside[0] : inside[-1] + 1]
    return list(_cells(modules, x_mm, y_mm, _QR_MM / len(modules)))


def _ruler(target: Target, *, down: bool) -> Iterator[Rectangle | Text]:
    """A ruler below the pattern, or left of it; a tick's middle is its place."""
    length = target.rulers_mm[down]
    x0, y0 = LEFT_MM, TOP_MM + target.size_mm[1] + _RULER_AWAY_MM
    for mm in range(length + 1):
        tick = 5.0 if mm % 10 == 0 else 3.5 if mm % 5 == 0 else 2.0
        if down:
            yield Rectangle(LEFT_MM - _RULER_AWAY_MM - tick, TOP_MM + mm - _TICK_MM / 2, tick, _TICK_MM)
        else:
            yield Rectangle(x0 + mm - _TICK_MM / 2, y0, _TICK_MM, tick)
        if mm % 50 == 0 or mm == length:
            if down:
                yield Text(LEFT_MM - _RULER_AWAY_MM - 9.0, TOP_MM + mm + 1.0, 2.0, str(mm), centred=True)
            else:
                yield Text(x0 + mm, y0 + 8.5, 2.0, f"{mm} mm" if mm == length else str(mm), centred=True)
