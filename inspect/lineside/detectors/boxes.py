"""Decodes detection graphs: YOLO-style exports with and without built-in suppression and masks, torchvision's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineside.core.errors import ModelError
from lineside.core.finding import Detection, Finding
from lineside.detectors.answers import check_probabilities, finite_floats, output_of, wrong_shape
from lineside.detectors.box_masks import BoxMasks
from lineside.detectors.manifest import BoxesOutput
from lineside.detectors.placement import Placement

__all__ = ["BoxesDecoder", "suppress"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Candidates:
    """`corners` (N, 4) float32 x1 y1 x2 y2 as the graph has them, `scores` (N,) float32, `classes` (N,) int64.

    `coefficients` (N, M) float32 of the masks, M = 0 where there are none.
    """

    corners: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]
    coefficients: NDArray[np.float32]

    def taken(self, which: NDArray[Any]) -> _Candidates:
        return _Candidates(
            corners=self.corners[which],
            scores=self.scores[which],
            classes=self.classes[which],
            coefficients=self.coefficients[which],
        )


class BoxesDecoder:
    """One finding per box, the highest score first; the frame's score is the highest, 0 where there is no candidate."""

    def __init__(self, output: BoxesOutput) -> None:
        self._output = output
        self._read = {
            "yolo": self._yolo,
            "yolo_objectness": self._yolo_objectness,
            "yolo_nms": self._yolo_nms,
            "torchvision": self._torchvision,
        }[output.variant]

    def decode(self, outputs: Mapping[str, NDArray[Any]], placement: Placement) -> Detection:
        """Raises: ModelError."""
        output = self._output
        masks = None if output.prototypes is None else BoxMasks(outputs, output.prototypes)
        found = self._read(outputs, 0 if masks is None else masks.count)
        check_probabilities(output.scores or output.boxes, found.scores)
        score = float(found.scores.max(initial=0.0))
        found = found.taken(found.scores >= output.min_score)
        found = found.taken(np.argsort(-found.scores, kind="stable"))
        self._check(found)
        if output.nms_iou is not None:
            classes = np.zeros_like(found.classes) if output.nms_across_classes else found.classes
            found = found.taken(suppress(found.corners, classes, output.nms_iou, output.max_findings))
        found = found.taken(np.arange(min(len(found.scores), output.max_findings)))
        return Detection(score=score, findings=self._findings(found, placement, masks))

    def _yolo(self, outputs: Mapping[str, NDArray[Any]], coefficients: int) -> _Candidates:
        """(1, 4 + C + M, N): x and y of the centre, width, height, one score per class, coefficients of the mask."""
        scores_end = 4 + len(self._output.classes)
        wanted = scores_end + coefficients
        values = finite_floats(outputs, self._output.boxes)
        if values.ndim != 3 or values.shape[:2] != (1, wanted):
            raise wrong_shape(
                self._output.boxes,
                values,
                f"(1, {wanted}, N): 4, {scores_end - 4} classes and {coefficients} coefficients of masks",
            )
        rows = values[0].T
        return _of_centres(rows, rows[:, 4:scores_end], rows[:, scores_end:])

    def _yolo_objectness(self, outputs: Mapping[str, NDArray[Any]], _: int) -> _Candidates:
        """(1, N, 5 + C): x and y of the centre, width, height, objectness, one score per class given an object."""
        wanted = 5 + len(self._output.classes)
        values = finite_floats(outputs, self._output.boxes)
        if values.ndim != 3 or (values.shape[0], values.shape[2]) != (1, wanted):
            raise wrong_shape(self._output.boxes, values, f"(1, N, {wanted}): 5 and {wanted - 5} classes")
        return _of_centres(values[0], values[0, :, 5:] * values[0, :, 4:5], values[0, :, :0])

    def _yolo_nms(self, outputs: Mapping[str, NDArray[Any]], coefficients: int) -> _Candidates:
        """(1, N, 6 + M): corners, score, class index, coefficients of the mask; rows with the score 0 are padding."""
        wanted = 6 + coefficients
        values = finite_floats(outputs, self._output.boxes)
        if values.ndim != 3 or (values.shape[0], values.shape[2]) != (1, wanted):
            raise wrong_shape(
                self._output.boxes,
                values,
                f"(1, N, {wanted}): corners, score, class and {coefficients} coefficients of masks",
            )
        rows = values[0][values[0, :, 4] != 0.0]
        classes = rows[:, 5].astype(np.int64)
        if not np.array_equal(classes, rows[:, 5]):
            raise ModelError(
                f"output '{self._output.boxes}' names classes that are no whole numbers",
                expected=f"0 to {len(self._output.classes) - 1} in the sixth column",
                remedy="pack the graph with the variant that it really has",
            )
        return _Candidates(corners=rows[:, :4], scores=rows[:, 4], classes=classes, coefficients=rows[:, 6:])

    def _torchvision(self, outputs: Mapping[str, NDArray[Any]], _: int) -> _Candidates:
        """Corners (N, 4), scores (N,), labels (N,) from `label_offset` on."""
        corners = finite_floats(outputs, self._output.boxes)
        scores = finite_floats(outputs, self._output.scores or "")
        labels = output_of(outputs, self._output.labels or "")
        if corners.ndim != 2 or corners.shape[1] != 4:
            raise wrong_shape(self._output.boxes, corners, "(N, 4)")
        for name, array in ((self._output.scores, scores), (self._output.labels, labels)):
            if array.shape != (len(corners),):
                raise wrong_shape(name or "", array, f"({len(corners)},), one for each box")
        if labels.dtype not in (np.int64, np.int32):
            raise ModelError(f"output '{self._output.labels}' is {labels.dtype}", expected="int64 or int32")
        return _Candidates(
            corners=corners,
            scores=scores,
            classes=labels.astype(np.int64) - (self._output.label_offset or 0),
            coefficients=corners[:, :0],
        )

    def _check(self, found: _Candidates) -> None:
        known = len(self._output.classes)
        if np.any((found.classes < 0) | (found.classes >= known)):
            offset = self._output.label_offset or 0
            raise ModelError(
                f"the graph names the class {sorted(set((found.classes + offset).tolist()))}",
                expected=f"{offset} to {known - 1 + offset}: {list(self._output.classes)}",
                remedy="pack the graph with all of its classes, in its order",
            )
        if np.any(found.corners[:, 2:] < found.corners[:, :2]):
            raise ModelError(
                f"output '{self._output.boxes}' has a box of negative width or height",
                expected="x1 <= x2 and y1 <= y2",
                remedy="pack the graph with the variant that it really has",
            )

    def _findings(self, found: _Candidates, placement: Placement, masks: BoxMasks | None) -> tuple[Finding, ...]:
        scale = np.ones(4)
        if self._output.coordinates == "normalised":
            scale = np.array([placement.width_px, placement.height_px] * 2, dtype=np.float64)
        findings = []
        for index, corners in enumerate(found.corners.astype(np.float64) * scale):
            box = placement.box(*(float(value) for value in corners))
            finding = Finding(
                class_name=self._output.classes[int(found.classes[index])],
                score=float(found.scores[index]),
                box=box,
                area_px=box.area_px,
                length_px=max(box.width_px, box.height_px),
            )
            if masks is not None:
                finding = masks.outlined(finding, corners, found.coefficients[index], placement)
            findings.append(finding)
        return tuple(findings)


def suppress(
    corners: NDArray[np.float32], classes: NDArray[np.int64], max_iou: float, max_kept: int
) -> NDArray[np.int64]:
    """Indices of the boxes to keep: those that no earlier kept box of the same class overlaps by more than `max_iou`.

    `corners` (N, 4) come in order of falling score; so do the indices, at most `max_kept`.
    """
    areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    left = np.arange(len(corners))
    kept: list[int] = []
    while left.size and len(kept) < max_kept:
        best, left = int(left[0]), left[1:]
        kept.append(best)
        overlap = np.minimum(corners[best, 2:], corners[left, 2:]) - np.maximum(corners[best, :2], corners[left, :2])
        shared = np.prod(np.maximum(overlap, 0.0), axis=1)
        doubled = shared > max_iou * (areas[best] + areas[left] - shared)
        left = left[~(doubled & (classes[left] == classes[best]))]
    return np.array(kept, dtype=np.int64)


def _of_centres(
    rows: NDArray[np.float32], class_scores: NDArray[np.float32], coefficients: NDArray[np.float32]
) -> _Candidates:
    """Rows begin with x and y of the centre, width and height; `class_scores` (N, C): the best class counts."""
    centres, halves = rows[:, :2], rows[:, 2:4] / 2
    return _Candidates(
        corners=np.concatenate((centres - halves, centres + halves), axis=1),
        scores=class_scores.max(axis=1),
        classes=class_scores.argmax(axis=1),
        coefficients=coefficients,
    )
