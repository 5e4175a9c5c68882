"""A quantised package against its original on held-out pictures, and whether that shows it to be better."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lineside.core.frame import Frame
from lineside.detectors.onnx_detector import OnnxDetector
from lineside.statistics.paired_area import AreaDifference, area_difference

__all__ = ["MARGIN", "MIN_PARTS", "Comparison", "HeldOut", "Seen", "compare"]

MARGIN: Final = 0.01
"""An area under the ROC that may be lower by more is worse. Differences below it mean nothing with few parts."""

MIN_PARTS: Final = 10
"""Of good and of bad ones: fewer show nothing about either. Pictures of one group are of one part."""

_LEAST_TIMED: Final = 30
"""Runs of each: a median of fewer wanders."""

_REACH: Final = 1.96
"""Of 95 %."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class HeldOut:
    """A picture that no weight and no range was made of."""

    name: str
    group: str
    good: bool
    frame: Frame


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """Both scores of one picture, and what they make of it."""

    name: str
    group: str
    good: bool
    original: float
    quantised: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Comparison:
    """All that was seen. `ratio` is the quantised time over the original's: its median, and the median's 95 % bounds.

    `area` is None with fewer than two good or two bad pictures. Sizes are of the graphs.
    """

    threshold: float
    seen: tuple[Seen, ...]
    original_ms: float
    quantised_ms: float
    ratio: tuple[float, float, float]
    original_bytes: int
    quantised_bytes: int
    area: AreaDifference | None

    def changed(self, *, good: bool, now_rejected: bool) -> tuple[str, ...]:
        """Names of the pictures whose verdict at the threshold has changed that way."""
        return tuple(
            each.name
            for each in self.seen
            if each.good == good
            and (each.original >= self.threshold) != (each.quantised >= self.threshold)
            and (each.quantised >= self.threshold) == now_rejected
        )

    @property
    def largest_change(self) -> float:
        """Of a score."""
        return max(abs(each.quantised - each.original) for each in self.seen)

    def against(self) -> tuple[str, ...]:
        """Why it is not shown to be better, in words; nothing where it is."""
        return (*self._time_against(), *self._verdicts_against(), *self._area_against())

    def _time_against(self) -> tuple[str, ...]:
        middle, low, high = self.ratio
        if high < 1:
            return ()
        if low > 1:
            return (f"slower: {middle:.2f} times the original's time (95 % bounds {low:.2f} to {high:.2f})",)
        return (f"not faster: {middle:.2f} times the original's time (95 % bounds {low:.2f} to {high:.2f})",)

    def _verdicts_against(self) -> tuple[str, ...]:
        found = []
        for good, now_rejected, words in (
            (False, False, "bad parts now pass"),
            (True, True, "good parts are rejected"),
        ):
            if names := self.changed(good=good, now_rejected=now_rejected):
                found.append(f"worse: {len(names)} {words} that did not before: {_listed(names)}")
        return tuple(found)

    def _area_against(self) -> tuple[str, ...]:
        good, bad = (len({each.group for each in self.seen if each.good == kind}) for kind in (True, False))
        if self.area is None or min(good, bad) < MIN_PARTS:
            return (
                f"not shown: {good} good and {bad} bad held-out parts; with fewer than {MIN_PARTS} of either "
                "nothing is known of how well it tells them apart",
            )
        if self.area.low < -MARGIN:
            return (
                f"not shown: its area under the ROC differs by {self.area.value:+.4f}, and by {self.area.low:+.4f} at "
                f"worst (95 % bounds); a loss of {MARGIN:g} can not be ruled out",
            )
        return ()

    def record(self, split: str) -> dict[str, Any]:
        """For the package."""
        middle, low, high = self.ratio
        kept: dict[str, Any] = {
            "pictures": f"{len(self.seen)} of {split}, of which {sum(each.good for each in self.seen)} good",
            "largest_change_of_a_score": round(self.largest_change, 6),
            "bad_that_now_pass": list(self.changed(good=False, now_rejected=False)),
            "bad_that_are_now_rejected": list(self.changed(good=False, now_rejected=True)),
            "good_that_are_now_rejected": list(self.changed(good=True, now_rejected=True)),
            "good_that_now_pass": list(self.changed(good=True, now_rejected=False)),
            "original_ms_on_one_core": round(self.original_ms, 3),
            "quantised_ms_on_one_core": round(self.quantised_ms, 3),
            "time_ratio": round(middle, 4),
            "time_ratio_95_percent": [round(low, 4), round(high, 4)],
            "original_graph_bytes": self.original_bytes,
            "quantised_graph_bytes": self.quantised_bytes,
            "not_better_because": list(self.against()),
        }
        if self.area is not None:
            kept["auroc_original"] = round(self.area.a, 5)
            kept["auroc_quantised"] = round(self.area.b, 5)
            kept["auroc_difference_95_percent"] = [round(self.area.low, 5), round(self.area.high, 5)]
        return kept


def compare(
    original: OnnxDetector,
    quantised: OnnxDetector,
    pictures: Sequence[HeldOut],
    *,
    sizes: tuple[int, int],
    tick: Callable[[], None] = lambda: None,
) -> Comparison:
    """Both look at every picture, in turns, so that whatever else the machine does hits both alike. Blocks for long.

    `tick` is called once for each picture. Raises: InspectionError for a picture that cannot be judged.
    """
    for detector in (original, quantised):
        detector.detect(pictures[0].frame)
    seen: list[Seen] = []
    times: tuple[list[int], list[int]] = ([], [])
    rounds = math.ceil(_LEAST_TIMED / len(pictures))
    for number, picture in enumerate(pictures):
        scores = [0.0, 0.0]
        for turn in range(rounds):
            for which in (0, 1) if (number + turn) % 2 == 0 else (1, 0):
                detector = (original, quantised)[which]
                scores[which] = detector.detect(picture.frame).score
                times[which].append(detector.last_infer_ns)
        seen.append(
            Seen(name=picture.name, group=picture.group, good=picture.good, original=scores[0], quantised=scores[1])
        )
        tick()
    return Comparison(
        threshold=original.threshold,
        seen=tuple(seen),
        original_ms=float(np.median(times[0])) / 1e6,
        quantised_ms=float(np.median(times[1])) / 1e6,
        ratio=_median_of_ratio(np.asarray(times[0], np.float64), np.asarray(times[1], np.float64)),
        original_bytes=sizes[0],
        quantised_bytes=sizes[1],
        area=_area(seen),
    )


def _median_of_ratio(before: NDArray[np.float64], after: NDArray[np.float64]) -> tuple[float, float, float]:
    """Of pairs measured right after each other: the median, and its bounds by order statistics, free of any shape."""
    ratios = np.sort(after / before)
    count = len(ratios)
    reach = math.ceil(_REACH * math.sqrt(count) / 2)
    low, high = max(count // 2 - reach, 0), min((count - 1) // 2 + reach, count - 1)
    return float(np.median(ratios)), float(ratios[low]), float(ratios[high])


def _area(seen: Sequence[Seen]) -> AreaDifference | None:
    scores = {
        good: tuple(
            np.array([getattr(each, which) for each in seen if each.good == good])
            for which in ("original", "quantised")
        )
        for good in (True, False)
    }
    if min(len(scores[True][0]), len(scores[False][0])) < 2:
        return None
    return area_difference((scores[True][0], scores[True][1]), (scores[False][0], scores[False][1]))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
