"""`lineside train patch`: what a network sees at every place of good parts, as an anomaly-map package."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from lineside.commands import train_options as opt
from lineside.commands.train_words import (
    locate_order,
    milliseconds,
    package_name,
    progress,
    refuse_existing,
    said_of_scale,
    said_of_use,
)
from lineside.core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from lineside.train.dataset import Dataset
    from lineside.train.patch_package import TrainedPatch

__all__ = ["patch"]

_MODELS = ("auto", "gaussian", "memory")


def patch(
    *,
    data: opt.ByClassData,
    output: opt.Output,
    weights: opt.Weights = None,
    network: opt.NetworkName = "",
    model: Annotated[
        str,
        typer.Option(
            help="gaussian: one at each place. memory: nearest neighbours. auto: as bad ones say, else gaussian."
        ),
    ] = "auto",
    filters: Annotated[
        bool | None,
        typer.Option(help="The bank's filters beside the network. Left out: as bad ones say; else for gaussian."),
    ] = None,
    dimensions: Annotated[int, typer.Option(min=1, max=512, help="Numbers that are kept of a place.")] = 32,
    remembered: Annotated[int, typer.Option(min=1, max=100_000, help="Places that a memory holds at most.")] = 2000,
    locate: opt.Locate = False,
    locate_by: opt.LocateWay = "auto",
    locate_box: opt.LocateBox = "",
    pixel_format: opt.Format = None,
    file_pixel_format: opt.FileFormat = None,
    size: opt.Size = "",
    fit: opt.Fit = "refuse",
    long_side: opt.LongSide = 0,
    slack: opt.Slack = None,
    overkill: opt.Overkill = 0.05,
    group: opt.Group = "",
    seed: opt.Seed = 0,
    val_share: opt.ValShare = 0.2,
    test_share: opt.TestShare = 0.2,
    minutes: Annotated[
        float, typer.Option(min=0.0, help="Begin nothing more after so long; 0: as long as it takes.")
    ] = 0,
    package_id: opt.Id = "",
    revision: opt.Revision = 1,
    licence: opt.Licence = "proprietary",
    sheet: opt.Sheet = None,
    overwrite: opt.Overwrite = False,
) -> None:
    """Make an anomaly-map package from good parts: what a frozen network sees of them, place by place.

    Needs the extra train, and weights: from --weights, or downloaded by torchvision (resnet18 unless --network says
    otherwise). Pictures of test are not opened. The limit comes from good pictures, each scored by a model made without
    it, and from bad ones of train and val, which are not learned from.
    """
    from lineside.train.torch_extra import require_torch

    require_torch("lineside train patch")
    begun = time.monotonic()
    refuse_existing(output, overwrite=overwrite)
    if model not in _MODELS:
        raise ConfigError(f"--model {model}", expected=", ".join(_MODELS))
    from lineside.train.dataset import SplitOrder, read_dataset
    from lineside.train.patch_order import PatchOrder, candidates
    from lineside.train.patch_package import train_patch

    dataset = read_dataset(data, SplitOrder(seed=seed, val_share=val_share, test_share=test_share, group_pattern=group))
    pictures = dataset.for_training()
    source = opt.source_of(opt.good_needed(pictures, data), size, fit, pixel_format, file_pixel_format)
    order = PatchOrder(
        id=package_name(package_id, output),
        revision=revision,
        licence=licence,
        pixel_format=source.pixel_format,
        size_px=source.size_px,
        long_side_px=long_side,
        locate=locate_order(locate_by, locate_box, wanted=locate),
        candidates=tuple(
            replace(each, dimensions=dimensions, remembered=remembered) for each in candidates(model, filters=filters)
        ),
        slack=slack,
        overkill_rate=overkill,
        seed=seed,
        source={"data": data.resolve().name, "split": dataset.split_by, "fit": fit},
        in_time=lambda: not minutes or time.monotonic() - begun < minutes * 60,
        replace=overwrite,
    )
    backbone = opt.backbone_of(weights, network, dataset)
    kinds = len({each.filters for each in order.candidates})
    steps = (1 + kinds) * (len(pictures.train) + len(pictures.val)) + len(order.candidates)
    with progress(steps, "Looking at good parts") as tick:
        trained = train_patch(output, order, backbone, pictures, read=source.read, listing=dataset.listing(), tick=tick)
    _draw(trained, sheet or output.with_name(f"{output.name}-patch.png"))
    _summary(trained, dataset)


def _draw(trained: TrainedPatch, sheet: Path) -> None:
    import cv2

    from lineside.train.patch_sheet import contact_sheet

    picture = contact_sheet(trained, trained.package.manifest.input.pixel_format)
    opt.picture_written(cv2.imencode(".png", picture)[1].tobytes(), sheet)


def _summary(trained: TrainedPatch, dataset: Dataset) -> None:
    package, scores = trained.package, trained.scores
    record = package.manifest.training
    settings = ", ".join(f"{name} {value}" for name, value in record["settings"].items())
    columns, rows = package.manifest.input.size_px or (0, 0)
    located = package.manifest.input.locate is not None
    scale = said_of_scale(record, columns, located=located)
    backbone, network = record["backbone"], record["network"]
    lines = {
        "package": f"{package.folder}, revision {package.identity.revision}, {package.identity.sha256[:12]}",
        "pictures": f"{len(scores)} good; split by {dataset.split_by}; {len(dataset.of('test'))} of test not opened",
        "network": f"{backbone['network']}, weights {backbone['weights']}, {network['parameters']:,} parameters",
        "looks at": f"{columns}x{rows} px in {package.manifest.input.pixel_format}{scale}; {settings}",
        "threshold": f"{package.threshold:g}: {package.manifest.threshold.set_by}",
        "good parts": f"held out, they score {np.median(scores):.2f} in the median, {scores.max():.2f} at most "
        f"({trained.worst}); {record['threshold']['good_at_or_above']} of train and val would be rejected",
        "time": f"{milliseconds(package, trained.worst_frame):.1f} ms a frame on one core of this machine",
        "next": f"lineside models verify {package.folder}, then name it in a recipe",
    }
    lines |= said_of_use(record, trained.alike, located=located)
    if trained.lost:
        lines["not found"] = f"no part in {', '.join(trained.lost)}: not learned from"
    opt.rows_printed(lines)
