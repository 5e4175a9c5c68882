"""What good parts look like at each place of a picture, as a Gaussian, and how far something is from that.

The Gaussians are those of PaDiM (Defard et al., ICPR 2021), with covariances shrunk towards their neighbours'.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lineside.train.bank_features import Planes

__all__ = ["FOUND", "HELD", "Moments", "PlaceSettings", "Slack", "told", "without"]

_IDENTITY: Final = 0.05
"""Added to every covariance, in units of the variance over all places: nothing is taken for perfectly steady."""

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlaceSettings:
    """Of the covariance of a place `own_share` is its own, the rest the average of those at most `reach` places away
    each way. What is seen is compared with what belongs there and up to `slack` places away each way; what fits best
    counts. `rows_alike`: all places of one row are alike, as in the picture of an unrolled part that has no angle.
    """

    own_share: float
    reach: int
    slack: int = 0
    rows_alike: bool = False


HELD: Final = PlaceSettings(own_share=0.3, reach=4)
"""For parts that a fixture holds."""

FOUND: Final = PlaceSettings(own_share=0.7, reach=2, slack=2)
"""For parts that are found in the picture: turned in depth, or bent, they fit nowhere exactly."""


def told(settings: Any) -> dict[str, Any]:
    """A model's settings, a dataclass, with those of its `places` among them, as a record names them."""
    named = asdict(settings)
    places = named.pop("places")
    return {**named, **places}


class Moments:
    """Sums from which mean and covariance at every place follow, with and without some of the pictures."""

    def __init__(self, codes: Planes) -> None:
        """`codes` (n, h, w, k)."""
        self.count = len(codes)
        self.first: Array = codes.sum(axis=0, dtype=np.float64)
        self.second: Array = _products(codes)

    def without(self, codes: Planes) -> Moments:
        """The moments of the other pictures."""
        rest = object.__new__(Moments)
        rest.count = self.count - len(codes)
        rest.first = self.first - codes.sum(axis=0, dtype=np.float64)
        rest.second = self.second - _products(codes)
        return rest

    def mean_and_covariance(self, settings: PlaceSettings) -> tuple[Array, Array]:
        """(h, w, k) and (h, w, k, k), the latter shrunk towards the average of its neighbours."""
        mean, square = self.first / self.count, self.second / self.count
        if settings.rows_alike:
            mean, square = (np.broadcast_to(each.mean(axis=1, keepdims=True), each.shape) for each in (mean, square))
        own = square - mean[..., :, None] * mean[..., None, :]
        shrunk = settings.own_share * own + (1 - settings.own_share) * _box_mean(own, settings.reach)
        shrunk += _IDENTITY * np.eye(own.shape[-1])
        return mean, shrunk


def without(
    codes: Planes, moments: Moments, left_out: NDArray[np.intp], settings: PlaceSettings
) -> tuple[Array, Array]:
    """(h, w, k) and (h, w, k, k): means and inverse covariances of the pictures but these; `moments` are of all."""
    rest = moments.without(codes[left_out]) if len(left_out) else moments
    mean, covariance = rest.mean_and_covariance(settings)
    return mean, np.asarray(np.linalg.inv(covariance), np.float64)


class Slack:
    """Which places are compared with which, as numbers to gather by: in numpy, in torch and in an ONNX graph alike.

    Places (h, w) are numbered row by row, and so are the steps from a place to those it is compared with. `seen`
    (h * w, steps) is the place one step from each, or itself where that lies outside the picture; it says which codes
    a Gaussian is asked about. `fits` (h * w, steps) says, for what is seen at a place, where the distances from the
    Gaussians around it stand in an array (h * w, steps) of such answers.
    """

    def __init__(self, rows: int, columns: int, slack: int) -> None:
        steps = np.arange(-slack, slack + 1)
        down, right = (each.ravel() for each in np.meshgrid(steps, steps, indexing="ij"))
        row, column = (each.ravel()[:, None] for each in np.mgrid[:rows, :columns])
        to_row, to_column = row + down, column + right
        inside = (to_row >= 0) & (to_row < rows) & (to_column >= 0) & (to_column < columns)
        own = row * columns + column
        count = len(down)
        self.seen: Numbers = np.where(inside, to_row * columns + to_column, own)
        # A Gaussian one step away was asked about this place at the step that leads back.
        back = np.arange(count)[::-1]
        self.fits: Numbers = np.where(inside, self.seen * count + back, own * count + count // 2)

    def nearest(self, answers: NDArray[np.floating]) -> Array:
        """(h * w,): of the answers (h * w, steps), the least for what is seen at each place."""
        return np.asarray(answers.ravel()[self.fits].min(axis=1), np.float64)


def _products(codes: Planes) -> Array:
    """(h, w, k, k): sums over the pictures of each code times itself."""
    places = codes.astype(np.float64).transpose(1, 2, 3, 0)
    return np.asarray(places @ places.swapaxes(-1, -2), np.float64)


def _box_mean(values: Array, reach: int) -> Array:
    """The average over the places at most `reach` away each way; beyond the edge there are none."""
    for axis in (0, 1):
        length = values.shape[axis]
        sums = np.concatenate([np.zeros_like(values.take([0], axis)), values.cumsum(axis)], axis)
        first = np.maximum(np.arange(length) - reach, 0)
        beyond = np.minimum(np.arange(length) + reach + 1, length)
        shape = [length if each == axis else 1 for each in range(values.ndim)]
        values = (sums.take(beyond, axis) - sums.take(first, axis)) / (beyond - first).reshape(shape)
    return values
