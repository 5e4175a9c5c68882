"""From a training set to a model package with a bank in it, in one call."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray

from lineside import __version__
from lineside.core.errors import ConfigError, NotLocated, PackageError
from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.manifest import AnomalyMapOutput, Threshold
from lineside.detectors.package import ModelPackage, PackageDraft, write_package
from lineside.detectors.session import open_session
from lineside.train.alike import alike
from lineside.train.bank import Bank, BankSettings, anomaly_map, fit_bank
from lineside.train.bank_choice import MIN_BAD, Limit, limit_of
from lineside.train.bank_features import Planes, features
from lineside.train.bank_graph import INPUT, MAP, bank_graph
from lineside.train.bank_trial import Seen, Trial, try_settings
from lineside.train.dataset import LabelledPicture, TrainingSet
from lineside.train.locate_fit import LocateOrder
from lineside.train.looking import Look, look_at
from lineside.train.places import PlaceSettings, told

__all__ = ["MIN_GOOD", "SPLIT_RECORD", "BankOrder", "TrainedBank", "train_bank"]

MIN_GOOD: Final = 8
"""Fewer good parts say nothing about how much good parts differ."""

SPLIT_RECORD: Final = "training/split.csv"
"""In the package: which picture was of which split, with the hashes of all that were read."""

_GRAPH_TOLERANCE: Final = 2e-3
"""How far the graph may be from numpy, as a share of 1 + score, where 1 is the limit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BankOrder:
    """What is to be made.

    The graph looks at pictures of `size_px`, or with `locate` at the parts that are found in them, with `long_side_px`
    along the longer side (0: some 150,000 px in all). The first candidate is taken, unless there are bad pictures and
    another tells them better: the others are tried while `in_time` says so. `slack` is that of `PlaceSettings`, None:
    what suits the pictures. `overkill_rate` is the share of good pictures, not learned from, that may be rejected.
    `source` goes into the training record.
    """

    id: str
    revision: int = 1
    licence: str
    pixel_format: PixelFormat
    size_px: tuple[int, int]
    long_side_px: int = 0
    locate: LocateOrder | None = None
    candidates: tuple[BankSettings, ...] = (BankSettings(even_contrast=False), BankSettings(even_contrast=True))
    slack: int | None = None
    overkill_rate: float = 0.05
    seed: int = 0
    source: Mapping[str, Any] = field(default_factory=dict)
    in_time: Callable[[], bool] = lambda: True
    replace: bool = False


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrainedBank:
    """The package, the bank in it, and what people want to see of its making.

    `scores` are those of the good pictures of train, held out, in units of the limit. `mean` (C, H, W) is their
    average, `variety` (h, w) how much they differ. `worst` names the one that fits worst: as read, as it was looked
    at, and the bank's map of it. `lost` names the pictures in which no part was found; they are not learned from.
    `alike` is the share of what is in a good picture that the median of others explains.
    """

    package: ModelPackage
    bank: Bank
    scores: NDArray[np.float64]
    mean: Planes
    variety: Planes
    worst: str
    worst_frame: Pixels
    worst_planes: Planes
    worst_map: Planes
    lost: tuple[str, ...]
    alike: float


def train_bank(
    folder: Path,
    order: BankOrder,
    pictures: TrainingSet,
    *,
    read: Callable[[Path], Pixels],
    listing: bytes,
    tick: Callable[[], None] = lambda: None,
) -> TrainedBank:
    """Makes the package of the good pictures of train; bad ones, and val, help to choose settings and limit.

    `read` is called for the files of train and val, for no other. `listing` goes into the package as the record of the
    split. `tick` is called once for each picture of train and of val, and for each candidate.

    Raises: ConfigError, PackageError.
    """
    _check_count(len(pictures.good))
    good = [read(picture.path) for picture in pictures.good]
    look = look_at(good, order.pixel_format, order.long_side_px, locate=order.locate or False)
    found = _found(look, [*zip(pictures.good, good, strict=True)], tick)
    del good
    others = (*(picture for picture in pictures.train if not picture.good), *pictures.val)
    found_besides = _found(look, ((picture, read(picture.path)) for picture in others), tick)
    lost = tuple(each.name for each in (*pictures.good, *others) if each not in {**found, **found_besides})
    _check_count(len(found))
    seen = Seen(
        pixel_format=order.pixel_format,
        good=list(found.values()),
        groups=[picture.group for picture in found],
        val_good=[planes for picture, planes in found_besides.items() if picture.good],
        bad=[planes for picture, planes in found_besides.items() if not picture.good],
        bad_groups=[picture.group for picture in found_besides if not picture.good],
    )
    trials: list[Trial] = []
    for wanted in order.candidates:
        settings = replace(wanted, places=look.places(order.slack))
        if not trials or (len(seen.bad) >= MIN_BAD and order.in_time()):
            trials.append(try_settings(settings, seen, order.seed))
        tick()
    best = max(trials, key=lambda trial: round(trial.scores.auroc, 3))  # the first of equals
    limit = limit_of(best.scores.good, best.scores.bad, order.overkill_rate)
    bank = fit_bank(best.moments, best.book, best.settings, limit.value)

    def map_of(planes: Planes) -> Planes:
        even_contrast = bank.settings.even_contrast
        return anomaly_map(bank, bank.book.codes(features(planes, order.pixel_format, even_contrast=even_contrast)))

    worst = list(found)[int(np.argmax(best.scores.held_out))]
    worst_frame = read(worst.path)
    references = [read(next(iter(found)).path), worst_frame, _spoiled(worst_frame)]
    graph = bank_graph(bank, order.pixel_format)
    difference = _difference(graph, look, references, map_of)
    package = write_package(
        folder,
        graph=graph,
        draft=_draft(order, look, seen, lost, trials, best, limit, difference),
        reference_inputs=references,
        other_files={SPLIT_RECORD: listing, **look.files},
        replace=order.replace,
    )
    _, covariance = best.moments.mean_and_covariance(PlaceSettings(own_share=1, reach=0))
    return TrainedBank(
        package=package,
        bank=bank,
        scores=best.scores.held_out / limit.value,
        mean=np.mean(seen.good, axis=0, dtype=np.float32),
        variety=np.asarray(np.sqrt(np.trace(covariance, axis1=2, axis2=3)), np.float32),
        worst=worst.name,
        worst_frame=worst_frame,
        worst_planes=found[worst],
        worst_map=map_of(found[worst]),
        lost=lost,
        alike=alike(seen.good),
    )


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


def _spoiled(frame: Pixels) -> Pixels:
    """With a dark patch in its middle: an answer on the other side of the limit."""
    height, width = frame.shape[:2]
    spoiled = frame.copy()
    spoiled[height * 7 // 16 : height * 9 // 16, width * 7 // 16 : width * 9 // 16] //= 4
    return spoiled


def _difference(graph: bytes, look: Look, frames: Sequence[Pixels], map_of: Callable[[Planes], Planes]) -> float:
    """How far the graph is from numpy, as a share of 1 + score. Raises: PackageError beyond the tolerance."""
    largest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        path.write_bytes(graph)
        session = open_session(path, providers=("cpu",))
        for frame in frames:
            got = session.run([MAP], INPUT, look.tensor_of(frame))[MAP][0, 0]
            wanted = map_of(look.planes_of(frame))
            largest = max(largest, float((np.abs(got - wanted) / (1 + np.abs(wanted))).max()))
    if not largest <= _GRAPH_TOLERANCE:
        raise PackageError(
            f"the exported graph differs from numpy by {largest:.3g} (as a share of 1 + score)",
            expected=f"at most {_GRAPH_TOLERANCE:g}",
            remedy="report it with the versions of numpy, OpenCV and ONNX Runtime",
        )
    return largest


def _why_none(order: BankOrder, bad: int) -> str:
    if len(order.candidates) == 1:
        return "nothing: the settings were given"
    return f"nothing: there are {bad} bad pictures in train and val, or there was no time"


def _draft(
    order: BankOrder,
    look: Look,
    seen: Seen,
    lost: Sequence[str],
    trials: Sequence[Trial],
    best: Trial,
    limit: Limit,
    difference: float,
) -> PackageDraft:
    held_out = best.scores.held_out / limit.value
    return PackageDraft(
        id=order.id,
        revision=order.revision,
        licence=order.licence,
        made_by=f"lineside {__version__}, bank",
        input=look.spec,
        output=AnomalyMapOutput(map=MAP),
        threshold=Threshold(value=1.0, set_by=limit.how),
        training={
            "method": "bank: a Gaussian of filter responses at every place",
            "pictures": {
                "train_good": len(seen.good),
                "val_good": len(seen.val_good),
                "bad": len(seen.bad),
                "size_px": list(order.size_px),
                "listed_in": SPLIT_RECORD,
                "no_part_found_in": list(lost),
            },
            "source": dict(order.source),
            "settings": {**told(best.settings), "seed": order.seed},
            "compared": {
                "by": "AUROC of bad pictures of train and val, not learned from, against good ones, held out or of val"
                if len(trials) > 1
                else _why_none(order, len(seen.bad)),
                "candidates": [{**told(trial.settings), "auroc": round(trial.scores.auroc, 4)} for trial in trials],
            },
            "threshold": {
                "how": f"{limit.how}; each good picture of train was scored by a bank made without its group",
                "in_deviations": round(limit.value, 4),
                "held_out_median": round(float(np.median(held_out)), 4),
                "held_out_highest": round(float(held_out.max()), 4),
                "good_at_or_above": int((best.scores.good >= limit.value).sum()),
                "bad_below": int((best.scores.bad < limit.value).sum()),
            },
            "graph_against_numpy": f"{difference:.1e} at most, as a share of 1 + score; allowed {_GRAPH_TOLERANCE:g}",
            "versions": {
                "lineside": __version__,
                "numpy": np.__version__,
                "opencv": cv2.__version__,
                "onnx": onnx.__version__,
            },
        },
    )
