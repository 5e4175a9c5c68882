"""What is seen in the pictures that `patch` learns from, as codes: made once for each kind of features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from torch import nn

from lineside.train.backbone_file import Backbone
from lineside.train.bank import CodeBook
from lineside.train.bank_features import Planes
from lineside.train.dataset import LabelledPicture
from lineside.train.filter_features import FilterFeatures
from lineside.train.looking import Look
from lineside.train.patch_features import FeatureNetwork, PatchFeatures, seen_by, stages_of
from lineside.train.patch_model import PatchSettings, fit_book
from lineside.train.patch_order import PatchOrder
from lineside.train.unseen import Shown

__all__ = ["Coding", "Codings"]


class Coding(NamedTuple):
    """What looks at a picture, what makes codes of what it sees, and the codes of all pictures."""

    features: nn.Module
    book: CodeBook
    shown: Shown


class Codings:
    """One for each kind of features that a candidate asks for, made when it is first asked for."""

    def __init__(
        self,
        order: PatchOrder,
        backbone: Backbone,
        look: Look,
        found: Mapping[LabelledPicture, Planes],
        besides: Mapping[LabelledPicture, Planes],
        tick: Callable[[], None],
    ) -> None:
        """`found` are the good pictures of train, `besides` its bad ones and val; `tick` is called for each picture of
        them that is coded.
        """
        self.look = look
        self.bad = sum(not picture.good for picture in besides)
        self._order, self._backbone, self._tick = order, backbone, tick
        self._found, self._besides = found, besides
        self._made: dict[bool, Coding] = {}
        self._left: set[bool] = set()

    def left(self, settings: PatchSettings) -> None:
        """What such a candidate needs is not made, unless another one asks for it: the progress goes on without."""
        if settings.filters not in {*self._made, *self._left}:
            self._left.add(settings.filters)
            for _ in (*self._found, *self._besides):
                self._tick()

    def by(self, settings: PatchSettings) -> Coding:
        """What such a candidate needs."""
        if settings.filters not in self._made:
            self._made[settings.filters] = self._make(settings)
        return self._made[settings.filters]

    def _make(self, settings: PatchSettings) -> Coding:
        pixel_format = self._order.pixel_format
        features: nn.Module = FeatureNetwork(stages_of(self._backbone.kind, self._backbone.weights), pixel_format)
        if settings.filters:
            filters = FilterFeatures(pixel_format, even_contrast=self.look.spec.locate is not None)
            features = PatchFeatures(features, filters)
        features.eval()
        book = fit_book(partial(seen_by, features), list(self._found.values()), settings, self._order.seed)

        def codes_of(planes: Planes) -> Planes:
            codes = book.codes(seen_by(features, planes))
            self._tick()
            return codes

        besides = self._besides.items()
        shown = Shown(
            good=np.stack([codes_of(planes) for planes in self._found.values()]),
            groups=[picture.group for picture in self._found],
            val_good=[codes_of(planes) for picture, planes in besides if picture.good],
            bad=[codes_of(planes) for picture, planes in besides if not picture.good],
            bad_groups=[picture.group for picture, _ in besides if not picture.good],
        )
        return Coding(features, book, shown)
