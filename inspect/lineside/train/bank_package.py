"""From a training set to a model package with a bank in it, in one call."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray

from lineside import __version__
from lineside.core.errors import ConfigError, PackageError
from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.manifest import AnomalyMapOutput, InputSpec, Threshold
from lineside.detectors.package import ModelPackage, PackageDraft, write_package
from lineside.detectors.preparation import Preparation
from lineside.detectors.session import open_session
from lineside.train.bank import (
    Bank,
    BankSettings,
    CodeBook,
    Moments,
    anomaly_map,
    distances,
    fit_bank,
    fit_codes,
    held_out_scores,
    picture_score,
)
from lineside.train.bank_choice import MIN_BAD, Limit, auroc, blemished, dealt, limit_of
from lineside.train.bank_features import CELL_PX, Planes, features
from lineside.train.bank_graph import INPUT, MAP, bank_graph
from lineside.train.dataset import LabelledPicture, TrainingSet

__all__ = ["MIN_GOOD", "SPLIT_RECORD", "BankOrder", "TrainedBank", "train_bank", "work_size"]

MIN_GOOD: Final = 8
"""Fewer good parts say nothing about how much good parts differ."""

SPLIT_RECORD: Final = "training/split.csv"
"""In the package: which picture was of which split, with the hashes of all that were read."""

_WORK_AREA_PX: Final = 150_000
_LEAST_SIDE_PX: Final = 64
_CODE_PICTURES: Final = 60
"""Pictures that the code book is made of; more change nothing in it."""
_FOLDS: Final = 32
_BLEMISHED_COPIES: Final = 2
_GRAPH_TOLERANCE: Final = 2e-3
"""How far the graph may be from numpy, in units of the limit."""

Scores = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class BankOrder:
    """What is to be made.

    `size_px` is that of the pictures, `work_size_px` that at which the graph looks at them. The candidates are tried
    in order, those after the first only while `in_time` says so. `overkill_rate` is the share of good pictures that
    may be rejected where bad ones help to set the limit. `source` goes into the training record.
    """

    id: str
    revision: int = 1
    licence: str
    pixel_format: PixelFormat
    size_px: tuple[int, int]
    work_size_px: tuple[int, int]
    candidates: tuple[BankSettings, ...] = (BankSettings(even_contrast=False), BankSettings(even_contrast=True))
    overkill_rate: float = 0.05
    seed: int = 0
    source: Mapping[str, Any] = field(default_factory=dict)
    in_time: Callable[[], bool] = lambda: True
    replace: bool = False


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrainedBank:
    """The package, the bank in it, its limit, and the good picture that fits it worst.

    `scores` are those of the good pictures of train, held out, in units of the limit; `map_of` is the graph's answer
    to a frame, computed by numpy.
    """

    package: ModelPackage
    bank: Bank
    limit: Limit
    worst: LabelledPicture
    scores: Scores
    map_of: Callable[[Pixels], Planes]


def work_size(width_px: int, height_px: int, long_side_px: int = 0) -> tuple[int, int]:
    """The size at which a picture is looked at: whole cells, about 150,000 px in all or the long side asked for."""
    share = math.sqrt(_WORK_AREA_PX / (width_px * height_px))
    if long_side_px:
        share = long_side_px / max(width_px, height_px)
    share = min(share, 1.0)
    width, height = (max(_LEAST_SIDE_PX, round(side * share / CELL_PX) * CELL_PX) for side in (width_px, height_px))
    return width, height


def train_bank(
    folder: Path,
    order: BankOrder,
    pictures: TrainingSet,
    *,
    read: Callable[[Path], Pixels],
    listing: bytes,
    tick: Callable[[], None] = lambda: None,
) -> TrainedBank:
    """Makes the package of the good pictures of train; those of val help to choose settings and limit.

    `read` is called for the files of train and val, for no other. `listing` goes into the package as the record of the
    split. `tick` is called once for each picture that is read and for each candidate.

    Raises: ConfigError, PackageError.
    """
    if len(pictures.good) < MIN_GOOD:
        raise ConfigError(
            f"{len(pictures.good)} good pictures to train on",
            expected=f"at least {MIN_GOOD}; 30 and more make a good model",
            remedy="photograph more good parts",
        )
    spec = _input_spec(order)
    preparation = Preparation(spec)

    def planes_of(pixels: Pixels) -> Planes:
        tensor, _ = preparation.prepare(pixels)
        return np.asarray(tensor[0], np.float32) * np.float32(1 / order.pixel_format.max_value)

    def planes_in(picture: LabelledPicture) -> Planes:
        planes = planes_of(read(picture.path))
        tick()
        return planes

    good, val = [planes_in(each) for each in pictures.good], [planes_in(each) for each in pictures.val]
    trials: list[_Trial] = []
    for settings in order.candidates:
        if not trials or order.in_time():
            trials.append(_try(settings, order, pictures, good, val))
        tick()
    best = max(trials, key=lambda trial: round(trial.auroc, 3))  # the first of equals
    limit = limit_of(best.good_scores, best.bad_scores, order.overkill_rate)
    bank = fit_bank(best.moments, best.book, best.settings, limit.value)

    def map_of(pixels: Pixels) -> Planes:
        return anomaly_map(bank, bank.book.codes(_seen(planes_of(pixels), order, bank.settings)))

    worst = int(np.argmax(best.held_out))
    references = _references(read, pictures.good, worst)
    graph = bank_graph(bank, order.pixel_format)
    difference = _difference(graph, preparation, references, map_of)
    package = write_package(
        folder,
        graph=graph,
        draft=_draft(order, spec, pictures, trials, best, limit, difference),
        reference_inputs=references,
        other_files={SPLIT_RECORD: listing},
        replace=order.replace,
    )
    return TrainedBank(
        package=package,
        bank=bank,
        limit=limit,
        worst=pictures.good[worst],
        map_of=map_of,
        scores=best.held_out / limit.value,
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Trial:
    """What came of one candidate. Scores are in standard deviations, of pictures that were not seen.

    `held_out` are those of the good pictures of train, `good_scores` these and those of val, `bad_scores` those of the
    bad pictures of val. `auroc` is of bad against good; of blemished copies where val has too few bad ones.
    """

    settings: BankSettings
    book: CodeBook
    moments: Moments
    held_out: Scores
    good_scores: Scores
    bad_scores: Scores
    auroc: float


def _try(
    settings: BankSettings, order: BankOrder, pictures: TrainingSet, good: Sequence[Planes], val: Sequence[Planes]
) -> _Trial:
    """Fits the candidate and scores what it had not seen."""
    seen = [_seen(planes, order, settings) for planes in good]
    book = fit_codes(seen[:: math.ceil(len(seen) / _CODE_PICTURES)], settings.dimensions)
    codes = np.stack([book.codes(each) for each in seen])
    del seen
    moments = Moments(codes)
    mean, covariance = moments.mean_and_covariance(settings.reach)
    precision = np.linalg.inv(covariance)
    of_val = np.array(
        [picture_score(distances(book.codes(_seen(planes, order, settings)), mean, precision)) for planes in val]
    )
    is_good = np.array([picture.good for picture in pictures.val], bool)
    enough = int((~is_good).sum()) >= MIN_BAD
    random = np.random.default_rng(order.seed)
    copies = [
        np.stack([book.codes(_seen(blemished(planes, random), order, settings)) for planes in good])
        for _ in range(0 if enough else _BLEMISHED_COPIES)
    ]
    folds = dealt([picture.group for picture in pictures.good], _FOLDS, order.seed)
    held_out, *of_copies = held_out_scores(codes, folds, settings.reach, others=copies)
    good_scores = np.concatenate([held_out, of_val[is_good]])
    bad_scores = of_val[~is_good]
    return _Trial(
        settings=settings,
        book=book,
        moments=moments,
        held_out=held_out,
        good_scores=good_scores,
        bad_scores=bad_scores,
        auroc=auroc(good_scores, bad_scores if enough else np.concatenate(of_copies)),
    )


def _seen(planes: Planes, order: BankOrder, settings: BankSettings) -> Planes:
    return features(planes, order.pixel_format, even_contrast=settings.even_contrast)


def _references(read: Callable[[Path], Pixels], good: Sequence[LabelledPicture], worst: int) -> list[Pixels]:
    """The first and the worst good picture, and the first with a dark corner: an answer on either side of the limit."""
    spoiled = read(good[0].path).copy()
    spoiled[: spoiled.shape[0] // 4, : spoiled.shape[1] // 4] //= 4
    return [read(good[index].path) for index in sorted({0, worst})] + [spoiled]


def _difference(
    graph: bytes, preparation: Preparation, frames: Sequence[Pixels], map_of: Callable[[Pixels], Planes]
) -> float:
    """How far the graph is from numpy, as a share of 1 + the score. Raises: PackageError beyond the tolerance."""
    largest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        path.write_bytes(graph)
        session = open_session(path, providers=("cpu",))
        for frame in frames:
            tensor, _ = preparation.prepare(frame)
            got = session.run([MAP], INPUT, tensor)[MAP][0, 0]
            wanted = map_of(frame)
            largest = max(largest, float((np.abs(got - wanted) / (1 + np.abs(wanted))).max()))
    if not largest <= _GRAPH_TOLERANCE:
        raise PackageError(
            f"the exported graph differs from numpy by {largest:.3g} (as a share of 1 + score)",
            expected=f"at most {_GRAPH_TOLERANCE:g}",
            remedy="report it with the versions of numpy, OpenCV and ONNX Runtime",
        )
    return largest


def _input_spec(order: BankOrder) -> InputSpec:
    width, height = order.work_size_px
    return InputSpec(
        name=INPUT,
        shape=(1, order.pixel_format.channels, height, width),
        dtype="uint16" if order.pixel_format.dtype == np.uint16 else "uint8",
        pixel_format=order.pixel_format,
        resize="stretch",
        interpolation="area",
        in_graph=True,
    )


def _draft(
    order: BankOrder,
    spec: InputSpec,
    pictures: TrainingSet,
    trials: Sequence[_Trial],
    best: _Trial,
    limit: Limit,
    difference: float,
) -> PackageDraft:
    held_out = best.held_out / limit.value
    return PackageDraft(
        id=order.id,
        revision=order.revision,
        licence=order.licence,
        made_by=f"lineside {__version__}, bank",
        input=spec,
        output=AnomalyMapOutput(map=MAP),
        threshold=Threshold(value=1.0, set_by=limit.how),
        training={
            "method": "bank: a Gaussian of filter responses at every place",
            "pictures": {
                "train_good": len(pictures.good),
                "val_good": sum(picture.good for picture in pictures.val),
                "val_bad": sum(not picture.good for picture in pictures.val),
                "size_px": list(order.size_px),
                "listed_in": SPLIT_RECORD,
            },
            "source": dict(order.source),
            "settings": {**asdict(best.settings), "seed": order.seed, "work_size_px": list(order.work_size_px)},
            "compared": {
                "by": "AUROC of the bad pictures of val against good ones"
                if len(best.bad_scores) >= MIN_BAD
                else "AUROC of good pictures with a painted blemish against good ones",
                "scored": "held out in groups from train, and val",
                "candidates": [{**asdict(trial.settings), "auroc": round(trial.auroc, 4)} for trial in trials],
            },
            "threshold": {
                "how": f"{limit.how}; each good picture of train was scored by a bank made without its group",
                "in_deviations": round(limit.value, 4),
                "held_out_median": round(float(np.median(held_out)), 4),
                "held_out_highest": round(float(held_out.max()), 4),
                "good_at_or_above": int((best.good_scores >= limit.value).sum()),
                "bad_below": int((best.bad_scores < limit.value).sum()),
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
