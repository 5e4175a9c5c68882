"""The recipe's rules for one view, ready to be held against what a model saw in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lineside.core.calibration import Calibration, Plane
from lineside.core.errors import ConfigError, FrameError
from lineside.core.finding import Defect, Detection
from lineside.core.frame import Frame
from lineside.core.recipe import ANY, Limit, ViewRecipe
from lineside.core.verdict import ViewScore
from lineside.imaging.blobs import find_blobs, highest_score
from lineside.imaging.flat_field import FlatField
from lineside.imaging.lens import sees_plane
from lineside.imaging.measure import defect_of, with_sizes
from lineside.imaging.regions import RegionMasks
from lineside.imaging.regions_mm import in_pixels
from lineside.imaging.sizes import PIXEL_SD, sizes_of

__all__ = ["ViewRules"]


class ViewRules:
    """What a view's frames must be, its regions, ruler and threshold. What it judges went through `check` before.

    Raises (on making): ConfigError for a region without a pixel, or one that the camera does not see.
    """

    def __init__(self, view: ViewRecipe, calibration: Calibration, threshold: float) -> None:
        """`threshold` is the package's own: it holds where a limit names none."""
        self._ruler = calibration.ruler(view.view)
        if isinstance(self._ruler, Plane) and not sees_plane(self._ruler):
            raise ConfigError(
                f"view {view.view} sees the horizon of its calibrated plane",
                expected="a plane that fills the frame: beyond its horizon nothing has a size",
                remedy="mount the camera less aslant, or take a smaller part of its sensor, and calibrate anew",
            )
        self._serial = calibration.serials.get(view.view, "")
        flat = calibration.flats.get(view.view)
        self._flat = None if flat is None else FlatField(flat)
        self._view = in_pixels(view, self._ruler)
        self._regions = RegionMasks(self._view)
        self._threshold = threshold

    def prepared(self, frame: Frame) -> Frame:
        """The frame as the model is to see it, its pixels corrected where the station has a flat field.

        Raises: FrameError for one that is not as declared, or of another camera than the calibrated one. Where nobody
        knows the camera (a client's picture, a file) it is the caller who says that it is this one.
        """
        frame.check()
        got, wanted = (frame.pixel_format, frame.width_px, frame.height_px), self._view
        if got != (wanted.pixel_format, wanted.width_px, wanted.height_px):
            raise FrameError(
                f"frame in {got[0]} of {got[1]}x{got[2]} px",
                expected=f"{wanted.pixel_format} of {wanted.width_px}x{wanted.height_px} px",
            )
        if self._serial and frame.camera_serial not in ("", self._serial):
            raise FrameError(
                f"frame of camera {frame.camera_serial}",
                expected=f"camera {self._serial}, which view {wanted.view} is calibrated with",
                remedy="judge it with the calibration of its own camera",
            )
        return frame if self._flat is None else replace(frame, pixels=self._flat.apply(frame.pixels))

    def check(self, detection: Detection) -> Detection:
        """Returns the detection if it is all finite and its maps reach every region. Raises: ModelError."""
        detection.check()
        for score_map in detection.maps:
            for region in self._view.regions:
                self._regions.on_map(region.name, score_map)
        return detection

    def found(self, limit: Limit, detection: Detection) -> list[Defect]:
        """Each finding that the limit looks at, measured in mm where the limit is, whether or not it exceeds it."""
        min_score = self._threshold if limit.min_score is None else limit.min_score
        findings = [
            finding
            for finding in detection.findings
            if finding.score >= min_score
            and limit.class_name in (ANY, finding.class_name)
            and self._regions.hold(limit.region, finding)
        ]
        for score_map in detection.maps:
            if limit.class_name in (ANY, score_map.class_name):
                findings += find_blobs(score_map, self._regions.on_map(limit.region, score_map), min_score)
        defects = [
            defect_of(
                finding,
                limit,
                view=self._view.view,
                region=self._regions.name_for(finding) if limit.region == ANY else limit.region,
            )
            for finding in findings
        ]
        return self.measured(defects) if limit.needs_scale else defects

    def measured(self, defects: Sequence[Defect]) -> list[Defect]:
        """The same with their sizes in mm, where the view has a ruler: those that lack them are measured together."""
        lacking = [each.finding for each in defects if each.length_mm is None]
        if self._ruler is None or not lacking:
            return list(defects)
        told = self._view.edge_sd_px
        edges = [finding.grid_px * PIXEL_SD if told is None else told for finding in lacking]
        sizes = iter(sizes_of(lacking, self._ruler, edges))
        return [with_sizes(each, next(sizes)) if each.length_mm is None else each for each in defects]

    def score(self, detection: Detection) -> ViewScore:
        """The model's own score of the frame; where regions leave something out, the highest score inside them."""
        score = detection.score
        if not self._regions.whole_frame:
            inside = [finding.score for finding in detection.findings if self._regions.hold(ANY, finding)]
            inside += [highest_score(each, self._regions.on_map(ANY, each)) for each in detection.maps]
            score = max(inside, default=0.0)
        return ViewScore(view=self._view.view, score=score, threshold=self._threshold)
