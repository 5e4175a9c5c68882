"""The bank's filters in torch are those of the bank."""

from __future__ import annotations

import numpy as np
import pytest

from lineside.core.pixel_format import PixelFormat
from lineside.train.bank_features import features
from lineside.train.filter_features import FilterFeatures
from lineside.train.patch_features import seen_by


@pytest.mark.parametrize("even_contrast", [False, True])
@pytest.mark.parametrize("pixel_format", [PixelFormat.MONO8, PixelFormat.MONO16, PixelFormat.RGB8, PixelFormat.BGR8])
def test_the_filters_see_in_torch_what_they_see_in_numpy(pixel_format: PixelFormat, even_contrast: bool) -> None:
    planes = np.random.default_rng(3).random((pixel_format.channels, 64, 96)).astype(np.float32)
    planes[:, :20, :30] = 0.25  # flat ground, where contrast has no spread

    ours = seen_by(FilterFeatures(pixel_format, even_contrast=even_contrast), planes)

    wanted = features(planes, pixel_format, even_contrast=even_contrast)
    assert ours.shape == wanted.shape
    np.testing.assert_allclose(ours, wanted, rtol=1e-3, atol=1e-4)
