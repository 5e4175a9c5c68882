"""From pictures by class to a model package that names the class of a picture, in one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lineside.core.errors import ConfigError
from lineside.core.frame import Pixels
from lineside.detectors.package import ModelPackage, write_package
from lineside.train.backbone_file import Backbone, refuse_channels
from lineside.train.bank_choice import MIN_BAD, Limit, limit_of
from lineside.train.bank_package import SPLIT_RECORD
from lineside.train.checkpoint import checkpoint_of
from lineside.train.class_data import ByClass, class_of
from lineside.train.class_lesson import ClassLesson, Levels
from lineside.train.class_order import ClassOrder
from lineside.train.class_record import SCORES, ClassMade, class_draft
from lineside.train.class_sheet import CONFUSION_RECORD, confusion_of, encoded_confusion
from lineside.train.curves import CURVES_RECORD, encoded_curves
from lineside.train.dataset import TrainingSet
from lineside.train.device import chosen_device, seed_everything
from lineside.train.fitting import FitOrder, Fitted, fit
from lineside.train.network_export import export_network
from lineside.train.networks import RgbNetwork, known_network, parameters_of

__all__ = ["ClassNetwork", "TrainedClasses", "train_classes"]

_RATE: Final = 3e-3
_FINE_RATE: Final = 1e-3
"""Of a network that has learned something already."""
_WEIGHT_DECAY: Final = 0.05
_HALF: Final = 0.5
_LEAST_LIMIT: Final = 0.01
_JUST_BELOW: Final = 0.99

Weights = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrainedClasses:
    """The package and what people want to see of its making. `confusion` (classes, classes) is of the checked pictures;
    `wrong` names those that were taken for another class, with both.
    """

    package: ModelPackage
    classes: tuple[str, ...]
    confusion: NDArray[np.intp]
    wrong: Sequence[tuple[str, str, str]]
    held_out: str
    fitted: Fitted
    device: str
    reference: Pixels
    lost: Sequence[str]

    @property
    def accuracy(self) -> float:
        """The share of the checked pictures that is told rightly."""
        return float(np.trace(self.confusion) / max(1, self.confusion.sum()))


class ClassNetwork(nn.Module):
    """From pixel values as they are to probabilities (1, classes)."""

    def __init__(self, network: nn.Module, max_value: int) -> None:
        super().__init__()
        self.network, self.per_level = network, 1 / max_value

    def forward(self, pixels: Tensor) -> Tensor:
        """Of pixels (1, C, H, W)."""
        return torch.softmax(self.network(pixels * self.per_level), dim=1)


def train_classes(
    folder: Path,
    order: ClassOrder,
    by_class: ByClass,
    pictures: TrainingSet,
    *,
    read: Callable[[Path], Pixels],
    listing: bytes,
    backbone: Backbone | None = None,
    report: Callable[[int, str], None] = lambda done, words: None,
) -> TrainedClasses:
    """Makes the package; with a backbone the network begins with its weights. `by_class` is what was gathered of
    `pictures`. `report` is called as by `fit`.

    A fit that is stopped by a signal raises KeyboardInterrupt and leaves its checkpoint beside `folder`.

    Raises: ConfigError, PackageError.
    """
    device = chosen_device(order.device)
    network = _begun(order, len(by_class.classes), backbone)
    sha256 = "" if backbone is None else backbone.sha256
    checkpoint = checkpoint_of(folder)
    fit_order = FitOrder(
        identity=order.identity(listing, device.kind, sha256),
        steps=order.steps,
        learning_rate=_RATE if backbone is None else _FINE_RATE,
        weight_decay=_WEIGHT_DECAY,
        check_every=max(1, order.steps // order.checks),
        patience=order.patience,
        minutes=order.minutes,
        checkpoint=checkpoint,
        resume=order.resume,
    )
    lesson = ClassLesson(
        order.lesson,
        learned=by_class.learned,
        checked=by_class.checked,
        classes=len(by_class.classes),
        device=device.torch,
    )
    fitted = fit(network, lesson, fit_order, device, report=report)
    judge = ClassNetwork(network, order.pixel_format.max_value).eval()
    chances = _chances(judge, [each.planes for each in by_class.checked], order.pixel_format.max_value)
    limit = _limit(by_class, chances, order.overkill_rate)
    references = _references(by_class, pictures, read)
    exported = export_network(judge, by_class.look, [SCORES], references, parameters=parameters_of(network))
    truth, told = [each.label for each in by_class.checked], [int(each) for each in chances.argmax(axis=1)]
    confusion = confusion_of(truth, told, len(by_class.classes))
    made = ClassMade(
        order=order,
        by_class=by_class,
        confusion=confusion,
        fitted=fitted,
        limit=limit,
        exported=exported,
        device=device.name,
        backbone=backbone,
    )
    package = write_package(
        folder,
        graph=exported.graph,
        draft=class_draft(made),
        reference_inputs=references,
        other_files={
            SPLIT_RECORD: listing,
            CURVES_RECORD: _curves(fitted),
            CONFUSION_RECORD: encoded_confusion(confusion, by_class.classes),
            **by_class.look.files,
        },
        replace=order.replace,
    )
    checkpoint.unlink(missing_ok=True)
    names = by_class.classes
    return TrainedClasses(
        package=package,
        classes=names,
        confusion=confusion,
        wrong=[
            (name, names[right], names[said])
            for name, right, said in zip(by_class.checked_names, truth, told, strict=True)
            if right != said
        ],
        held_out=by_class.held_out,
        fitted=fitted,
        device=device.name,
        reference=references[0],
        lost=by_class.lost,
    )


def _begun(order: ClassOrder, classes: int, backbone: Backbone | None) -> RgbNetwork:
    """A network with weights from torch's generator, and with those of the backbone where it has some."""
    seed_everything(order.seed)
    kind = known_network(order.network)
    network = kind.make(classes)
    if backbone is not None:
        if backbone.kind.name != kind.name:
            raise ConfigError(
                f"weights of {backbone.kind.name} for the network {kind.name}", expected="the same network"
            )
        refuse_channels(backbone, order.pixel_format.channels)
        network.load_state_dict(dict(backbone.weights), strict=False)  # that they fit was seen on reading
    return RgbNetwork(network, order.pixel_format)


def _chances(judge: ClassNetwork, pictures: Sequence[Levels], max_value: int) -> NDArray[np.float64]:
    """(n, classes), as the package's graph answers."""
    with torch.no_grad():
        each = [judge(torch.from_numpy(planes.astype(np.float32) * max_value)[None])[0].numpy() for planes in pictures]
    return np.asarray(each, np.float64)


def _limit(by_class: ByClass, chances: NDArray[np.float64], overkill: float) -> Limit:
    """From the highest probability of a class of defects, which is what the limits of a recipe judge by."""
    bad = [index for index, name in enumerate(by_class.classes) if name not in by_class.no_defects]
    scores = chances[:, bad].max(axis=1)
    is_bad = np.isin([each.label for each in by_class.checked], bad)
    if not by_class.no_defects:
        return Limit(
            value=_JUST_BELOW / len(bad),
            how=f"just below 1 / {len(bad)}: no class is good, so every picture has one at or above it and none passes",
        )
    if is_bad.sum() < MIN_BAD or (~is_bad).sum() < MIN_BAD:
        return Limit(
            value=_HALF / len(bad),
            how=f"a half, shared by {len(bad)} classes of defects: fewer than {MIN_BAD} good or bad pictures to go by",
        )
    limit = limit_of(scores[~is_bad], scores[is_bad], overkill)
    value = float(np.clip(limit.value, _LEAST_LIMIT, _HALF))
    how = limit.how if value == limit.value else f"{value:g}, the nearest to what was found: {limit.how}"
    return Limit(value=value, how=how)


def _curves(fitted: Fitted) -> bytes:
    return encoded_curves(
        [
            ("Loss (mean since the last check)", [(check.step, check.loss) for check in fitted.checks]),
            ("Told rightly, of pictures not learned from", [(check.step, check.score) for check in fitted.checks]),
        ],
        fitted.best_step,
    )


def _references(by_class: ByClass, pictures: TrainingSet, read: Callable[[Path], Pixels]) -> list[Pixels]:
    """One picture of each class."""
    first: dict[str, Path] = {}
    for picture in pictures.train:
        if picture.name not in by_class.lost:
            first.setdefault(class_of(picture), picture.path)
    return [read(first[name]) for name in by_class.classes if name in first]
