"""What good parts look like to a network: a Gaussian at every place, or a memory of what was seen anywhere.

The Gaussian is that of the bank (the idea of PaDiM; Defard et al., ICPR 2021), with a network beside the
filters, or in their place.
The memory holds codes of good parts, chosen so that none of the others is far from one of them, and a place is as odd
as its nearest one is far (the idea of PatchCore; Roth et al., CVPR 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.errors import ConfigError
from lineside.train.bank import (
    USUAL_SHARE,
    BankSettings,
    CodeBook,
    distances,
    fit_bank,
    fit_codes,
    map_blur,
)
from lineside.train.bank_features import Planes
from lineside.train.places import HELD, Moments, PlaceSettings, Slack, without
from lineside.train.unseen import Shown, UnseenScores, scores_unseen

__all__ = ["Memory", "PatchSettings", "PatchTrial", "coreset", "fit_book", "memory_of", "try_patch"]

_BOOK_PICTURES: Final = 60
_BOOK_PLACES: Final = 30_000
"""Places that the code book is made of, and from which the memory is chosen; more change nothing in them."""
_MEMORY_CANDIDATES: Final = 60_000


@dataclass(frozen=True, kw_only=True, slots=True)
class PatchSettings:
    """`model` is `gaussian` or `memory`. `filters`: those of the bank stand beside the network's features.
    `dimensions` are those of a code, `places` is how Gaussians come about, `remembered` is how many codes the memory
    holds at most, `top_share` is that of the bank.
    """

    model: str
    filters: bool
    dimensions: int = 32
    remembered: int = 2000
    places: PlaceSettings = HELD
    top_share: float = USUAL_SHARE


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Memory:
    """`codes` (n, k), and the number (n,) of the picture that each is of."""

    codes: Planes
    picture: NDArray[np.intp]

    def without(self, left_out: NDArray[np.intp]) -> Memory:
        """What the other pictures have added to it. Raises: ConfigError where that is nothing."""
        others = ~np.isin(self.picture, left_out)
        if not others.any():
            raise ConfigError(
                f"a memory of {len(self.codes)} places holds what one part showed and nothing else",
                expected="places of several parts",
                remedy="raise --remembered, or photograph more parts",
            )
        return Memory(codes=self.codes[others], picture=self.picture[others])

    def map_of(self, codes: Planes) -> Planes:
        """(h, w): the blurred distance to the nearest one, by sqrt(k)."""
        known = self.codes
        places = codes.reshape(-1, codes.shape[-1])
        square = (known * known).sum(axis=1) - 2 * places @ known.T
        away = places - known[square.argmin(axis=1)]
        nearest = np.sqrt((away * away).sum(axis=1) / codes.shape[-1]).reshape(codes.shape[:2])
        blurred = cv2.filter2D(nearest.astype(np.float32), cv2.CV_32F, map_blur(), borderType=cv2.BORDER_REPLICATE)
        return np.asarray(blurred, np.float32)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PatchTrial:
    """What came of one model. `moments` make the Gaussians; a model with a memory has that instead."""

    settings: PatchSettings
    moments: Moments
    memory: Memory | None
    scores: UnseenScores

    def gaussian(self, book: CodeBook, threshold: float) -> tuple[Planes, Planes]:
        """Whitening (h, w, k, k) and offset (h, w, k) in units of the threshold, as the bank has them."""
        of_bank = BankSettings(even_contrast=False, places=self.settings.places)
        bank = fit_bank(self.moments, book, of_bank, threshold)
        return bank.whitening, bank.offset


def fit_book(
    seen: Callable[[Planes], Planes], pictures: Sequence[Planes], settings: PatchSettings, seed: int
) -> CodeBook:
    """A whitened PCA of the features (D, h, w) that `seen` gives, at places drawn with `seed`."""
    rng = np.random.default_rng([seed, 2])
    some = pictures[:: -(-len(pictures) // _BOOK_PICTURES)]
    places = []
    for planes in some:
        features = seen(planes)
        flat = features.reshape(len(features), -1)
        drawn = rng.permutation(flat.shape[1])[: -(-_BOOK_PLACES // len(some))]
        places.append(flat[:, np.sort(drawn)])
    return fit_codes(places, min(settings.dimensions, len(places[0])))


def try_patch(settings: PatchSettings, shown: Shown, seed: int) -> PatchTrial:
    """Fits the model and scores what it had not seen; `seed` deals the groups that are left out together.

    Raises: ConfigError where a memory holds nothing but what one deal of them has shown.
    """
    moments = Moments(shown.good)
    memory = memory_of(shown.good, settings.remembered, seed) if settings.model == "memory" else None
    slack = Slack(shown.good.shape[1], shown.good.shape[2], settings.places.slack)

    def map_without(left_out: NDArray[np.intp]) -> Callable[[Planes], Planes]:
        if memory is not None:
            return memory.without(left_out).map_of
        mean, precision = without(shown.good, moments, left_out, settings.places)
        return lambda codes: distances(codes, mean, precision, slack)

    scores = scores_unseen(shown, map_without, seed)
    return PatchTrial(settings=replace(settings, top_share=scores.share), moments=moments, memory=memory, scores=scores)


def memory_of(codes: Planes, count: int, seed: int) -> Memory:
    """Chosen from codes (n, h, w, k) of all pictures, drawn with `seed` where there are very many."""
    pictures, rows, columns, dimensions = codes.shape
    flat = codes.reshape(-1, dimensions)
    owner = np.repeat(np.arange(pictures), rows * columns)
    drawn = np.sort(np.random.default_rng([seed, 3]).permutation(len(flat))[:_MEMORY_CANDIDATES])
    chosen = drawn[coreset(flat[drawn], count)]
    return Memory(codes=np.ascontiguousarray(flat[chosen]), picture=owner[chosen])


def coreset(codes: Planes, count: int) -> NDArray[np.intp]:
    """Indices of at most `count` of codes (n, k): each the farthest from those before it (greedy k-centre), beginning
    with the one that is nearest to their mean.
    """
    centre = codes.mean(axis=0)
    squares = (codes * codes).sum(axis=1)
    first = int((squares - 2 * codes @ centre).argmin())
    chosen, nearest = [first], np.full(len(codes), np.inf, np.float32)
    for _ in range(min(count, len(codes)) - 1):
        latest = codes[chosen[-1]]
        nearest = np.minimum(nearest, squares - 2 * codes @ latest + latest @ latest)
        chosen.append(int(nearest.argmax()))
    return np.sort(np.array(chosen, np.intp))
