"""Writes the page about a light reference: brightness, sharpness and colour over the frame, with their scatter."""

from __future__ import annotations

import numpy as np

from lineside.calibrate.light_fit import LightFit
from lineside.calibrate.report.drawing import field_chart, picture_with_points
from lineside.calibrate.report.page import calibration_page
from lineside.config.calibration_file import CalibrationFile
from lineside.core.errors import ConfigError

__all__ = ["light_page"]


def light_page(file: CalibrationFile, fit: LightFit) -> str:
    """The page about a light reference."""
    told = file.table.light
    if told is None:
        raise ConfigError(f"{file.path} is of kind {file.table.kind}", expected='a calibration of kind "light"')
    height, width = fit.sample.shape
    size_px = (width, height)
    brightness, sharpness = fit.mean[0], fit.mean[1]
    maps = [
        ("Brightness", "Share of the largest value, and how much it varies from picture to picture.",
         field_chart(brightness, _names(brightness, fit.scatter[0], ".0%"), size_px, "Brightness")),
        ("Sharpness", "Slope of edges as a share of the brightness; nothing to be sharp is pale.",
         field_chart(sharpness, _names(sharpness, fit.scatter[1], ".3f"), size_px, "Sharpness")),
    ]  # fmt: skip
    for number, name in enumerate(("Red", "Green", "Blue") if told.colour else ()):
        values = fit.mean[2 + number]
        names = _names(values, fit.scatter[2 + number], ".1%")
        maps.append((name, "Its share of the light.", field_chart(values, names, size_px, name)))
    sds = file.table.residuals
    return calibration_page(
        file,
        answer=f"Good pictures have a brightness of {told.brightness:.0%}, give or take {sds['brightness_sd']:.1%}",
        warnings=fit.warnings,
        tiles=[
            ("pictures used", str(told.pictures)),
            ("left out", str(len(fit.left_out))),
            ("brightness", f"{told.brightness:.1%}"),
            ("evenness", f"{told.evenness:.0%}"),
            ("sharpness", f"{told.sharpness:.3f}"),
        ],
        figures=[
            ("brightness", f"{told.brightness:.2%} of the largest value", f"± {2 * sds['brightness_sd']:.2%}"),
            ("darkest region over brightest", f"{told.evenness:.1%}", ""),
            ("sharpness", f"{told.sharpness:.4f}", f"± {2 * sds['sharpness_sd']:.4f}"),
            *([("red, green, blue", ", ".join(f"{share:.1%}" for share in told.colour), "")] if told.colour else []),
            ("place of the part", "as in the first picture" if not np.isnan(fit.placed).any() else "not told",
             f"± {2 * max(sds['shift_x_px_sd'], sds['shift_y_px_sd']):.2f} px, ± {2 * sds['rotation_deg_sd']:.3f}°"),
        ],
        note="The second column is what health checks compare with; the third what is natural: twice the standard "
        "deviation from picture to picture.",
        maps=maps,
        pictures=[(fit.names[0], "the picture that others are laid over",
                   picture_with_points(fit.sample, np.zeros((0, 2)), 900), "")],
        left_out=[(each.name, each.reason) for each in fit.left_out],
    )  # fmt: skip


def _names(values: np.ndarray, scatter: np.ndarray, form: str) -> list[list[str]]:
    return [
        [f"{value:{form}}\n± {sd:{form}}" for value, sd in zip(*rows, strict=True)]
        for rows in zip(values, scatter, strict=True)
    ]
