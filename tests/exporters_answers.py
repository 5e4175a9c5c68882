"""What an exporter's own runtime saw, held against what a package answers to the same picture."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineside.core.finding import Finding

BOX_PX = 0.05
"""How far edges of boxes may lie apart: ONNX Runtime sums up in another order than torch does."""

SCORE = 2e-4


def matched(
    findings: Sequence[Finding], boxes: NDArray[Any], scores: NDArray[Any], classes: Sequence[str]
) -> list[tuple[int, Finding]]:
    """Each of the exporter's boxes (N, 4; x1 y1 x2 y2 in frame px) with the finding that is the same one.

    Raises: AssertionError where one of either has no other.
    """
    left = list(findings)
    pairs = []
    for index, (corners, score, name) in enumerate(zip(boxes, scores, classes, strict=True)):
        same = [
            finding
            for finding in left
            if finding.class_name == name
            and abs(finding.score - score) <= SCORE
            and np.abs(_corners(finding) - corners).max() <= BOX_PX
        ]
        assert same, f"no finding for box {index} of {len(boxes)}: {name} {score:.5f} {corners}"
        best = min(same, key=lambda finding: float(np.abs(_corners(finding) - corners).max()))
        left.remove(best)
        pairs.append((index, best))
    assert not left, f"{len(left)} findings that the exporter's runtime does not have, like {left[0]}"
    return pairs


def _corners(finding: Finding) -> NDArray[np.float64]:
    box = finding.box
    return np.array([box.x_px, box.y_px, box.x_px + box.width_px, box.y_px + box.height_px])
