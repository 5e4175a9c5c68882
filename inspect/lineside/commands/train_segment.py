"""`lineside train segment` and `lineside train synthetic`: a small network that marks where a part has a defect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from lineside.commands.train_bank import LocateBy
from lineside.commands.train_options import (
    Device,
    FileFormat,
    Fit,
    Format,
    Group,
    Id,
    Licence,
    Locate,
    LocateBox,
    LocateWay,
    Minutes,
    Output,
    Overwrite,
    Resume,
    Revision,
    Seed,
    Sheet,
    Size,
    TestShare,
    ValShare,
    device_said,
    good_needed,
    picture_written,
    rows_printed,
    source_of,
)
from lineside.commands.train_words import fitting_progress, locate_order, milliseconds, package_name, refuse_existing
from lineside.core.pixel_format import PixelFormat

if TYPE_CHECKING:
    from lineside.train.dataset import Dataset
    from lineside.train.segment_package import TrainedSegment

__all__ = ["segment", "synthetic"]

_Data = Annotated[Path, typer.Argument(help="Folder with split.csv, or with good/, defect/<class>/ and masks/.")]
_LongSide = Annotated[
    int, typer.Option(min=0, help="Look at pictures of so many px along the long side; 0: some 150,000 px in all.")
]
_Overkill = Annotated[float, typer.Option(min=0, max=0.5, help="Share of good parts that may be rejected.")]
_Threads = Annotated[
    int, typer.Option(min=0, help="Of the CPU, for the fit; more are slower where the cores are not idle. 0: all.")
]
_Steps = Annotated[int, typer.Option(min=1, help="Steps of the fit, at most; 16 crops each.")]
_Patience = Annotated[
    int, typer.Option(min=0, help="End after so many checks (10 in a whole fit) without a better one; 0: never.")
]


@dataclass(frozen=True, kw_only=True)
class _Words:
    """The options of both commands, as they were said."""

    masks: bool
    data: Path
    output: Path
    locate: bool
    locate_by: LocateBy
    locate_box: str
    pixel_format: PixelFormat | None
    file_pixel_format: PixelFormat | None
    size: str
    fit: str
    long_side: int
    overkill: float
    device: str
    threads: int
    steps: int
    patience: int
    minutes: float
    resume: bool
    group: str
    seed: int
    val_share: float
    test_share: float
    package_id: str
    revision: int
    licence: str
    sheet: Path | None
    overwrite: bool


_WORDS = tuple(each.name for each in fields(_Words) if each.name != "masks")


def _command(*, masks: bool, told: str) -> Callable[..., None]:
    """Both commands have the same options; `told` is what their help says."""

    def command(
        *,
        data: _Data,
        output: Output,
        locate: Locate = False,
        locate_by: LocateWay = "auto",
        locate_box: LocateBox = "",
        pixel_format: Format = None,
        file_pixel_format: FileFormat = None,
        size: Size = "",
        fit: Fit = "refuse",
        long_side: _LongSide = 0,
        overkill: _Overkill = 0.05,
        device: Device = "auto",
        threads: _Threads = 1,
        steps: _Steps = 800,
        patience: _Patience = 5,
        minutes: Minutes = 0,
        resume: Resume = False,
        group: Group = "",
        seed: Seed = 0,
        val_share: ValShare = 0.2,
        test_share: TestShare = 0.2,
        package_id: Id = "",
        revision: Revision = 1,
        licence: Licence = "proprietary",
        sheet: Sheet = None,
        overwrite: Overwrite = False,
    ) -> None:
        said = locals()
        _train(_Words(masks=masks, **{word: said[word] for word in _WORDS}))

    command.__doc__ = told
    return command


segment = _command(
    masks=True,
    told="""Make a segmentation package from good parts and bad ones with masks; painted defects are learned from too.

    Needs the extra train. Pictures of test are not opened. What is kept of the fit and the limit are chosen on val.
    Exit codes: 0 done, 2 wrong declaration, 130 stopped: --resume goes on.
    """,
)

synthetic = _command(
    masks=False,
    told="""Make an anomaly-map package from good parts alone: the network learns from defects painted onto them.

    Needs the extra train. Look at `lineside train defects` first: what is painted should look like what may happen.
    Exit codes: 0 done, 2 wrong declaration, 130 stopped: --resume goes on.
    """,
)


def _train(words: _Words) -> None:
    from lineside.train.torch_extra import require_torch

    require_torch("lineside train segment" if words.masks else "lineside train synthetic")
    from lineside.train.checkpoint import refuse_checkpoint
    from lineside.train.dataset import SplitOrder, read_dataset
    from lineside.train.segment_package import SegmentOrder, train_segment
    from lineside.train.segment_sheet import contact_sheet

    refuse_existing(words.output, overwrite=words.overwrite)
    if not words.resume:
        refuse_checkpoint(words.output, overwrite=words.overwrite)
    device_said(words.device, words.threads)
    split = SplitOrder(
        seed=words.seed, val_share=words.val_share, test_share=words.test_share, group_pattern=words.group
    )
    dataset = read_dataset(words.data, split)
    pictures = dataset.for_training()
    first = good_needed(pictures, words.data)
    source = source_of(first, words.size, words.fit, words.pixel_format, words.file_pixel_format)
    order = SegmentOrder(
        id=package_name(words.package_id, words.output),
        revision=words.revision,
        licence=words.licence,
        pixel_format=source.pixel_format,
        size_px=source.size_px,
        masks=words.masks,
        long_side_px=words.long_side,
        locate=locate_order(words.locate_by, words.locate_box, wanted=words.locate),
        device=words.device,
        threads=words.threads,
        steps=words.steps,
        patience=words.patience,
        minutes=words.minutes,
        resume=words.resume,
        overkill_rate=words.overkill,
        seed=words.seed,
        source={"data": words.data.resolve().name, "split": dataset.split_by, "fit": words.fit},
        replace=words.overwrite,
    )
    read = len(pictures.val) + sum(picture.good or words.masks for picture in pictures.train)
    with fitting_progress(read, order.steps, words.output) as bars:
        trained = train_segment(
            words.output,
            order,
            pictures,
            read=source.read,
            read_mask=source.read_mask,
            listing=dataset.listing(),
            tick=bars.tick,
            report=bars.report,
        )
    sheet = words.sheet or words.output.with_name(f"{words.output.name}-network.png")
    picture_written(contact_sheet(trained, source.pixel_format), sheet)
    rows_printed(_summary(trained, dataset))


def _summary(trained: TrainedSegment, dataset: Dataset) -> dict[str, str]:
    package, made = trained.package, trained.made
    fitted, gathered = made.fitted, made.gathered
    record = package.manifest.training
    counts, threshold, network = record["pictures"], record["threshold"], record["network"]
    columns, rows = package.manifest.input.size_px or (0, 0)
    rows_of = {
        "package": f"{package.folder}, revision {package.identity.revision}, {package.identity.sha256[:12]}",
        "pictures": f"{counts['train_good']} good and {counts['train_bad_with_mask']} bad learned from; checked on "
        f"{counts['checked_are']}; split by {dataset.split_by}; {len(dataset.of('test'))} of test not opened",
        "looks at": f"{columns}x{rows} px in {package.manifest.input.pixel_format}; {network['parameters']:,} "
        "parameters",
        "fit": f"{fitted.steps} steps in {fitted.seconds:.0f} s on {made.device}, ended by {fitted.ended_by}; "
        f"kept is step {fitted.best_step}" + (f"; resumed at {fitted.resumed_at}" if fitted.resumed_at else ""),
        "curves": f"{package.folder / record['fit']['curves']}",
        "threshold": f"{package.threshold:g}: {package.manifest.threshold.set_by}",
        "checked": f"{threshold['good_at_or_above']} of {counts['checked_good']} good ones rejected, "
        f"{threshold['bad_below']} of {counts['checked_bad']} bad ones passed; {_best(threshold)}",
        "time": f"{milliseconds(package, trained.reference):.1f} ms a frame on one core of this machine",
        "next": f"lineside models verify {package.folder}, then name it in a recipe",
    }
    if gathered.without_mask:
        rows_of["no mask"] = f"not learned from: {', '.join(gathered.without_mask)}"
    if gathered.lost:
        rows_of["not found"] = f"no part in {', '.join(gathered.lost)}: not learned from"
    return rows_of


def _best(threshold: dict[str, Any]) -> str:
    auroc = max(threshold["auroc_by_share"].values(), default=np.nan)
    return f"AUROC {auroc:.3f}, best F1 of pixels {threshold['best_f1_of_pixels']}"
