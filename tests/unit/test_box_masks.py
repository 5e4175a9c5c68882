"""Masks of boxes: sums of prototypes inside the box, as outline, area and length in frame pixels."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lineside.core.errors import ModelError
from lineside.core.finding import Finding
from lineside.detectors.decoder import decoder_for
from lineside.detectors.manifest import BoxesOutput
from lineside.detectors.placement import Placement

OUTPUT = BoxesOutput(variant="yolo_nms", boxes="rows", classes=("scratch",), min_score=0.1, prototypes="prototypes")
LETTERBOX = Placement(
    frame_width_px=128,
    frame_height_px=64,
    width_px=64,
    height_px=64,
    left_px=0,
    top_px=16,
    content_width_px=64,
    content_height_px=32,
)
"""A frame of 128x64 px at half its size, 16 px below the input's upper edge."""

LEFT_HALF = np.where(np.arange(16) < 8, 1, -1)[None, :].repeat(16, axis=0)
UPPER_HALF = LEFT_HALF.T


def found(box: tuple[float, ...], *coefficients: float, prototypes: NDArray[np.floating] | None = None) -> Finding:
    planes = np.stack([LEFT_HALF, UPPER_HALF])[None] if prototypes is None else prototypes
    row = np.array([[[*box, 0.9, 0, *coefficients]]], dtype=np.float32)
    answer = decoder_for(OUTPUT).decode({"rows": row, "prototypes": planes.astype(np.float32)}, LETTERBOX)
    return answer.findings[0]


def test_a_mask_is_cut_at_its_box_and_measured_in_frame_pixels() -> None:
    """The left half of the input, in a box from (20, 20) to (40, 40): 12 x 20 input px, 24 x 40 in the frame."""
    finding = found((20, 20, 40, 40), 1, 0)

    assert finding.area_px == 24 * 40
    assert finding.length_px == pytest.approx(40.0)
    xs, ys = zip(*finding.contour_px, strict=True)
    assert (min(xs), max(xs), min(ys), max(ys)) == (41.0, 63.0, 9.0, 47.0)
    assert (finding.box.width_px, finding.box.height_px) == (40.0, 40.0)


def test_coefficients_weigh_the_prototypes() -> None:
    whole = (0, 16, 64, 48)
    twos = np.full_like(LEFT_HALF, 2)

    assert found(whole, -1, 0).area_px == 64 * 64
    assert found(whole, 0, 1).area_px == 128 * 32
    assert found(whole, 1, 1, prototypes=np.stack([LEFT_HALF, twos])[None]).area_px == 128 * 64


def test_the_bars_of_the_letterbox_belong_to_no_mask() -> None:
    assert found((0, 0, 64, 64), 1, 0).area_px == 64 * 64


def test_a_box_without_a_pixel_in_its_mask_stays_a_finding() -> None:
    """What the model claims is not lost: only PASS lets a part through."""
    finding = found((40, 20, 60, 40), 1, 0)

    assert finding.contour_px == ()
    assert finding.area_px == finding.box.area_px == 40 * 40


def test_prototypes_that_fit_no_row_are_an_error() -> None:
    with pytest.raises(ModelError, match="3 coefficients of masks"):
        found((0, 0, 8, 8), 1, 0, prototypes=np.zeros((1, 3, 16, 16)))
    with pytest.raises(ModelError, match="prototypes of masks over the whole input"):
        found((0, 0, 8, 8), 1, 0, prototypes=np.zeros((2, 16, 16)))
