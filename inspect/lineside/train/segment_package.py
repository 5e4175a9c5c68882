"""From labelled pictures to a model package with a segmentation network in it, in one call."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from lineside.core.errors import NotLocated
from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.package import ModelPackage, write_package
from lineside.train.alike import usual_picture
from lineside.train.bank_choice import MIN_BAD
from lineside.train.bank_features import Planes
from lineside.train.bank_package import SPLIT_RECORD
from lineside.train.checkpoint import checkpoint_of
from lineside.train.curves import CURVES_RECORD
from lineside.train.dataset import TrainingSet
from lineside.train.defect_canvas import canvases
from lineside.train.defects import Levels, paint
from lineside.train.device import Device, chosen_device, seed_everything
from lineside.train.fitting import FitOrder, Fitted, fit
from lineside.train.looking import Look
from lineside.train.network_export import ExportedNetwork, export_network
from lineside.train.segment_data import Gathered, gather
from lineside.train.segment_graph import MAP, JudgingNetwork
from lineside.train.segment_judging import Judging, judged
from lineside.train.segment_lesson import SegmentLesson, answers
from lineside.train.segment_network import SegmentNetwork, parameters_of
from lineside.train.segment_order import SegmentOrder
from lineside.train.segment_record import Made, curves_of, package_draft
from lineside.train.segment_scores import Seen, best_f1

__all__ = ["SegmentOrder", "TrainedSegment", "train_segment"]

_CHECKED: Final = 20
"""Good pictures, and as many bad ones, by which the network is scored while it learns."""
_PAINTED_FOR_CHECKS: Final = 2
_SEEN_AGAIN: Final = 40


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrainedSegment:
    """The package, all that came of the order, and `maps` (h, w) of logits: what the network makes of the pictures that
    it was checked on. `reference` is a frame of a good part.
    """

    package: ModelPackage
    made: Made
    maps: Sequence[Planes]
    reference: Pixels


def train_segment(
    folder: Path,
    order: SegmentOrder,
    pictures: TrainingSet,
    *,
    read: Callable[[Path], Pixels],
    read_mask: Callable[[Path], Pixels],
    listing: bytes,
    tick: Callable[[], None] = lambda: None,
    report: Callable[[int, str], None] = lambda done, words: None,
) -> TrainedSegment:
    """Makes the package. `tick` is called for each picture that is read, `report` as by `fit`.

    A fit that is stopped by a signal raises KeyboardInterrupt and leaves its checkpoint beside `folder`.

    Raises: ConfigError, PackageError.
    """
    device = chosen_device(order.device, order.threads)
    gathered = gather(
        pictures,
        pixel_format=order.pixel_format,
        long_side_px=order.long_side_px,
        locate=order.locate,
        masks=order.masks,
        seed=order.seed,
        read=read,
        read_mask=read_mask,
        tick=tick,
    )
    checkpoint = checkpoint_of(folder)
    learned = _learned(order, gathered, device, order.identity(listing, device.kind), checkpoint, report)
    maps = learned.maps_of([seen.planes for seen in gathered.checked])
    judging = judged(
        [logits for logits, seen in zip(maps, gathered.checked, strict=True) if seen.good],
        [logits for logits, seen in zip(maps, gathered.checked, strict=True) if not seen.good],
        learned.maps_of([seen.planes for seen in learned.painted]),
        learned.maps_of(_spread(gathered.good, _SEEN_AGAIN)),
        order.overkill_rate,
    )
    references = _references(gathered, pictures, read)
    made = Made(
        order=order,
        gathered=gathered,
        class_names=sorted({picture.class_name for picture in pictures.train if not picture.good}),
        compared_with_usual=learned.usual is not None,
        fitted=learned.fitted,
        judging=judging,
        best_f1=best_f1(maps, [seen.mask for seen in gathered.checked]),
        exported=_exported(order, learned, judging, gathered.look, references),
        device=device.name,
    )
    package = write_package(
        folder,
        graph=made.exported.graph,
        draft=package_draft(made),
        reference_inputs=references,
        other_files={SPLIT_RECORD: listing, CURVES_RECORD: curves_of(made.fitted), **gathered.look.files},
        replace=order.replace,
    )
    checkpoint.unlink(missing_ok=True)
    return TrainedSegment(package=package, made=made, maps=maps, reference=references[0])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Learned:
    """The fitted network, the usual picture that it compares with, and good pictures with painted defects."""

    network: SegmentNetwork
    usual: Planes | None
    painted: Sequence[Seen]
    fitted: Fitted

    def maps_of(self, pictures: Sequence[Levels]) -> list[Planes]:
        """Its logits on whole pictures, on the CPU as at the station."""
        return answers(self.network, pictures, self.usual, torch.device("cpu"))


def _learned(
    order: SegmentOrder,
    gathered: Gathered,
    device: Device,
    identity: str,
    checkpoint: Path,
    report: Callable[[int, str], None],
) -> _Learned:
    usual = usual_picture(gathered.good)
    painted = _painted(gathered.checked, order.seed)
    lesson = SegmentLesson(
        order.lesson,
        good=canvases(gathered.good),
        bad=gathered.bad,
        usual=usual,
        checked=_few(gathered.checked, painted),
        device=device.torch,
    )
    seed_everything(order.seed)
    pixel_format = order.pixel_format
    network = SegmentNetwork(pixel_format.channels, usual=usual is not None, red_first=pixel_format is PixelFormat.RGB8)
    fit_order = FitOrder(
        identity=identity,
        steps=order.steps,
        check_every=max(1, order.steps // order.checks),
        patience=order.patience,
        minutes=order.minutes,
        checkpoint=checkpoint,
        resume=order.resume,
    )
    fitted = fit(network, lesson, fit_order, device, report=report)
    return _Learned(network=network, usual=usual, painted=painted, fitted=fitted)


def _exported(
    order: SegmentOrder, learned: _Learned, judging: Judging, look: Look, references: Sequence[Pixels]
) -> ExportedNetwork:
    judge = JudgingNetwork(
        learned.network,
        usual=None if learned.usual is None else torch.from_numpy(learned.usual)[None],
        max_value=order.pixel_format.max_value,
        share=judging.share,
        limit=judging.limit.value,
        as_chance=order.masks,
    ).eval()
    return export_network(judge, look, [MAP], references, parameters=parameters_of(learned.network))


def _painted(checked: Sequence[Seen], seed: int) -> list[Seen]:
    """Good pictures that are not learned from, with painted defects."""
    rng = np.random.default_rng([seed, 1])
    some = [
        canvas
        for canvas in canvases(_spread([seen.planes for seen in checked if seen.good], _CHECKED))
        for _ in range(_PAINTED_FOR_CHECKS)
    ]
    painted = [paint(canvas, rng) for canvas in some]
    return [Seen(planes=each.planes, good=False, mask=each.mask) for each in painted if each.mask.any()]


def _few(checked: Sequence[Seen], painted: Sequence[Seen]) -> list[Seen]:
    """What the network is scored by while it learns: real bad pictures, or where they are too few painted ones."""
    bad = [seen for seen in checked if not seen.good]
    bad = bad if len(bad) >= MIN_BAD else list(painted)
    return [*_spread([seen for seen in checked if seen.good], _CHECKED), *_spread(bad, _CHECKED)]


def _spread(things: Sequence[Any], count: int) -> list[Any]:
    """At most so many, evenly out of all."""
    return [things[index] for index in np.unique(np.linspace(0, len(things) - 1, count).astype(int))] if things else []


def _references(gathered: Gathered, pictures: TrainingSet, read: Callable[[Path], Pixels]) -> list[Pixels]:
    """A good picture, another one, and one with a dark patch: answers on both sides of the limit."""
    good = [picture for picture in pictures.good if picture.name not in gathered.lost]
    frames = [read(good[0].path), read(good[-1].path)]
    height, width = frames[0].shape[:2]
    spoiled = frames[0].copy()
    spoiled[height * 7 // 16 : height * 9 // 16, width * 7 // 16 : width * 9 // 16] //= 4
    with contextlib.suppress(NotLocated):  # with the patch it may not look like the part any more
        gathered.look.tensor_of(spoiled)
        frames.append(spoiled)
    return frames
