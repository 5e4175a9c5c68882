"""`lineside train classify`: a network that tells classes of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lineside.commands import train_options as opt
from lineside.commands.train_words import fitting_progress, locate_order, milliseconds, package_name, refuse_existing

if TYPE_CHECKING:
    from lineside.train.class_package import TrainedClasses
    from lineside.train.dataset import Dataset

__all__ = ["classify"]

_MOST_TOLD = 8


def classify(
    *,
    data: opt.ByClassData,
    output: opt.Output,
    weights: opt.Weights = None,
    network: opt.NetworkName = "",
    no_defect: Annotated[
        list[str] | None, typer.Option(help="A class below defect/ that is no defect; may be said several times.")
    ] = None,
    locate: opt.Locate = False,
    locate_by: opt.LocateWay = "auto",
    locate_box: opt.LocateBox = "",
    pixel_format: opt.Format = None,
    file_pixel_format: opt.FileFormat = None,
    size: opt.Size = "",
    fit: opt.Fit = "refuse",
    long_side: opt.LongSide = 0,
    overkill: opt.Overkill = 0.05,
    device: opt.Device = "auto",
    steps: Annotated[int, typer.Option(min=1, help="Steps of the fit, at most; 32 pictures each.")] = 1500,
    patience: Annotated[
        int, typer.Option(min=0, help="End after so many checks (15 in a whole fit) without a better one; 0: never.")
    ] = 0,
    minutes: opt.Minutes = 0,
    resume: opt.Resume = False,
    group: opt.Group = "",
    seed: opt.Seed = 0,
    val_share: opt.ValShare = 0.2,
    test_share: opt.TestShare = 0.2,
    package_id: opt.Id = "",
    revision: opt.Revision = 1,
    licence: opt.Licence = "proprietary",
    overwrite: opt.Overwrite = False,
) -> None:
    """Make a package that tells classes of pictures apart: good parts and kinds of defects, or kinds of defects alone.

    Needs the extra train. Without --weights the network learns from scratch. Every class but good and those of
    --no-defect is a defect. Pictures of test are not opened; what is kept of the fit and the limit are chosen on val.
    Exit codes: 0 done, 2 wrong declaration, 130 stopped: --resume goes on.
    """
    from lineside.train.torch_extra import require_torch

    require_torch("lineside train classify")
    refuse_existing(output, overwrite=overwrite)
    from lineside.train.checkpoint import refuse_checkpoint
    from lineside.train.class_data import gather_classes
    from lineside.train.class_order import ClassOrder
    from lineside.train.class_package import train_classes
    from lineside.train.dataset import SplitOrder, read_dataset

    if not resume:
        refuse_checkpoint(output, overwrite=overwrite)
    split = SplitOrder(seed=seed, val_share=val_share, test_share=test_share, group_pattern=group)
    dataset = read_dataset(data, split, good_needed=False)
    pictures = dataset.for_training()
    source = opt.source_of(opt.first_needed(pictures, data), size, fit, pixel_format, file_pixel_format)
    backbone = None if weights is None else opt.backbone_of(weights, network, dataset)
    order = ClassOrder(
        id=package_name(package_id, output),
        revision=revision,
        licence=licence,
        pixel_format=source.pixel_format,
        size_px=source.size_px,
        network=network or ("small" if backbone is None else backbone.kind.name),
        no_defects=tuple(no_defect or ()),
        long_side_px=long_side,
        locate=locate_order(locate_by, locate_box, wanted=locate),
        device=device,
        steps=steps,
        patience=patience,
        minutes=minutes,
        resume=resume,
        overkill_rate=overkill,
        seed=seed,
        source={"data": data.resolve().name, "split": dataset.split_by, "fit": fit},
        replace=overwrite,
    )
    opt.device_said(device)
    with fitting_progress(len(pictures.train) + len(pictures.val), steps, output) as bars:
        by_class = gather_classes(
            pictures,
            pixel_format=source.pixel_format,
            long_side_px=long_side,
            locate=order.locate,
            no_defects=order.no_defects,
            seed=seed,
            read=source.read,
            tick=bars.tick,
        )
        trained = train_classes(
            output,
            order,
            by_class,
            pictures,
            read=source.read,
            listing=dataset.listing(),
            backbone=backbone,
            report=bars.report,
        )
    _summary(trained, dataset)


def _summary(trained: TrainedClasses, dataset: Dataset) -> None:
    from lineside.train.class_sheet import CONFUSION_RECORD
    from lineside.train.curves import CURVES_RECORD

    package, fitted = trained.package, trained.fitted
    network = package.manifest.training["network"]
    columns, rows = package.manifest.input.size_px or (0, 0)
    told = "; ".join(f"{name} is {right}, taken for {said}" for name, right, said in trained.wrong[:_MOST_TOLD])
    more = f"; and {len(trained.wrong) - _MOST_TOLD} more" if len(trained.wrong) > _MOST_TOLD else ""
    lines = {
        "package": f"{package.folder}, revision {package.identity.revision}, {package.identity.sha256[:12]}",
        "pictures": f"split by {dataset.split_by}; {len(dataset.of('test'))} of test not opened",
        "classes": f"{', '.join(trained.classes)}; defects: {', '.join(package.manifest.output.finding_classes)}",
        "network": f"{network['name']}, {network['parameters']:,} parameters, on {columns}x{rows} px",
        "fit": f"{fitted.steps} steps in {fitted.seconds:.0f} s on {trained.device}; ended by {fitted.ended_by}; "
        f"step {fitted.best_step} was kept" + (f"; resumed at {fitted.resumed_at}" if fitted.resumed_at else ""),
        "accuracy": f"{trained.accuracy:.3f} of {trained.held_out}",
        "threshold": f"{package.threshold:.3g}: {package.manifest.threshold.set_by}",
        "pictures of it": f"{package.folder / CONFUSION_RECORD}, {package.folder / CURVES_RECORD}",
        "time": f"{milliseconds(package, trained.reference):.1f} ms a frame on one core of this machine",
        "next": f"lineside models verify {package.folder}, then name it in a recipe",
    }
    if told:
        lines["wrong"] = told + more
    if trained.lost:
        lines["not found"] = f"no part in {', '.join(trained.lost)}: not learned from"
    opt.rows_printed(lines)
