"""Writes the pages about lens and plane: figures with uncertainties, pictures with points, maps of the frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lineside.calibrate.lens_fit import LensFit
from lineside.calibrate.plane_fit import PlaneFit
from lineside.calibrate.report.drawing import arrow_chart, coverage_chart, field_chart, picture_with_points
from lineside.calibrate.report.page import calibration_page
from lineside.calibrate.selection import coverage_of
from lineside.config.calibration_file import CalibrationFile
from lineside.core.calibration import LENS_FIGURES
from lineside.core.errors import ConfigError
from lineside.imaging.lens import COVERAGE_FACTOR, scale_field

__all__ = ["lens_page", "plane_page"]


def lens_page(file: CalibrationFile, fit: LensFit, greys: Mapping[str, NDArray[np.uint8]]) -> str:
    """The page about a lens. `greys` are all pictures by name, those left out too."""
    lens = fit.lens
    sds = np.sqrt(np.diag(lens.covariance))
    counts = coverage_of([each.found for each in fit.pictures], lens.size_px)
    arrows, magnified = arrow_chart(fit.pictures, lens.size_px)
    shown = [
        (each.found.name, f"{len(each.found.ids)} points, {each.rms_px:.3f} px off; edges {each.found.edge_px:.1f} px",
         picture_with_points(greys[each.found.name], each.found.points_px), "")
        for each in fit.pictures
    ]  # fmt: skip
    shown += [
        (each.name, "", picture_with_points(greys[each.name], np.zeros((0, 2))), each.reason) for each in fit.left_out
    ]
    return calibration_page(
        file,
        answer=f"Focal length {lens.focal_px:.1f} px; points lie {fit.rms_px:.3f} px off",
        tiles=[
            ("pictures used", str(len(fit.pictures))),
            ("left out", str(len(fit.left_out))),
            ("points", f"{sum(len(each.found.ids) for each in fit.pictures):,}"),
            ("root mean square", f"{fit.rms_px:.3f} px"),
            ("frame covered", f"{(counts > 0).mean():.0%}"),
        ],
        figures=[
            (name, f"{value:.6g}", f"± {COVERAGE_FACTOR * sd:.2g}")
            for name, value, sd in zip(LENS_FIGURES, lens.figures, sds, strict=True)
        ],
        note=f"Distortion figures fitted: {fit.model}, the fewest that the pictures call for. The others are zero, "
        "within what is stated.",
        maps=[
            ("Where the target was seen", "Points in each part of the frame; where there are none, the distortion is a "
             "guess.", coverage_chart(counts, lens.size_px)),
            ("Errors", f"From where each point should be to where it was seen, {magnified:g} times larger. Arrows that "
             "turn with the place show a lens that the model does not describe.", arrows),
        ],
        pictures=shown,
        warnings=(),
    )  # fmt: skip


def plane_page(file: CalibrationFile, fit: PlaneFit, grey: NDArray[np.uint8], warnings: Sequence[str]) -> str:
    """The page about a plane."""
    told = file.table.plane
    if told is None:
        raise ConfigError(f"{file.path} is of kind {file.table.kind}", expected='a calibration of kind "plane"')
    size_px = fit.plane.lens.size_px
    _, scale, spread = scale_field(fit.plane, 8, 6)
    relative = COVERAGE_FACTOR * spread / scale
    arrows, magnified = arrow_chart([fit.picture], size_px)
    low, high = told.mm_per_px_range
    worst = file.table.uncertainty["relative_scale_95"]
    declared = file.table.target
    return calibration_page(
        file,
        answer=f"{told.mm_per_px:.5f} mm per px in the middle, ± {worst:.2%} or better over the frame",
        tiles=[
            ("mm per px", f"{told.mm_per_px:.5f}"),
            ("tilt", f"{told.tilt_deg:.2f}°"),
            ("points", str(len(fit.picture.found.ids))),
            ("root mean square", f"{fit.picture.rms_px:.3f} px"),
        ],
        figures=[
            ("mm per px, lowest and highest", f"{low:.6f} to {high:.6f}", ""),
            ("height of the parts above the target", f"{told.height_mm:g} mm",
             f"± {COVERAGE_FACTOR * float(file.table.settings['height_uncertainty_mm']):.2g} mm, declared"),
            ("print, across and down", f"{declared.scale[0]:.5f}, {declared.scale[1]:.5f}" if declared else "",
             f"± {COVERAGE_FACTOR * declared.scale_uncertainty:.2%}, by its rulers" if declared else ""),
            ("distance", f"{told.translation_mm[2]:.1f} mm", ""),
        ],
        note="The uncertainties hold for 95 %: of lens, pose, print and height together.",
        maps=[
            ("Size of a pixel", "In mm, at that place of the frame.",
             field_chart(scale, [[f"{value:.5f}" for value in row] for row in scale], size_px, "mm per px")),
            ("Its uncertainty", "95 %, relative.",
             field_chart(relative, [[f"{value:.2%}" for value in row] for row in relative], size_px, "Uncertainty")),
            ("Errors", f"From where each point should be to where it was seen, {magnified:g} times larger.", arrows),
        ],
        pictures=[(fit.picture.found.name, f"{len(fit.picture.found.ids)} points",
                   picture_with_points(grey, fit.picture.found.points_px, 900), "")],
        warnings=warnings,
    )  # fmt: skip
