"""`lineside train bank`: the detector to begin with, from good pictures, in seconds and without torch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import typer
from rich.console import Console

from lineside.commands.train_words import (
    known_fit,
    locate_order,
    milliseconds,
    package_name,
    parsed_size,
    progress,
    refuse_existing,
    said_of_scale,
    said_of_use,
)
from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat

if TYPE_CHECKING:
    from lineside.train.bank_package import TrainedBank
    from lineside.train.dataset import Dataset

__all__ = ["LocateBy", "Slack", "bank", "demo_plate"]

LocateBy = Literal["auto", "outline", "round", "edges"]

Slack = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=4,
        help="What is seen may be so many places (8 px) away from where it belongs; left out, 2 with --locate, else 0.",
    ),
]


def bank(
    *,
    data: Annotated[Path, typer.Argument(help="Folder with split.csv, or with good/ and, if there are any, defect/.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the new package, models/<name>.")],
    locate: Annotated[
        bool, typer.Option("--locate", help="Parts move or turn in the picture: find each one first.")
    ] = False,
    locate_by: Annotated[
        LocateBy,
        typer.Option(help="How: outline (on even ground), round (unrolled), edges, or what fits the pictures."),
    ] = "auto",
    locate_box: Annotated[
        str,
        typer.Option(help="X,Y,WIDTH,HEIGHT in px of the part in the first good picture; then it is found by edges."),
    ] = "",
    pixel_format: Annotated[
        PixelFormat | None, typer.Option(help="What the camera sends; left out, what the first picture holds.")
    ] = None,
    file_pixel_format: Annotated[
        PixelFormat | None, typer.Option(help="What the files hold, where that is something else.")
    ] = None,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT in px; left out, that of the first picture.")] = "",
    fit: Annotated[str, typer.Option(help="Pictures of another size: refuse, pad, crop or resize.")] = "refuse",
    even_contrast: Annotated[
        bool | None,
        typer.Option(
            help="Divide brightness by its spread nearby; left out, what bad parts say, else only with --locate."
        ),
    ] = None,
    long_side: Annotated[
        int, typer.Option(min=0, help="Look at pictures of so many px along the long side; 0: some 150,000 px in all.")
    ] = 0,
    slack: Slack = None,
    overkill: Annotated[
        float,
        typer.Option(min=0, max=0.5, help="Share of held-out good parts that may be rejected."),
    ] = 0.05,
    group: Annotated[
        str, typer.Option(help="Regular expression: what it finds in file names is the part's own number.")
    ] = "",
    seed: Annotated[int, typer.Option(min=0, help="Of the split (without split.csv) and of all that is drawn.")] = 0,
    val_share: Annotated[float, typer.Option(min=0, max=0.9, help="Kept for val, without split.csv.")] = 0.2,
    test_share: Annotated[float, typer.Option(min=0, max=0.9, help="Kept for test, without split.csv.")] = 0.2,
    minutes: Annotated[
        float, typer.Option(min=0.0, help="Begin nothing more after so long; 0: as long as it takes.")
    ] = 0,
    package_id: Annotated[str, typer.Option("--id", help="Id of the package; left out, its folder's name.")] = "",
    revision: Annotated[int, typer.Option(min=1, help="Revision of the package.")] = 1,
    licence: Annotated[str, typer.Option(help="Licence of the package.")] = "proprietary",
    sheet: Annotated[Path | None, typer.Option(help="PNG for people; left out, beside the package.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a package that is there.")] = False,
) -> None:
    """Make an anomaly-map package from good parts: what fixed filters see at every place, and how much it varies.

    Pictures of test are not opened. The limit comes from good pictures, each scored by a model made without it, and
    where there are bad ones from these too: they are not learned from.
    """
    from lineside.train.bank import BankSettings
    from lineside.train.bank_package import BankOrder, train_bank
    from lineside.train.dataset import SplitOrder, read_dataset
    from lineside.train.training_images import ImageSource, format_of, size_of

    begun = time.monotonic()
    refuse_existing(output, overwrite=overwrite)
    dataset = read_dataset(data, SplitOrder(seed=seed, val_share=val_share, test_share=test_share, group_pattern=group))
    pictures = dataset.for_training()
    if not pictures.good:
        raise ConfigError(
            f"no good picture in the split train of {data}",
            expected="good parts to learn from",
            remedy="add some, or lower --val-share and --test-share",
        )
    first = pictures.good[0].path
    size_px = parsed_size(size) if size else size_of(first)
    source = ImageSource(
        pixel_format=pixel_format or format_of(first),
        size_px=size_px,
        fit=known_fit(fit),
        file_pixel_format=file_pixel_format,
    )
    order_of_locating = locate_order(locate_by, locate_box, wanted=locate)
    finds = order_of_locating is not None
    wishes = (even_contrast,) if even_contrast is not None else (finds, not finds)
    order = BankOrder(
        id=package_name(package_id, output),
        revision=revision,
        licence=licence,
        pixel_format=source.pixel_format,
        size_px=size_px,
        long_side_px=long_side,
        locate=order_of_locating,
        candidates=tuple(BankSettings(even_contrast=wish) for wish in wishes),
        slack=slack,
        overkill_rate=overkill,
        seed=seed,
        source={"data": data.resolve().name, "split": dataset.split_by, "fit": fit},
        in_time=lambda: not minutes or time.monotonic() - begun < minutes * 60,
        replace=overwrite,
    )
    steps = len(pictures.train) + len(pictures.val) + len(order.candidates)
    with progress(steps, "Looking at good parts") as tick:
        trained = train_bank(output, order, pictures, read=source.read, listing=dataset.listing(), tick=tick)
    _draw(trained, sheet or output.with_name(f"{output.name}-bank.png"))
    _summary(trained, dataset)


def demo_plate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the package.")] = Path("models/demo-plate"),
    sheet: Annotated[Path | None, typer.Option(help="PNG for people, as `bank` draws it.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a package that is there.")] = False,
) -> None:
    """Make the shipped package demo-plate again, from rendered parts."""
    from lineside.train.demo_plate import PARTS, demo_parts, train_demo_plate

    refuse_existing(output, overwrite=overwrite)
    with progress(PARTS + 1, "Rendering parts and looking at them") as tick:
        trained = train_demo_plate(output, tick=tick)
    if sheet is not None:
        _draw(trained, sheet)
    _summary(trained, demo_parts())


def _draw(trained: TrainedBank, sheet: Path) -> None:
    import cv2

    from lineside.train.bank_sheet import contact_sheet

    picture = contact_sheet(trained, trained.package.manifest.input.pixel_format)
    sheet.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    Console(highlight=False, soft_wrap=True).print(f"{'picture':>10}  {sheet}", markup=False)


def _summary(trained: TrainedBank, dataset: Dataset) -> None:
    package, scores = trained.package, trained.scores
    record = package.manifest.training
    settings = ", ".join(f"{name} {value}" for name, value in record["settings"].items())
    threshold = record["threshold"]
    columns, rows = package.manifest.input.size_px or (0, 0)
    located = package.manifest.input.locate is not None
    scale = said_of_scale(record, columns, located=located)
    step = package.manifest.input.locate
    found_by = "" if step is None else f"; parts found by {step.kind or 'outline'}"
    rows_of = {
        "package": f"{package.folder}, revision {package.identity.revision}, {package.identity.sha256[:12]}",
        "pictures": f"{len(scores)} good; split by {dataset.split_by}; {len(dataset.of('test'))} of test not opened",
        "looks at": f"{columns}x{rows} px in {package.manifest.input.pixel_format}{scale}; {settings}{found_by}",
        "threshold": f"{package.threshold:g}: {package.manifest.threshold.set_by}",
        "good parts": f"held out, they score {np.median(scores):.2f} in the median, {scores.max():.2f} at most "
        f"({trained.worst}); {threshold['good_at_or_above']} of train and val would be rejected",
        "time": f"{milliseconds(package, trained.worst_frame):.1f} ms a frame on one core of this machine",
        "next": f"lineside models verify {package.folder}, then name it in a recipe",
    }
    rows_of |= said_of_use(record, trained.alike, located=located)
    if trained.lost:
        rows_of["not found"] = f"no part in {', '.join(trained.lost)}: not learned from"
    console = Console(highlight=False, soft_wrap=True)
    for name, text in rows_of.items():
        console.print(f"{name:>10}  {text}", markup=False)
