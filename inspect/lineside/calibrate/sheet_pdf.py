"""A sheet as PDF: vectors in exact millimetres, and the wish to be printed unscaled."""

from __future__ import annotations

import io

from lineside.calibrate.sheet import Sheet
from lineside.core.errors import ConfigError

__all__ = ["pdf_of"]

_POINTS_PER_MM = 72 / 25.4
_CAPITAL_SHARE = 0.718
"""Height of a capital over the size of Helvetica: its font metrics."""


def pdf_of(sheet: Sheet) -> bytes:
    """The same bytes for the same sheet. Raises: ConfigError when the library for it is not installed."""
    try:
        from reportlab.pdfgen.canvas import Canvas  # noqa: PLC0415 - needed here only
    except ImportError as error:
        raise ConfigError(
            "reportlab is not installed", expected="the extra", remedy='pip install "lineside[calibrate]"'
        ) from error
    buffer = io.BytesIO()
    width, height = (side * _POINTS_PER_MM for side in sheet.size_mm)
    canvas = Canvas(buffer, pagesize=(width, height), invariant=1)
    canvas.setTitle(sheet.title)
    canvas.setViewerPreference("PrintScaling", "None")
    # All in one path: black cells that touch would show hairlines between them if each were filled on its own.
    path = canvas.beginPath()
    for box in sheet.rectangles:
        path.rect(
            box.x_mm * _POINTS_PER_MM,
            height - (box.y_mm + box.height_mm) * _POINTS_PER_MM,
            box.width_mm * _POINTS_PER_MM,
            box.height_mm * _POINTS_PER_MM,
        )
    for disc in sheet.discs:
        path.circle(disc.x_mm * _POINTS_PER_MM, height - disc.y_mm * _POINTS_PER_MM, disc.radius_mm * _POINTS_PER_MM)
    canvas.drawPath(path, stroke=0, fill=1, fillMode=1)  # non-zero winding
    for line in sheet.texts:
        canvas.setFont("Helvetica", line.size_mm * _POINTS_PER_MM / _CAPITAL_SHARE)
        draw = canvas.drawCentredString if line.centred else canvas.drawString
        draw(line.x_mm * _POINTS_PER_MM, height - line.y_mm * _POINTS_PER_MM, line.text)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()
