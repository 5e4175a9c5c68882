"""From pictures of good parts to a file with a backbone, in one call."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from lineside import __version__
from lineside.core.errors import ConfigError, NotLocated
from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.train.backbone_file import Backbone, weights_hash, write_backbone
from lineside.train.backbone_lesson import BackboneLesson, BackboneLessonOrder, Pupil
from lineside.train.bank_choice import dealt
from lineside.train.bank_package import MIN_GOOD
from lineside.train.checkpoint import checkpoint_of
from lineside.train.dataset import LabelledPicture, TrainingSet
from lineside.train.defects import Levels
from lineside.train.device import chosen_device, seed_everything
from lineside.train.fitting import FitOrder, Fitted, fit
from lineside.train.locate_fit import LocateOrder
from lineside.train.looking import look_at
from lineside.train.networks import known_network
from lineside.train.patch_features import FeatureNetwork, stages_of
from lineside.train.patch_order import WORK_AREA_PX
from lineside.train.patch_record import versions

__all__ = ["BackboneOrder", "Studied", "TrainedBackbone", "gather_good", "train_backbone"]

_FOLDS: Final = 7


@dataclass(frozen=True, kw_only=True, slots=True)
class BackboneOrder:
    """What is to be made. The words are those of `SegmentOrder`."""

    pixel_format: PixelFormat
    size_px: tuple[int, int]
    network: str = "small"
    long_side_px: int = 0
    locate: LocateOrder | None = None
    device: str = "auto"
    steps: int = 1000
    checks: int = 10
    patience: int = 0
    minutes: float = 0.0
    resume: bool = False
    seed: int = 0
    source: Mapping[str, Any] = field(default_factory=dict)

    @property
    def lesson(self) -> BackboneLessonOrder:
        """What the network learns from."""
        return BackboneLessonOrder(seed=self.seed)

    def identity(self, learned: Mapping[str, str], device_kind: str) -> str:
        """Of all that the fit follows from; how long it may take may change when it goes on."""
        told = {key: value for key, value in asdict(self).items() if key not in ("resume", "minutes", "source")}
        made_with = (__version__, torch.__version__, np.__version__)
        text = json.dumps([told, asdict(self.lesson), made_with, device_kind, dict(learned)], default=str)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Studied:
    """Good pictures (C, H, W) as the network is to see them: learned from, and kept back to check it on.

    `hashes` are of all of them, by their names; `lost` names the pictures in which no part was found.
    """

    learned: Sequence[Levels]
    checked: Sequence[Levels]
    hashes: Mapping[str, str]
    lost: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrainedBackbone:
    """The backbone, and how its fit went."""

    backbone: Backbone
    fitted: Fitted
    device: str


def gather_good(
    pictures: TrainingSet,
    order: BackboneOrder,
    *,
    read: Callable[[Path], Pixels],
    tick: Callable[[], None] = lambda: None,
) -> Studied:
    """Reads the good pictures of train once, and keeps every seventh group of them back. Raises: ConfigError."""
    if len(pictures.good) < MIN_GOOD:
        raise ConfigError(
            f"{len(pictures.good)} good pictures to train on",
            expected=f"at least {MIN_GOOD}; 30 and more make a good backbone",
            remedy="photograph more good parts",
        )
    frames = [read(picture.path) for picture in pictures.good]
    look = look_at(frames, order.pixel_format, order.long_side_px, locate=order.locate or False, area_px=WORK_AREA_PX)
    found: list[tuple[LabelledPicture, Levels]] = []
    for picture, frame in zip(pictures.good, frames, strict=True):
        with contextlib.suppress(NotLocated):
            found.append((picture, np.asarray(look.planes_of(frame), np.float16)))
        tick()
    folds = dealt([picture.group for picture, _ in found], _FOLDS, order.seed)
    kept = set(folds[0]) if len(folds) > 1 else set()
    names = {picture.name for picture, _ in found}
    return Studied(
        learned=[planes for index, (_, planes) in enumerate(found) if index not in kept],
        checked=[planes for index, (_, planes) in enumerate(found) if index in kept],
        hashes={picture.name: picture.sha256() for picture, _ in found},
        lost=[picture.name for picture in pictures.good if picture.name not in names],
    )


def train_backbone(
    path: Path,
    order: BackboneOrder,
    studied: Studied,
    *,
    report: Callable[[int, str], None] = lambda done, words: None,
) -> TrainedBackbone:
    """Makes the file. `report` is called as by `fit`. A fit that is stopped by a signal raises KeyboardInterrupt and
    leaves its checkpoint beside `path`.

    Raises: ConfigError.
    """
    device = chosen_device(order.device)
    kind = known_network(order.network)
    seed_everything(order.seed)
    stages = stages_of(kind)
    pupil = Pupil(FeatureNetwork(stages, order.pixel_format))
    lesson = BackboneLesson(order.lesson, learned=studied.learned, checked=studied.checked, device=device.torch)
    checkpoint = checkpoint_of(path)
    fitted = fit(
        pupil,
        lesson,
        FitOrder(
            identity=order.identity(studied.hashes, device.kind),
            steps=order.steps,
            check_every=max(1, order.steps // order.checks),
            patience=order.patience,
            minutes=order.minutes,
            checkpoint=checkpoint,
            resume=order.resume,
        ),
        device,
        report=report,
    )
    weights = {name: values.detach().clone() for name, values in stages.state_dict().items()}
    backbone = Backbone(
        kind=kind,
        weights=weights,
        origin=f"file {path.name}, by lineside train backbone",
        sha256=weights_hash(weights),
        channels=order.pixel_format.channels,
        learned_from=studied.hashes,
        record=_record(order, studied, fitted, device.name),
    )
    write_backbone(path, backbone)
    checkpoint.unlink(missing_ok=True)
    return TrainedBackbone(backbone=backbone, fitted=fitted, device=device.name)


def _record(order: BackboneOrder, studied: Studied, fitted: Fitted, device: str) -> dict[str, Any]:
    rows, columns = studied.learned[0].shape[1:]
    return {
        "method": "backbone: self-supervised, places alike under any lamp and unlike one another (VICReg)",
        "pictures": {
            "learned": len(studied.learned),
            "checked": len(studied.checked),
            "looked_at_px": [columns, rows],
            "no_part_found_in": list(studied.lost),
        },
        "source": dict(order.source),
        "settings": {
            **asdict(order.lesson),
            "steps": order.steps,
            "patience": order.patience,
            "minutes": order.minutes,
        },
        "fit": {
            "steps": fitted.steps,
            "kept_step": fitted.best_step,
            "ended_by": fitted.ended_by,
            "resumed_at": fitted.resumed_at,
            "seconds": round(fitted.seconds),
            "device": device,
        },
        "versions": versions(),
    }
