"""A small project whose package scores brightness, and pictures for it: what re-inspection is tested with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from model_graphs import blur, blur_package, blur_spec, draft, noise
from numpy.typing import NDArray

from lineside.core.pixel_format import PixelFormat
from lineside.detectors.manifest import AnomalyMapOutput
from lineside.detectors.package import write_package

WIDTH_PX, HEIGHT_PX = 48, 32

__all__ = ["HEIGHT_PX", "WIDTH_PX", "colour_package", "make_project", "picture", "resizing_package", "written"]


def make_project(folder: Path, *, views: tuple[str, ...] = ("face",), mm: bool = False) -> Path:
    """Package `tiny` (bright is bad, from 0.5 on), recipe `plate`, station `one`; returns the folder."""
    blur_package(folder / "models" / "tiny")
    recipe = folder / "models" / "recipes" / "plate.toml"
    recipe.parent.mkdir()
    tables = "".join(
        f'[views.{view}]\npackage = "tiny"\npixel_format = "Mono8"\nsize_px = [{WIDTH_PX}, {HEIGHT_PX}]\n'
        for view in views
    )
    recipe.write_text(
        f'recipe_id = "plate"\nrevision = 1\nproduct_id = "plate"\ndue_ms = 1000\n{tables}'
        f'[[limits]]\nname = "spots"\n{"max_length_mm = 0.2" if mm else ""}\n'
    )
    station = folder / "calibration" / "stations" / "one.toml"
    station.parent.mkdir(parents=True)
    cameras = "".join(f'[cameras.{view}]\nbackend = "simulated"\n' for view in views)
    scales = "".join(f"[scales.{view}]\nmm_per_px = 0.1\nmm_per_px_uncertainty = 0.001\n" for view in views)
    station.write_text(
        'line_id = "l"\nstation_id = "one"\nrecipe = "plate"\n[trigger]\nsource = "camera"\n'
        f"{cameras}{scales if mm else ''}"
    )
    return folder


def resizing_package(folder: Path) -> Path:
    """Another package, for frames of any size."""
    write_package(
        folder,
        graph=blur(),
        draft=draft(blur_spec(resize="stretch", interpolation="area"), AnomalyMapOutput(map="map")),
        reference_inputs=[noise(64, 64)],
    )
    return folder


def colour_package(folder: Path, pixel_format: PixelFormat) -> Path:
    """A package for frames in three colours."""
    write_package(
        folder,
        graph=blur(channels=3),
        draft=draft(
            blur_spec(shape=(1, 3, HEIGHT_PX, WIDTH_PX), pixel_format=pixel_format), AnomalyMapOutput(map="map")
        ),
        reference_inputs=[noise(HEIGHT_PX, WIDTH_PX, pixel_format=pixel_format)],
    )
    return folder


def picture(spots: int = 0, *, width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> NDArray[Any]:
    """A dark grey picture with so many bright spots."""
    pixels = np.full((height_px, width_px), 30, np.uint8)
    for spot in range(spots):
        pixels[8:16, 4 + 12 * spot : 12 + 12 * spot] = 240
    return pixels


def written(folder: Path, name: str, pixels: NDArray[Any]) -> str:
    """Writes the picture in the format that the name's ending says; returns its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(cv2.imencode(path.suffix, pixels)[1]))
    return str(path)
