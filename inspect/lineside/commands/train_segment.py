"""`lineside train segment` and `lineside train synthetic`: a small network that marks where a part has a defect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console

from lineside.commands.train_bank import LocateBy
from lineside.commands.train_words import (
    fitting_progress,
    known_fit,
    locate_order,
    milliseconds,
    parsed_size,
    refuse_existing,
)
from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat

if TYPE_CHECKING:
    from lineside.train.dataset import Dataset
    from lineside.train.segment_package import TrainedSegment

__all__ = ["segment", "synthetic"]

_Data = Annotated[Path, typer.Argument(help="Folder with split.csv, or with good/, defect/<class>/ and masks/.")]
_Output = Annotated[Path, typer.Option("--output", "-o", help="Folder of the new package, models/<name>.")]
_Locate = Annotated[bool, typer.Option("--locate", help="Parts move or turn in the picture: find each one first.")]
_LocateBy = Annotated[
    LocateBy, typer.Option(help="How: outline (on even ground), round (unrolled), edges, or what fits the pictures.")
]
_LocateBox = Annotated[
    str, typer.Option(help="X,Y,WIDTH,HEIGHT in px of the part in the first good picture; then it is found by edges.")
]
_Format = Annotated[
    PixelFormat | None, typer.Option(help="What the camera sends; left out, what the first picture holds.")
]
_FileFormat = Annotated[PixelFormat | None, typer.Option(help="What the files hold, where that is something else.")]
_Size = Annotated[str, typer.Option(help="WIDTHxHEIGHT in px; left out, that of the first picture.")]
_Fit = Annotated[str, typer.Option(help="Pictures of another size: refuse, pad, crop or resize.")]
_LongSide = Annotated[
    int, typer.Option(min=0, help="Look at pictures of so many px along the long side; 0: some 150,000 px in all.")
]
_Overkill = Annotated[float, typer.Option(min=0, max=0.5, help="Share of good parts that may be rejected.")]
_Device = Annotated[str, typer.Option(help="auto, cpu or cuda. auto takes CUDA where torch finds it, and says so.")]
_Threads = Annotated[
    int, typer.Option(min=0, help="Of the CPU, for the fit; more are slower where the cores are not idle. 0: all.")
]
_Steps = Annotated[int, typer.Option(min=1, help="Steps of the fit, at most; 16 crops each.")]
_Patience = Annotated[
    int, typer.Option(min=0, help="End after so many checks (10 in a whole fit) without a better one; 0: never.")
]
_Minutes = Annotated[
    float, typer.Option(min=0.0, help="The fit ends after so long, whatever steps are left; 0: no such limit.")
]
_Resume = Annotated[bool, typer.Option("--resume", help="Go on with a training that was stopped or killed.")]
_Group = Annotated[str, typer.Option(help="Regular expression: what it finds in file names is the part's own number.")]
_Seed = Annotated[int, typer.Option(min=0, help="Of the split (without split.csv) and of all that is drawn.")]
_ValShare = Annotated[float, typer.Option(min=0, max=0.9, help="Kept for val, without split.csv.")]
_TestShare = Annotated[float, typer.Option(min=0, max=0.9, help="Kept for test, without split.csv.")]
_Id = Annotated[str, typer.Option("--id", help="Id of the package; left out, its folder's name.")]
_Revision = Annotated[int, typer.Option(min=1, help="Revision of the package.")]
_Licence = Annotated[str, typer.Option(help="Licence of the package.")]
_Sheet = Annotated[Path | None, typer.Option(help="PNG for people; left out, beside the package.")]
_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there, unfinished trainings too.")]


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
        output: _Output,
        locate: _Locate = False,
        locate_by: _LocateBy = "auto",
        locate_box: _LocateBox = "",
        pixel_format: _Format = None,
        file_pixel_format: _FileFormat = None,
        size: _Size = "",
        fit: _Fit = "refuse",
        long_side: _LongSide = 0,
        overkill: _Overkill = 0.05,
        device: _Device = "auto",
        threads: _Threads = 1,
        steps: _Steps = 800,
        patience: _Patience = 5,
        minutes: _Minutes = 0,
        resume: _Resume = False,
        group: _Group = "",
        seed: _Seed = 0,
        val_share: _ValShare = 0.2,
        test_share: _TestShare = 0.2,
        package_id: _Id = "",
        revision: _Revision = 1,
        licence: _Licence = "proprietary",
        sheet: _Sheet = None,
        overwrite: _Overwrite = False,
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
    from lineside.train.device import chosen_device
    from lineside.train.segment_package import SegmentOrder, train_segment
    from lineside.train.training_images import ImageSource, format_of, size_of

    refuse_existing(words.output, overwrite=words.overwrite)
    if not words.resume:
        refuse_checkpoint(words.output, overwrite=words.overwrite)
    split = SplitOrder(
        seed=words.seed, val_share=words.val_share, test_share=words.test_share, group_pattern=words.group
    )
    dataset = read_dataset(words.data, split)
    pictures = dataset.for_training()
    if not pictures.good:
        raise ConfigError(
            f"no good picture in the split train of {words.data}",
            expected="good parts to learn from",
            remedy="add some, or lower --val-share and --test-share",
        )
    first = pictures.good[0].path
    source = ImageSource(
        pixel_format=words.pixel_format or format_of(first),
        size_px=parsed_size(words.size) if words.size else size_of(first),
        fit=known_fit(words.fit),
        file_pixel_format=words.file_pixel_format,
    )
    order = SegmentOrder(
        id=words.package_id or words.output.resolve().name,
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
    Console(stderr=True, highlight=False).print(
        f"trains on {chosen_device(words.device, words.threads).name}", markup=False
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
    _draw(trained, words.sheet or words.output.with_name(f"{words.output.name}-network.png"))
    _summary(trained, dataset)


def _draw(trained: TrainedSegment, sheet: Path) -> None:
    import cv2

    from lineside.train.segment_sheet import contact_sheet

    picture = contact_sheet(trained, trained.package.manifest.input.pixel_format)
    sheet.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    Console(highlight=False, soft_wrap=True).print(f"{'picture':>10}  {sheet}", markup=False)


def _summary(trained: TrainedSegment, dataset: Dataset) -> None:
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
    console = Console(highlight=False, soft_wrap=True)
    for name, text in rows_of.items():
        console.print(f"{name:>10}  {text}", markup=False)


def _best(threshold: dict[str, object]) -> str:
    compared = threshold["auroc_by_share"]
    auroc = max(compared.values()) if isinstance(compared, dict) and compared else np.nan
    return f"AUROC {auroc:.3f}, best F1 of pixels {threshold['best_f1_of_pixels']}"
