"""Decodes graphs that answer with one score per class for the whole frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from lineside.core.finding import Detection, Finding
from lineside.detectors.answers import activate, finite_floats, wrong_shape
from lineside.detectors.manifest import ClassesOutput
from lineside.detectors.placement import Placement

__all__ = ["ClassesDecoder"]


class ClassesDecoder:
    """One finding over the whole frame for every class that is not good, whatever its score: limits choose."""

    def __init__(self, output: ClassesOutput) -> None:
        self._output = output

    def decode(self, outputs: Mapping[str, NDArray[Any]], placement: Placement) -> Detection:
        """Raises: ModelError."""
        output = self._output
        values = finite_floats(outputs, output.scores)
        if values.shape not in ((1, len(output.classes)), (len(output.classes),)):
            raise wrong_shape(output.scores, values, f"(1, {len(output.classes)}), one score per class")
        probabilities = activate(output.scores, values.reshape(-1), output.activation)
        of_class = dict(zip(output.classes, (float(value) for value in probabilities), strict=True))
        frame = placement.whole_frame
        findings = tuple(
            Finding(
                class_name=name,
                score=score,
                box=frame,
                area_px=frame.area_px,
                length_px=max(frame.width_px, frame.height_px),
            )
            for name, score in of_class.items()
            if name not in output.good
        )
        worst = max(finding.score for finding in findings)
        if output.good and output.activation != "sigmoid":
            worst = 1.0 - sum(of_class[name] for name in output.good)
        return Detection(score=worst, findings=findings)
