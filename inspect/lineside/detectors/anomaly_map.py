"""Decodes graphs that answer with one map of scores: anomalib's, the template trainer's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from lineside.core.finding import Detection
from lineside.detectors.answers import finite_floats, wrong_shape
from lineside.detectors.manifest import AnomalyMapOutput
from lineside.detectors.placement import Placement

__all__ = ["AnomalyMapDecoder"]


class AnomalyMapDecoder:
    """One ScoreMap; the frame's score is the graph's own, or the map's maximum over the frame."""

    def __init__(self, output: AnomalyMapOutput) -> None:
        self._output = output

    def decode(self, outputs: Mapping[str, NDArray[Any]], placement: Placement) -> Detection:
        """Raises: ModelError."""
        values = finite_floats(outputs, self._output.map)
        if values.ndim not in (2, 3, 4) or not values.size or values.size != values.shape[-1] * values.shape[-2]:
            raise wrong_shape(self._output.map, values, "one map: (1, 1, h, w), (1, h, w) or (h, w)")
        scores = placement.score_map(self._output.class_name, values.reshape(values.shape[-2:]))
        if self._output.score is None:
            return Detection(score=float(scores.values.max()), maps=(scores,))
        score = finite_floats(outputs, self._output.score)
        if score.size != 1:
            raise wrong_shape(self._output.score, score, "one number")
        return Detection(score=float(score.reshape(())), maps=(scores,))
