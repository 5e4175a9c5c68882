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
from lineside.train.places import HELD, Moments, PlaceSettings, Slack

__all__ = [
    "MAP_ZOOM",
    "SHARES",
    "USUAL_SHARE",
    "Bank",
    "BankSettings",
    "CodeBook",
    "anomaly_map",
    "cell_map",
    "distances",
    "fit_bank",
    "fit_codes",
    "map_blur",
    "picture_score",
    "top_count",
]

SHARES: Final = (0.002, 0.01, 0.03, 0.1)
"""The picture's score is the mean of one of these shares of its places, the highest."""

USUAL_SHARE: Final = 0.01
"""Where no bad pictures say that another share tells them better."""

MAP_ZOOM: Final = 4
"""The map that is handed out has so many values each way for each place: outlines without steps."""

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class BankSettings:
    """`even_contrast`: brightness is divided by its spread nearby. `dimensions`: of a code. `top_share`: one of
    `SHARES`.
    """

    even_contrast: bool
    dimensions: int = 32
    places: PlaceSettings = HELD
    top_share: float = USUAL_SHARE


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
    """`whitening` (h, w, k, k) and `offset` (h, w, k): a code's distance from a place is |code @ whitening - offset|.

    Distances are in units of `threshold`, so that 1 is the limit.
    """

    settings: BankSettings
    book: CodeBook
    whitening: Planes
    offset: Planes
    threshold: float


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
    mean, covariance = moments.mean_and_covariance(settings.places)
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
    rows, columns, dimensions = codes.shape
    places = rows * columns
    slack = Slack(rows, columns, bank.settings.places.slack)
    seen = codes.reshape(places, dimensions)[slack.seen]
    away = seen @ bank.whitening.reshape(places, dimensions, dimensions)
    away -= bank.offset.reshape(places, 1, dimensions)
    nearest = slack.nearest(np.sqrt(np.square(away).sum(axis=2)))
    return _blurred(np.asarray(nearest.reshape(rows, columns), np.float32))


def anomaly_map(bank: Bank, codes: Planes) -> Planes:
    """What the package's graph answers: finer than the places, and its highest value is the picture's score."""
    cells = cell_map(bank, codes)
    height, width = cells.shape
    fine = cv2.resize(cells, (width * MAP_ZOOM, height * MAP_ZOOM), interpolation=cv2.INTER_LINEAR)
    return np.asarray(fine * (picture_score(cells, bank.settings.top_share) / max(float(fine.max()), 1e-6)), np.float32)


def picture_score(cells: Planes, share: float) -> float:
    """The mean of this share of the places, the highest."""
    count = top_count(cells.size, share)
    return float(np.partition(cells.ravel(), -count)[-count:].mean())


def top_count(places: int, share: float) -> int:
    """How many places a picture's score is the mean of."""
    return max(1, math.ceil(places * share))


def map_blur() -> Planes:
    """(5, 5): the blur of the map, sigma 1 place."""
    bell = np.exp(-0.5 * np.square(np.arange(-2, 3)))
    row = np.asarray(bell / bell.sum(), np.float32)
    return np.asarray(np.outer(row, row), np.float32)


def distances(codes: Planes, mean: Array, precision: Array, slack: Slack) -> Planes:
    """(h, w): the blurred distance at every place, in standard deviations; `codes` and `mean` (h, w, k)."""
    rows, columns, dimensions = codes.shape
    places = rows * columns
    away = codes.reshape(places, dimensions)[slack.seen] - mean.reshape(places, 1, dimensions)
    square = np.einsum("psk,psk->ps", away, away @ precision.reshape(places, dimensions, dimensions))
    nearest = np.sqrt(slack.nearest(square) / dimensions)
    return _blurred(np.asarray(nearest.reshape(rows, columns), np.float32))


def _blurred(cells: Planes) -> Planes:
    return np.asarray(cv2.filter2D(cells, cv2.CV_32F, map_blur(), borderType=cv2.BORDER_REPLICATE), np.float32)
