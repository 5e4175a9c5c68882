"""The recipe's rules for one view, ready to be held against what a model saw in it."""

from __future__ import annotations

from collections.abc import Iterator

from lineside.core.calibration import Scale
from lineside.core.finding import Defect, Detection
from lineside.core.recipe import ANY, Limit, ViewRecipe
from lineside.core.verdict import ViewScore
from lineside.imaging.blobs import find_blobs, highest_score
from lineside.imaging.measure import defect_of
from lineside.imaging.regions import RegionMasks

__all__ = ["ViewRules"]


class ViewRules:
    """Regions, scale and threshold of one view. What it judges went through `check` before.

    Raises (on making): ConfigError for a region without a pixel.
    """

    def __init__(self, view: ViewRecipe, scale: Scale | None, threshold: float) -> None:
        """`threshold` is the package's own: it holds where a limit names none."""
        self._view = view
        self._regions = RegionMasks(view)
        self._scale = scale
        self._threshold = threshold

    def check(self, detection: Detection) -> Detection:
        """Returns the detection if it is all finite and its maps reach every region. Raises: ModelError."""
        detection.check()
        for score_map in detection.maps:
            for region in self._view.regions:
                self._regions.on_map(region.name, score_map)
        return detection

    def measured(self, limit: Limit, detection: Detection) -> Iterator[Defect]:
        """Each finding that the limit looks at, with its sizes, whether or not it exceeds one of the limit's."""
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
        for finding in findings:
            region = self._regions.name_for(finding) if limit.region == ANY else limit.region
            yield defect_of(finding, limit, view=self._view.view, region=region, scale=self._scale)

    def score(self, detection: Detection) -> ViewScore:
        """The model's own score of the frame; where regions leave something out, the highest score inside them."""
        score = detection.score
        if not self._regions.whole_frame:
            inside = [finding.score for finding in detection.findings if self._regions.hold(ANY, finding)]
            inside += [highest_score(each, self._regions.on_map(ANY, each)) for each in detection.maps]
            score = max(inside, default=0.0)
        return ViewScore(view=self._view.view, score=score, threshold=self._threshold)
