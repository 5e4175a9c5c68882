"""Options that commands of `lineside train` share, and what is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lineside.commands.train_bank import LocateBy, Slack
from lineside.commands.train_words import known_fit, parsed_size
from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat

if TYPE_CHECKING:
    from lineside.train.backbone_file import Backbone
    from lineside.train.dataset import Dataset, TrainingSet
    from lineside.train.training_images import ImageSource

__all__ = [
    "ByClassData",
    "Device",
    "FileFormat",
    "Fit",
    "Format",
    "Group",
    "Id",
    "Licence",
    "Locate",
    "LocateBox",
    "LocateWay",
    "LongSide",
    "Minutes",
    "NetworkName",
    "Output",
    "Overkill",
    "Overwrite",
    "Resume",
    "Revision",
    "Seed",
    "Sheet",
    "Size",
    "Slack",
    "TestShare",
    "ValShare",
    "Weights",
    "backbone_of",
    "device_said",
    "first_needed",
    "good_needed",
    "picture_written",
    "rows_printed",
    "source_of",
]

ByClassData = Annotated[Path, typer.Argument(help="Folder with split.csv, or with defect/<class>/ and good/.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder of the new package, models/<name>.")]
Locate = Annotated[bool, typer.Option("--locate", help="Parts move or turn in the picture: find each one first.")]
LocateWay = Annotated[
    LocateBy, typer.Option(help="How: outline (on even ground), round (unrolled), edges, or what fits the pictures.")
]
LocateBox = Annotated[
    str, typer.Option(help="X,Y,WIDTH,HEIGHT in px of the part in the first good picture; then it is found by edges.")
]
Format = Annotated[
    PixelFormat | None, typer.Option(help="What the camera sends; left out, what the first picture holds.")
]
FileFormat = Annotated[PixelFormat | None, typer.Option(help="What the files hold, where that is something else.")]
Size = Annotated[str, typer.Option(help="WIDTHxHEIGHT in px; left out, that of the first picture.")]
Fit = Annotated[str, typer.Option(help="Pictures of another size: refuse, pad, crop or resize.")]
LongSide = Annotated[
    int, typer.Option(min=0, help="Look at pictures of so many px along the long side; 0: some 65,000 px in all.")
]
Overkill = Annotated[
    float, typer.Option(min=0, max=0.5, help="Share of good parts, not learned from, that may be rejected.")
]
NetworkName = Annotated[
    str, typer.Option("--network", help="small, or a name of torchvision: resnet18, mobilenet_v3_small, …")
]
Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        exists=True,
        dir_okay=False,
        help="File of weights: of `lineside train backbone`, or of torchvision with --network.",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda. auto takes CUDA where torch finds it, and says so.")]
Minutes = Annotated[
    float, typer.Option(min=0.0, help="The fit ends after so long, whatever steps are left; 0: no such limit.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with a training that was stopped or killed.")]
Group = Annotated[str, typer.Option(help="Regular expression: what it finds in file names is the part's own number.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the split (without split.csv) and of all that is drawn.")]
ValShare = Annotated[float, typer.Option(min=0, max=0.9, help="Kept for val, without split.csv.")]
TestShare = Annotated[float, typer.Option(min=0, max=0.9, help="Kept for test, without split.csv.")]
Id = Annotated[str, typer.Option("--id", help="Id of the package; left out, its folder's name.")]
Revision = Annotated[int, typer.Option(min=1, help="Revision of the package.")]
Licence = Annotated[str, typer.Option(help="Licence of the package.")]
Sheet = Annotated[Path | None, typer.Option(help="PNG for people; left out, beside the package.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there, unfinished trainings too.")]


def good_needed(pictures: TrainingSet, data: Path) -> Path:
    """The first good picture. Raises: ConfigError where there is none."""
    if not pictures.good:
        raise ConfigError(
            f"no good picture in the split train of {data}",
            expected="good parts to learn from",
            remedy="add some, or lower --val-share and --test-share",
        )
    return pictures.good[0].path


def first_needed(pictures: TrainingSet, data: Path) -> Path:
    """The first picture, good or not. Raises: ConfigError where there is none."""
    if not pictures.train:
        raise ConfigError(f"no picture in the split train of {data}", expected="pictures of each class")
    return pictures.train[0].path


def source_of(
    first: Path, size: str, fit: str, pixel_format: PixelFormat | None, file_pixel_format: PixelFormat | None
) -> ImageSource:
    """What the pictures are declared to be; the first one says what is left out. Raises: ConfigError."""
    from lineside.train.training_images import ImageSource, format_of, size_of

    return ImageSource(
        pixel_format=pixel_format or format_of(first),
        size_px=parsed_size(size) if size else size_of(first),
        fit=known_fit(fit),
        file_pixel_format=file_pixel_format,
    )


def backbone_of(weights: Path | None, network: str, dataset: Dataset) -> Backbone:
    """From the file, or downloaded by torchvision. Raises: ConfigError, also for one that has seen val or test."""
    from lineside.train.backbone_file import downloaded_backbone, read_backbone, refuse_learned

    if weights is None:
        return downloaded_backbone(network or "resnet18")
    backbone = read_backbone(weights, network)
    refuse_learned(backbone, dataset)
    return backbone


def device_said(device: str, threads: int = 0) -> None:
    """On stderr, before the work. Raises: ConfigError."""
    from lineside.train.device import chosen_device

    Console(stderr=True, highlight=False).print(f"trains on {chosen_device(device, threads).name}", markup=False)


def picture_written(picture: bytes, path: Path) -> None:
    """Writes it and says where."""
    path.write_bytes(picture)
    rows_printed({"picture": str(path)})


def rows_printed(rows: dict[str, str]) -> None:
    """A name and a text in each row, as the commands that train print them."""
    console = Console(highlight=False, soft_wrap=True)
    for name, text in rows.items():
        console.print(f"{name:>10}  {text}", markup=False)
