"""Which camera was calibrated, and which pixels of its sensor a frame is made of: one region, binning and mirroring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lineside.config.calibration_tables import CameraTable
from lineside.core.ports import CameraReport

__all__ = ["camera_of", "geometry_of"]

_GEOMETRY: Final = ("offset", "binning", "decimation", "reverse", "rotat", "fit", "zoom", "sensorwidth", "sensorheight")
"""What the names of such settings begin with, whatever the backend: GenICam's features, OpenCV's properties, ours."""


def camera_of(report: CameraReport) -> CameraTable:
    """The camera that is calibrated live, as it reported itself."""
    return CameraTable(
        serial=report.serial,
        model=report.model,
        size_px=(report.width_px, report.height_px),
        pixel_format=report.pixel_format.value,
        geometry=dict(geometry_of(report)),
    )


def geometry_of(report: CameraReport) -> Mapping[str, str]:
    """Those of the camera's settings that say so, as read back from it."""
    return {name: value for name, value in sorted(report.settings.items()) if name.lower().startswith(_GEOMETRY)}
