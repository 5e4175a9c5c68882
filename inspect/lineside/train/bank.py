"""The bank: at every place of a picture, what good parts look like there and how they vary, as a Gaussian.

The idea of PaDiM (Defard et al., ICPR 2021) with fixed filters in the place of a network. A *code* is what is seen at
a place, whitened over all places and cut to its largest directions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.train.bank_features import Planes

__all__ = [
    "MAP_ZOOM",
    "TOP_SHARE",
    "Bank",
    "BankSettings",
    "CodeBook",
    "Moments",
    "anomaly_map",
    "cell_map",
    "distances",
    "fit_bank",
    "fit_codes",
    "map_blur",
    "picture_score",
    "top_count",
    "without",
]

TOP_SHARE: Final = 0.01
"""The picture's score is the mean of this share of its places, the highest."""

MAP_ZOOM: Final = 4
"""The map that is handed out has so many values each way for each place: outlines without steps."""

_OWN_SHARE: Final = 0.3
"""Of the covariance at a place; the rest is its neighbours'."""

_IDENTITY: Final = 0.05
"""Added to every covariance, in units of the variance over all places: nothing is taken for perfectly steady."""

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class BankSettings:
    """`even_contrast`: brightness is divided by its spread nearby. `reach`: covariances are averaged over so many
    neighbours each way. `dimensions`: of a code. `rows_alike`: all places of one row are alike, as in the picture of an
    unrolled part that has no angle.
    """

    even_contrast: bool
    reach: int = 4
    dimensions: int = 32
    rows_alike: bool = False


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CodeBook:
    """From features to codes: `weights` (k, D) and `bias` (k,)."""

    weights: Planes
    bias: Planes

    def codes(self, seen: Planes) -> Planes:
        """(D, h, w) to (h, w, k)."""
        return np.asarray(np.einsum("kd,dhw->hwk", self.weights, seen, optimize=True) + self.bias, np.float32)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Bank:
    """`whitening` (h, w, k, k) and `offset` (h, w, k): the distance at a place is |code @ whitening - offset|.

    Distances are in units of `threshold`, so that 1 is the limit.
    """

    settings: BankSettings
    book: CodeBook
    whitening: Planes
    offset: Planes
    threshold: float


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

    def mean_and_covariance(self, reach: int, *, rows_alike: bool = False) -> tuple[Array, Array]:
        """(h, w, k) and (h, w, k, k), the latter shrunk towards the average of its neighbours."""
        mean, square = self.first / self.count, self.second / self.count
        if rows_alike:
            mean, square = (np.broadcast_to(each.mean(axis=1, keepdims=True), each.shape) for each in (mean, square))
        own = square - mean[..., :, None] * mean[..., None, :]
        shrunk = _OWN_SHARE * own + (1 - _OWN_SHARE) * _box_mean(own, reach)
        shrunk += _IDENTITY * np.eye(own.shape[-1])
        return mean, shrunk


def fit_codes(seen: Sequence[Planes], dimensions: int) -> CodeBook:
    """A whitened PCA of features (D, h, w) over all places of all pictures."""
    rows = np.concatenate([each.reshape(len(each), -1) for each in seen], axis=1).astype(np.float64)
    mean, spread = rows.mean(axis=1), rows.std(axis=1)
    spread = np.maximum(spread, 1e-6)
    rows -= mean[:, None]
    rows /= spread[:, None]
    values, vectors = np.linalg.eigh(rows @ rows.T / rows.shape[1])
    best = np.argsort(values)[::-1][:dimensions]
    values, vectors = np.maximum(values[best], 1e-6), vectors[:, best]
    # The sign of an eigenvector is any library's choice: its largest part is made positive.
    vectors *= np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
    weights = (vectors / np.sqrt(values)).T / spread
    return CodeBook(weights=np.asarray(weights, np.float32), bias=np.asarray(-weights @ mean, np.float32))


def fit_bank(moments: Moments, book: CodeBook, settings: BankSettings, threshold: float) -> Bank:
    """The Gaussians at all places, as what the graph multiplies with."""
    mean, covariance = moments.mean_and_covariance(settings.reach, rows_alike=settings.rows_alike)
    root = np.linalg.inv(np.linalg.cholesky(covariance)).swapaxes(-1, -2)
    root /= math.sqrt(mean.shape[-1]) * threshold
    offset = np.einsum("hwk,hwkj->hwj", mean, root)
    return Bank(
        settings=settings,
        book=book,
        whitening=np.asarray(root, np.float32),
        offset=np.asarray(offset, np.float32),
        threshold=threshold,
    )


def cell_map(bank: Bank, codes: Planes) -> Planes:
    """(h, w): the distance at every place, blurred."""
    away = np.einsum("hwk,hwkj->hwj", codes, bank.whitening) - bank.offset
    return _blurred(np.asarray(np.sqrt(np.square(away).sum(axis=2)), np.float32))


def anomaly_map(bank: Bank, codes: Planes) -> Planes:
    """What the package's graph answers: finer than the places, and its highest value is the picture's score."""
    cells = cell_map(bank, codes)
    height, width = cells.shape
    fine = cv2.resize(cells, (width * MAP_ZOOM, height * MAP_ZOOM), interpolation=cv2.INTER_LINEAR)
    return np.asarray(fine * (picture_score(cells) / max(float(fine.max()), 1e-6)), np.float32)


def picture_score(cells: Planes) -> float:
    """The mean of the highest places."""
    top = np.partition(cells.ravel(), -top_count(cells.size))[-top_count(cells.size) :]
    return float(top.mean())


def top_count(places: int) -> int:
    """How many places a picture's score is the mean of."""
    return max(1, math.ceil(places * TOP_SHARE))


def map_blur() -> Planes:
    """(5, 5): the blur of the map, sigma 1 place."""
    bell = np.exp(-0.5 * np.square(np.arange(-2, 3)))
    row = np.asarray(bell / bell.sum(), np.float32)
    return np.asarray(np.outer(row, row), np.float32)


def without(codes: Planes, moments: Moments, left_out: NDArray[np.intp], settings: BankSettings) -> tuple[Array, Array]:
    """(h, w, k) and (h, w, k, k): means and inverse covariances of the pictures but these; `moments` are of all."""
    rest = moments.without(codes[left_out]) if len(left_out) else moments
    mean, covariance = rest.mean_and_covariance(settings.reach, rows_alike=settings.rows_alike)
    return mean, np.asarray(np.linalg.inv(covariance), np.float64)


def distances(codes: Planes, mean: Array, precision: Array) -> Planes:
    """(h, w): the blurred distance at every place, in standard deviations; `codes` and `mean` (h, w, k)."""
    away = codes - mean
    square = np.einsum("hwk,hwk->hw", away, np.matmul(precision, away[..., None])[..., 0])
    return _blurred(np.asarray(np.sqrt(square / codes.shape[-1]), np.float32))


def _blurred(cells: Planes) -> Planes:
    return np.asarray(cv2.filter2D(cells, cv2.CV_32F, map_blur(), borderType=cv2.BORDER_REPLICATE), np.float32)


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
