"""Pictures with the points that were found, and maps of the frame: the first as JPEG data, the others as SVG."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import cv2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from lineside.calibrate.lens_fit import FittedPicture
from lineside.page.svg import svg

__all__ = ["arrow_chart", "coverage_chart", "field_chart", "picture_of_values", "picture_with_points"]

Floats = NDArray[np.float64]

_POINT_BGR = (40, 40, 235)
_ARROW_SHARE = 0.06
"""The usual error is drawn this share of the frame's width long."""


def picture_with_points(grey: NDArray[np.uint8], points_px: Floats, width_px: int = 480) -> str:
    """A small picture, uint8 (H, W), with the points marked, as a data URI."""
    share = min(1.0, width_px / grey.shape[1])
    small = cv2.resize(grey, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    canvas = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR)
    for x, y in (points_px + 0.5) * share - 0.5:
        cv2.circle(canvas, (round(x * 16), round(y * 16)), 40, _POINT_BGR, 1, cv2.LINE_AA, 4)
    data = cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, 75])[1].tobytes()
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"


def picture_of_values(values: Floats, width_px: int = 480) -> tuple[str, float, float]:
    """A map of the frame, float64 (H, W), as colours from violet (low) to yellow: a data URI, and the two ends.

    Ends are the lowest and highest thousandth: a few bad pixels must not take all the colours.
    """
    low, high = (float(end) for end in np.percentile(values, [0.1, 99.9]))
    shares = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    colours = cv2.applyColorMap(np.rint(shares * 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS)
    share = width_px / values.shape[1]
    how = cv2.INTER_AREA if share < 1 else cv2.INTER_NEAREST
    drawn = cv2.resize(colours, None, fx=share, fy=share, interpolation=how)
    data = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}", low, high


def coverage_chart(counts: NDArray[np.intp], size_px: tuple[int, int]) -> Markup:
    """How many points were seen in each cell of the frame; counts are (rows, columns)."""
    most = max(1, int(counts.max()))
    shade = np.sqrt(counts / most)
    names = [[str(count) for count in row] for row in counts.tolist()]
    empty = int((counts == 0).sum())
    return _cells(shade, names, size_px, "Points seen in each part of the frame", f"{empty} cells are empty.")


def field_chart(values: Floats, names: Sequence[Sequence[str]], size_px: tuple[int, int], title: str) -> Markup:
    """A field over the frame, (rows, columns), from the lowest (pale) to the highest, each cell named."""
    span = float(np.ptp(values))
    shade = (values - values.min()) / span if span else np.zeros_like(values)
    return _cells(shade, names, size_px, title, f"From {values.min():.5g} to {values.max():.5g}.")


def arrow_chart(pictures: Sequence[FittedPicture], size_px: tuple[int, int]) -> tuple[Markup, float]:
    """All errors as arrows from where a point should be, and how much they are magnified."""
    points = np.concatenate([picture.found.points_px for picture in pictures])
    errors = np.concatenate([picture.errors_px for picture in pictures])
    usual = float(np.sqrt((errors**2).sum(axis=1).mean()))
    scale = size_px[0] * _ARROW_SHARE / usual if usual else 1.0
    times = 10 ** np.floor(np.log10(scale))
    magnified = float(times * max(step for step in (1, 2, 5) if step * times <= scale))
    lines = Markup("").join(
        Markup(
            '<path class="arrow" d="M{:.1f},{:.1f}l{:.1f},{:.1f}"/><circle class="foot" cx="{:.1f}" cy="{:.1f}" r="2"/>'
        ).format(x, y, dx, dy, x, y)
        for (x, y), (dx, dy) in zip(points, errors * magnified, strict=True)
    )  # fmt: skip
    frame = Markup('<rect class="frame" x="0" y="0" width="{}" height="{}"/>').format(*size_px)
    style = f"Root mean square {usual:.3f} px, {magnified:g} times larger."
    return svg([frame, lines], size_px[1], "Errors of all points", style, width=size_px[0]), magnified


def _cells(
    shade: Floats, names: Sequence[Sequence[str]], size_px: tuple[int, int], title: str, description: str
) -> Markup:
    rows, columns = shade.shape
    width = 640.0
    height = width * size_px[1] / size_px[0]
    across, down = width / columns, height / rows
    parts = [
        Markup(
            '<rect class="cell" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" style="fill-opacity:{:.2f}"/>'
        ).format(column * across, row * down, across - 1, down - 1, 0.65 * shade[row, column])
        + _words((column + 0.5) * across, (row + 0.5) * down, names[row][column].split("\n"))
        for row in range(rows)
        for column in range(columns)
    ]
    return svg(parts, height, title, description, width=width)


def _words(x: float, y: float, lines: Sequence[str]) -> Markup:
    """One or two lines around a place."""
    first = y + 4 - 7 * (len(lines) - 1)
    return Markup("").join(
        Markup('<text class="strong" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>').format(
            x, first + 14 * number, line
        )
        for number, line in enumerate(lines)
    )
