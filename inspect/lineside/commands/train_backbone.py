"""`lineside train backbone`: weights for `lineside train patch` and `classify`, from the user's own good pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineside.commands import train_options as opt
from lineside.commands.train_words import fitting_progress, locate_order, refuse_existing

if TYPE_CHECKING:
    from lineside.train.backbone_package import Studied, TrainedBackbone
    from lineside.train.dataset import Dataset
    from lineside.train.fitting import Fitted

__all__ = ["backbone"]


def backbone(
    *,
    data: Annotated[Path, typer.Argument(help="Folder with split.csv, or with good/; nothing but good parts is used.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File of the new backbone, <name>.pt.")],
    network: opt.NetworkName = "small",
    locate: opt.Locate = False,
    locate_by: opt.LocateWay = "auto",
    locate_box: opt.LocateBox = "",
    pixel_format: opt.Format = None,
    file_pixel_format: opt.FileFormat = None,
    size: opt.Size = "",
    fit: opt.Fit = "refuse",
    long_side: opt.LongSide = 0,
    device: opt.Device = "auto",
    steps: Annotated[int, typer.Option(min=1, help="Steps of the fit, at most; 16 crops each.")] = 1000,
    patience: Annotated[
        int, typer.Option(min=0, help="End after so many checks (10 in a whole fit) without a better one; 0: never.")
    ] = 0,
    minutes: opt.Minutes = 0,
    resume: opt.Resume = False,
    group: opt.Group = "",
    seed: opt.Seed = 0,
    val_share: opt.ValShare = 0.2,
    test_share: opt.TestShare = 0.2,
    sheet: Annotated[Path | None, typer.Option(help="PNG with the curves; left out, beside the file.")] = None,
    overwrite: opt.Overwrite = False,
) -> None:
    """Make weights for `lineside train patch --weights` from good parts: the network learns to see places alike
    under any lamp, and unlike one another.

    Needs the extra train, and nothing from outside. Only good pictures of train are opened. The file carries the hashes
    of the pictures, so that it is not used on others that are kept to find out how good a model is.
    Exit codes: 0 done, 2 wrong declaration, 130 stopped: --resume goes on.
    """
    from lineside.train.torch_extra import require_torch

    require_torch("lineside train backbone")
    refuse_existing(output, overwrite=overwrite)
    from lineside.train.backbone_package import BackboneOrder, gather_good, train_backbone
    from lineside.train.checkpoint import refuse_checkpoint
    from lineside.train.dataset import SplitOrder, read_dataset
    from lineside.train.networks import known_network

    if not resume:
        refuse_checkpoint(output, overwrite=overwrite)
    dataset = read_dataset(data, SplitOrder(seed=seed, val_share=val_share, test_share=test_share, group_pattern=group))
    pictures = dataset.for_training()
    source = opt.source_of(opt.good_needed(pictures, data), size, fit, pixel_format, file_pixel_format)
    order = BackboneOrder(
        pixel_format=source.pixel_format,
        size_px=source.size_px,
        network=known_network(network).name,
        long_side_px=long_side,
        locate=locate_order(locate_by, locate_box, wanted=locate),
        device=device,
        steps=steps,
        patience=patience,
        minutes=minutes,
        resume=resume,
        seed=seed,
        source={"data": data.resolve().name, "split": dataset.split_by, "fit": fit},
    )
    opt.device_said(device)
    with fitting_progress(len(pictures.good), steps, output) as bars:
        studied = gather_good(pictures, order, read=source.read, tick=bars.tick)
        trained = train_backbone(output, order, studied, report=bars.report)
    _draw(trained, sheet or output.with_name(f"{output.stem}-curves.png"))
    _summary(trained, studied, dataset, output)


def _draw(trained: TrainedBackbone, sheet: Path) -> None:
    from lineside.train.curves import encoded_curves

    fitted = trained.fitted
    curves = [
        ("Loss (mean since the last check)", [(check.step, check.loss) for check in fitted.checks]),
        ("The same on pictures not learned from, below nought", [(check.step, check.score) for check in fitted.checks]),
    ]
    opt.picture_written(encoded_curves(curves, fitted.best_step), sheet)


def _summary(trained: TrainedBackbone, studied: Studied, dataset: Dataset, output: Path) -> None:
    from lineside.train.networks import parameters_of
    from lineside.train.patch_features import stages_of

    fitted, made = trained.fitted, trained.backbone
    score = fitted.checks[-1].score if fitted.checks else float("nan")
    parameters = parameters_of(stages_of(made.kind))
    lines = {
        "backbone": f"{output}, {made.kind.name}, {parameters:,} parameters, {made.sha256[:12]}",
        "pictures": f"{len(studied.learned)} good ones learned from, {len(studied.checked)} kept back to check on; "
        f"split by {dataset.split_by}; {len(dataset.of('val')) + len(dataset.of('test'))} of val and test not opened",
        "fit": f"{fitted.steps} steps in {fitted.seconds:.0f} s on {trained.device}; ended by {fitted.ended_by}; "
        f"step {fitted.best_step} was kept{_resumed(fitted)}; loss on pictures kept back {-score:.3f}",
        "next": f"lineside train patch DATA -o models/NAME --weights {output}",
    }
    if studied.lost:
        lines["not found"] = f"no part in {', '.join(studied.lost)}: not learned from"
    opt.rows_printed(lines)


def _resumed(fitted: Fitted) -> str:
    return f"; resumed at {fitted.resumed_at}" if fitted.resumed_at else ""
