"""Decodes graphs that answer with one map per class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from lineside.core.finding import Detection
from lineside.detectors.answers import activate, finite_floats, wrong_shape
from lineside.detectors.manifest import SegmentationOutput
from lineside.detectors.placement import Placement

__all__ = ["SegmentationDecoder"]


class SegmentationDecoder:
    """One ScoreMap of probabilities per class but the background; the frame's score is the highest of them."""

    def __init__(self, output: SegmentationOutput) -> None:
        self._output = output

    def decode(self, outputs: Mapping[str, NDArray[Any]], placement: Placement) -> Detection:
        """Raises: ModelError."""
        output = self._output
        values = finite_floats(outputs, output.map)
        if values.ndim != 4 or values.shape[:2] != (1, len(output.classes)) or not values.size:
            raise wrong_shape(output.map, values, f"(1, {len(output.classes)}, h, w), one map per class")
        probabilities = activate(output.map, values[0], output.activation)
        maps = tuple(
            placement.score_map(name, probabilities[index])
            for index, name in enumerate(output.classes)
            if name != output.background
        )
        return Detection(score=max(float(each.values.max()) for each in maps), maps=maps)
