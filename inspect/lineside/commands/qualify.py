"""`lineside qualify`: how good a package or recipe is, on pictures of known truth."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineside.commands.package_option import MODELS
from lineside.commands.qualify_words import QUALIFICATIONS, Opened, needs_its_libraries, open_judge, parsed_share
from lineside.commands.station_option import output
from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat

if TYPE_CHECKING:
    from lineside.qualify.document import Data, Qualification
    from lineside.train.dataset import Dataset, LabelledPicture

__all__ = ["qualify"]

SPLITS = ("test", "val", "other", "all")

_WELL_RANKED = 0.95
_MANY_ESCAPES = 0.2
"""An area this large with more escapes than that: it is the threshold that lets them pass."""


def qualify(
    *,
    what: Annotated[
        Path,
        typer.Argument(metavar="PACKAGE|RECIPE", help="A package by folder or name, a recipe or station file."),
    ],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Folder with split.csv, or with good/ and defect/.")],
    split: Annotated[
        str, typer.Option(help="test (nothing was chosen on it), val, other, or all: every picture of DATA.")
    ] = "test",
    out: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page; the JSON goes beside it. Left out, by the package.")
    ] = None,
    confidence: Annotated[str, typer.Option(help="Of all bounds.")] = "95%",
    view: Annotated[str, typer.Option(help="Which view the pictures show, where a recipe has several.")] = "",
    scales: Annotated[Path | None, typer.Option(help="Station file whose scale holds for a recipe file.")] = None,
    mm_per_px: Annotated[
        float | None, typer.Option(min=1e-9, help="Size of a pixel, for sizes of defects in mm.")
    ] = None,
    file_pixel_format: Annotated[
        PixelFormat | None, typer.Option(help="What the files hold, where that is not what the package wants.")
    ] = None,
    fit: Annotated[str, typer.Option(help="Pictures of another size: refuse, pad, crop or resize.")] = "refuse",
    provider: Annotated[str, typer.Option(help="What runs the model: cpu, cuda, tensorrt or openvino.")] = "cpu",
    repeat_parts: Annotated[int, typer.Option(min=0, help="So many parts are shown again; 0: none.")] = 20,
    trials: Annotated[int, typer.Option(min=1, max=20, help="How often in each way.")] = 3,
    shift_px: Annotated[float, typer.Option(min=0, help="How far they are moved, each way, at most.")] = 2.0,
    light: Annotated[float, typer.Option(min=0, max=0.9, help="How much brighter or darker, at most.")] = 0.05,
    noise: Annotated[float, typer.Option(min=0, help="Noise: its standard deviation, in grey levels of 255.")] = 2.0,
    group: Annotated[str, typer.Option(help="Without split.csv: what it finds in file names is the part.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Of the split (without split.csv) and of what is shown again.")] = 0,
    val_share: Annotated[float, typer.Option(min=0, max=0.9, help="As in training, without split.csv.")] = 0.2,
    test_share: Annotated[float, typer.Option(min=0, max=0.9, help="As in training, without split.csv.")] = 0.2,
) -> None:
    """Find out how good a detector is: escapes and overkill with exact bounds, in a page and JSON.

    The split test is the default: nothing was learned from it and no threshold set by it, so only it tells how good
    the detector is. Pictures that the package has learned from are refused.

    $ lineside qualify models/gasket pictures

    $ lineside qualify models/recipes/gasket.toml new-parts --split all --scales calibration/stations/press.toml
    """
    needs_its_libraries()
    from lineside.commands.train_words import progress
    from lineside.qualify.document import Data
    from lineside.qualify.repeatability import RepeatOrder
    from lineside.qualify.report import write_qualification
    from lineside.qualify.run import QualifyOrder, check_truth
    from lineside.qualify.run import qualify as judge_all
    from lineside.train.dataset import SplitOrder, read_dataset

    level = parsed_share("--confidence", confidence)
    if split not in SPLITS:
        raise ConfigError(
            f"--split {split}",
            expected=", ".join(SPLITS),
            remedy="test: a detector is not examined on what it has learned from" if split == "train" else "",
        )
    dataset = read_dataset(data, SplitOrder(seed=seed, val_share=val_share, test_share=test_share, group_pattern=group))
    pictures = [each for each in dataset.pictures if split in ("all", each.split)]
    if not pictures:
        raise ConfigError(_no_pictures(dataset, split), expected="good and bad parts", remedy="take another --split")
    repeat = None
    if repeat_parts:
        repeat = RepeatOrder(parts=repeat_parts, trials=trials, shift_px=shift_px, light=light, noise=noise, seed=seed)
    described = Data(
        name=data.resolve().name,
        split=split,
        split_by=dataset.split_by,
        pictures=0,
        good_parts=0,
        bad_parts=0,
        grouped=False,
        sha256="",
        seen_in_training=(),
        training_known=True,
    )
    check_truth(pictures, described)
    named = MODELS / what
    opened = open_judge(
        named if named.is_dir() and not what.exists() else what,
        view=view,
        scales=scales,
        mm_per_px=mm_per_px,
        file_pixel_format=file_pixel_format,
        fit=fit,
        provider=provider,
    )
    known, seen = _seen_in_training(opened.package, pictures)
    order = QualifyOrder(
        by=opened.by,
        data=described.model_copy(update={"seen_in_training": seen, "training_known": known}),
        command=shlex.join(["lineside", *sys.argv[1:]]),
        confidence=level,
        mm_per_px=opened.mm_per_px,
        repeat=repeat,
    )
    place = out or _place(opened, order.data)
    if place.suffix != ".html":
        raise ConfigError(f"a page called {place.name}", expected="a name that ends in .html: the JSON goes beside it")
    parts = len({(each.group, each.good) for each in pictures})
    again = min(repeat_parts, parts) * repeat.presentations if repeat else 0
    with progress(len(pictures) + again, "Judging") as tick:
        document = judge_all(opened.judge, pictures, order, tick=tick)
    page, beside = write_qualification(place, document, opened.judge, pictures)
    _say(document, page, beside)


def _no_pictures(dataset: Dataset, split: str) -> str:
    counts = [(each, len(dataset.of(each))) for each in ("train", "val", "test", "other")]
    has = ", ".join(f"{name} {count}" for name, count in counts if count)
    return f"{dataset.folder} has no picture in the split {split}; it has {has}"


def _seen_in_training(package: Path, pictures: Sequence[LabelledPicture]) -> tuple[bool, tuple[str, ...]]:
    """Whether the package says what it is made of, and which pictures are of its val.

    Raises: ConfigError for pictures that it has learned from.
    """
    from lineside.qualify.data_identity import learned_from, training_hashes

    known, hashes = training_hashes(package)
    hashed = []
    for each in pictures:
        with contextlib.suppress(OSError):  # one that cannot be read is named when it is its turn
            hashed.append((each, each.sha256()))
    if learned := learned_from(hashed, hashes, ("train",)):
        raise ConfigError(
            f"the package has learned from {len(learned)} of these {len(pictures)} pictures, the first {learned[0]}",
            expected="pictures that it has not seen",
            remedy="leave them out; without split.csv, give the --seed, --val-share and --test-share of the training",
        )
    return known, learned_from(hashed, hashes, ("val",))


def _place(opened: Opened, data: Data) -> Path:
    by = opened.by
    name = f"{by.recipe_id or by.package_id}{by.view and '-' + by.view}-r{by.package_revision}-{by.package_sha256[:12]}"
    return opened.models / QUALIFICATIONS / f"{name}-{data.name}-{data.split}.html"


def _ranking(document: Qualification) -> str:
    """What the area under the ROC, which no threshold has a part in, says of the threshold that there is."""
    told = "the chance that a bad picture scores above a good one, whatever the threshold"
    passed = document.escapes.parts
    if document.auroc is not None and document.auroc.value >= _WELL_RANKED and passed.count > _MANY_ESCAPES * passed.of:
        return f"{told}. Scores tell more than this threshold lets through: set it with `lineside models threshold`"
    return told


def _say(document: Qualification, page: Path, beside: Path) -> None:
    console = output()
    console.print(document.answer, style="bold", markup=False)
    if (area := document.auroc) is not None:
        console.print(f"  AUROC {area.value:.3f}: {_ranking(document)}", markup=False)
    for each in document.more:
        console.print(f"  {each}", markup=False)
    console.print(f"{page}, {beside}", markup=False)
