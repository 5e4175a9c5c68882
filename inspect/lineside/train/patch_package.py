"""From a training set and a backbone to a model package, in one call."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lineside.core.errors import ConfigError, NotLocated
from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.package import ModelPackage, write_package
from lineside.train.alike import alike
from lineside.train.backbone_file import Backbone, refuse_channels
from lineside.train.bank import CodeBook
from lineside.train.bank_choice import MIN_BAD, Limit, limit_of
from lineside.train.bank_features import Planes
from lineside.train.bank_package import MIN_GOOD, SPLIT_RECORD
from lineside.train.dataset import LabelledPicture, TrainingSet
from lineside.train.looking import Look, look_at
from lineside.train.network_export import export_network
from lineside.train.networks import parameters_of
from lineside.train.patch_codes import Codings
from lineside.train.patch_graph import MAP, GaussianDistance, MemoryDistance, PatchNetwork
from lineside.train.patch_model import PatchTrial, try_patch
from lineside.train.patch_order import WORK_AREA_PX, PatchOrder
from lineside.train.patch_record import PatchMade, package_draft
from lineside.train.reference_frames import spoiled

__all__ = ["TrainedPatch", "train_patch"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrainedPatch:
    """The package and what people want to see of its making, in the words of `TrainedBank`.

    `mean` (C, H, W) is the average good picture, `usual_map` (h, w) the average of the maps of good ones.
    `alike` is the share of what is in a good picture that the median of others explains.
    """

    package: ModelPackage
    scores: NDArray[np.float64]
    mean: Planes
    usual_map: Planes
    worst: str
    worst_frame: Pixels
    worst_planes: Planes
    worst_map: Planes
    lost: tuple[str, ...]
    alike: float


def train_patch(
    folder: Path,
    order: PatchOrder,
    backbone: Backbone,
    pictures: TrainingSet,
    *,
    read: Callable[[Path], Pixels],
    listing: bytes,
    tick: Callable[[], None] = lambda: None,
) -> TrainedPatch:
    """Makes the package of the good pictures of train; bad ones, and val, help to choose the model and the limit.

    `tick` is called for each picture of train and of val, once more for each kind of features among the candidates,
    and once for each candidate.
    Raises: ConfigError, PackageError.
    """
    refuse_channels(backbone, order.pixel_format.channels)
    _check_count(len(pictures.good))
    frames = [read(picture.path) for picture in pictures.good]
    look = look_at(frames, order.pixel_format, order.long_side_px, locate=order.locate or False, area_px=WORK_AREA_PX)
    found = _found(look, zip(pictures.good, frames, strict=True), tick)
    del frames
    others = (*(picture for picture in pictures.train if not picture.good), *pictures.val)
    found_besides = _found(look, ((picture, read(picture.path)) for picture in others), tick)
    lost = tuple(each.name for each in (*pictures.good, *others) if each not in {**found, **found_besides})
    _check_count(len(found))
    if len({picture.group for picture in found}) < 2:
        raise ConfigError(
            "all good pictures are of one group",
            expected="several parts: each is scored by a model made without it",
            remedy="photograph more parts, or correct --group",
        )
    coded = Codings(order, backbone, look, found, found_besides, tick)
    trials = _tried(order, coded, tick)
    best = max(trials, key=lambda trial: round(trial.scores.auroc, 3))  # the first of equals
    features, book, shown = coded.by(best.settings)
    limit = limit_of(best.scores.good, best.scores.bad, order.overkill_rate)
    network = _network(features, book, best, limit, order.pixel_format)
    worst = list(found)[int(np.argmax(best.scores.held_out))]
    worst_frame = read(worst.path)
    references = [read(next(iter(found)).path), worst_frame, spoiled(worst_frame)]
    exported = export_network(network, look, [MAP], references, parameters=parameters_of(features))
    made = PatchMade(
        order=order,
        look=look,
        backbone=backbone,
        shown=shown,
        trials=trials,
        best=best,
        limit=limit,
        exported=exported,
        lost=lost,
    )
    package = write_package(
        folder,
        graph=exported.graph,
        draft=package_draft(made),
        reference_inputs=references,
        other_files={SPLIT_RECORD: listing, **look.files},
        replace=order.replace,
    )
    maps = [_map_of(network, planes, order.pixel_format) for planes in found.values()]
    return TrainedPatch(
        package=package,
        scores=best.scores.held_out / limit.value,
        mean=np.mean(list(found.values()), axis=0, dtype=np.float32),
        usual_map=np.mean(maps, axis=0, dtype=np.float32),
        worst=worst.name,
        worst_frame=worst_frame,
        worst_planes=found[worst],
        worst_map=maps[list(found).index(worst)],
        lost=lost,
        alike=alike(list(found.values())),
    )


def _tried(order: PatchOrder, coded: Codings, tick: Callable[[], None]) -> list[PatchTrial]:
    trials: list[PatchTrial] = []
    for wanted in order.candidates:
        settings = replace(wanted, places=coded.look.places(order.slack))
        if not trials or (coded.bad >= MIN_BAD and order.in_time()):
            trials.append(try_patch(settings, coded.by(settings).shown, order.seed))
        else:
            coded.left(settings)
        tick()
    return trials


def _check_count(good: int) -> None:
    if good < MIN_GOOD:
        raise ConfigError(
            f"{good} good pictures to train on",
            expected=f"at least {MIN_GOOD}; 30 and more make a good model",
            remedy="photograph more good parts; where some are put aside, lower --val-share and --test-share",
        )


def _found(
    look: Look, pictures: Iterable[tuple[LabelledPicture, Pixels]], tick: Callable[[], None]
) -> dict[LabelledPicture, Planes]:
    """What the graph is to see of each picture; one without a part is left out."""
    found = {}
    for picture, pixels in pictures:
        with contextlib.suppress(NotLocated):
            found[picture] = look.planes_of(pixels)
        tick()
    return found


def _network(
    features: nn.Module, book: CodeBook, best: PatchTrial, limit: Limit, pixel_format: PixelFormat
) -> PatchNetwork:
    distance = (
        GaussianDistance(*best.gaussian(book, limit.value), best.settings.places.slack)
        if best.memory is None
        else MemoryDistance(best.memory.codes, limit.value)
    )
    network = PatchNetwork(features, book, distance, pixel_format.max_value, best.settings.top_share)
    network.eval()
    return network


def _map_of(network: PatchNetwork, planes: Planes, pixel_format: PixelFormat) -> Planes:
    with torch.no_grad():
        pixels = torch.from_numpy(planes * np.float32(pixel_format.max_value))[None]
        return np.asarray(network(pixels)[0, 0].numpy(), np.float32)
