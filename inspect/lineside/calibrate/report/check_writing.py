"""Writes the small page about one daily check."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lineside.calibrate.report.drawing import picture_with_points
from lineside.calibrate.report.page import written
from lineside.config.calibration_check import CheckRecord

__all__ = ["check_page"]


def check_page(record: CheckRecord, grey: NDArray[np.uint8], points_px: NDArray[np.float64]) -> str:
    """The page about a check of the picture `grey`, uint8 (H, W)."""
    wrong = [item.name for item in record.items if not item.passed]
    shown = f"the target with {len(points_px)} points" if record.shows == "target" else "the golden part"
    return written(
        "check.html.j2",
        record=record,
        answer=f"Not passed: {', '.join(wrong)}" if wrong else "Passed: nothing has changed beyond its limit",
        items=[(item, *item.told) for item in record.items],
        picture=picture_with_points(grey, points_px, 900),
        shown=shown,
    )
