"""From judged pictures to the figures of the document that need nothing but scores and times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from lineside.qualify.document import AreaFigure, Bin, LatencyFigures, OperatingPoint, RocPoint
from lineside.qualify.picture import Judged
from lineside.qualify.rates import parts_of
from lineside.statistics.ranking import Roc, area, area_bounds, average_precision, roc

__all__ = ["Ranking", "histogram", "latency", "ranking"]

_POINTS: Final = 200
_BARS: Final = 40
_OVERKILL: Final = (0.01, 0.05)


class Ranking:
    """Every threshold at once, by picture; the bounds of the area count parts."""

    def __init__(self, judged: Sequence[Judged], confidence: float) -> None:
        """Needs good and bad pictures."""
        good = np.array([each.score for each in judged if each.good])
        bad = np.array([each.score for each in judged if not each.good])
        self._curve = roc(good, bad)
        parts = parts_of(judged)
        kinds = [sum(truth is kind for _, truth in parts) for kind in (True, False)]
        bounds = area_bounds(area(good, bad), *kinds, confidence=confidence)
        self.auroc = AreaFigure(value=bounds.value, low=bounds.low, high=bounds.high)
        self.average_precision = average_precision(self._curve)
        self.operating_points = tuple(
            OperatingPoint(max_overkill=most, escapes=self._curve.escapes_at(most)) for most in _OVERKILL
        )
        self.points = _points(self._curve)


def ranking(judged: Sequence[Judged], confidence: float) -> Ranking | None:
    """None where there are not both good and bad pictures."""
    return Ranking(judged, confidence) if len({each.good for each in judged}) == 2 else None


def histogram(judged: Sequence[Judged], threshold: float) -> tuple[Bin, ...]:
    """Bars of equal width around the threshold; all higher scores are in the last one. NOT_INSPECTED is in none."""
    scores = np.array([each.score for each in judged if each.inspected])
    if not scores.size:
        return ()
    low = min(0.0, float(scores.min()))
    high = max(float(scores.max()), threshold)
    cap = min(high, max(2.5 * threshold - low, float(np.quantile(scores, 0.5)) - low)) if threshold > low else high
    edges = np.linspace(low, cap if cap > low else low + 1, _BARS + 1)
    edges[-1] = max(edges[-1], float(np.nextafter(scores.max(), np.inf)))
    counts = [
        np.histogram([each.score for each in judged if each.inspected and each.good is kind], edges)[0]
        for kind in (True, False)
    ]
    return tuple(
        Bin(
            low=float(edges[place]), high=float(edges[place + 1]), good=int(counts[0][place]), bad=int(counts[1][place])
        )
        for place in range(_BARS)
    )


def latency(judged: Sequence[Judged]) -> LatencyFigures | None:
    """The first picture is left out: caches are cold. None for fewer than two."""
    timed = judged[1:]
    if not timed:
        return None
    decode, inspect, infer = (
        np.array([getattr(each, name) for each in timed]) / 1e6 for name in ("decode_ns", "inspect_ns", "infer_ns")
    )
    return LatencyFigures(
        decode_median_ms=float(np.median(decode)),
        inspect_median_ms=float(np.median(inspect)),
        inspect_p95_ms=float(np.quantile(inspect, 0.95)),
        inspect_max_ms=float(inspect.max()),
        infer_median_ms=float(np.median(infer)),
    )


def _points(curve: Roc) -> tuple[RocPoint, ...]:
    """Thinned out evenly where there are many; the ends stay."""
    count = len(curve.thresholds)
    kept = np.unique(np.round(np.linspace(0, count - 1, min(count, _POINTS))).astype(int))
    return tuple(
        RocPoint(
            threshold=float(curve.thresholds[place]) if np.isfinite(curve.thresholds[place]) else None,
            overkill=float(curve.overkill[place]),
            escapes=float(1 - curve.caught[place]),
            precision=float(curve.precision[place]),
        )
        for place in kept
    )
