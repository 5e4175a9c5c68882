"""How alike good pictures are: what a model that looks place by place depends on."""

from __future__ import annotations

import numpy as np
import pytest

from lineside.train.alike import ALIKE, alike, usual_picture


def pictures(count: int, *, noise: float, moved: bool = False) -> list[np.ndarray]:
    rng = np.random.default_rng(8)
    part = np.zeros((1, 64, 80), np.float32)
    part[:, 20:44, 30:50] = 0.8
    shown = [part + rng.normal(0, noise, part.shape).astype(np.float32) for _ in range(count)]
    return [np.roll(each, rng.integers(0, 64, 2), (1, 2)) for each in shown] if moved else shown


def test_parts_that_lie_alike_are_explained_by_their_median_and_others_are_not() -> None:
    assert alike(pictures(20, noise=0.02)) > 0.95
    assert alike(pictures(20, noise=0.02, moved=True)) < ALIKE
    assert alike(pictures(20, noise=1.0)) < ALIKE
    assert alike(pictures(1, noise=0.02)) == 1.0


@pytest.mark.parametrize(("moved", "there"), [(False, True), (True, False)])
def test_there_is_a_usual_picture_where_pictures_are_alike(moved: bool, there: bool) -> None:
    usual = usual_picture(pictures(20, noise=0.02, moved=moved))

    assert there == (usual is not None)
    if usual is not None:
        np.testing.assert_allclose(usual, pictures(1, noise=0.0)[0], atol=0.03)
