"""From pictures of good parts to a model package, in one call."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx

from lineside import __version__
from lineside.core.errors import ConfigError
from lineside.core.frame import Pixels, check_pixels
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.manifest import AnomalyMapOutput, InputSpec, Threshold
from lineside.detectors.package import ModelPackage, PackageDraft, write_package
from lineside.train.template import Planes, Template, TemplateSettings, anomaly_map, fit_template, reduced
from lineside.train.template_graph import INPUT, MAP, template_graph

__all__ = ["TemplateOrder", "TrainedTemplate", "train_template"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TemplateOrder:
    """What is to be made. `source` goes into the training record: where the pictures come from, how they were read."""

    id: str
    revision: int = 1
    licence: str
    pixel_format: PixelFormat
    size_px: tuple[int, int]
    settings: TemplateSettings
    source: Mapping[str, Any]
    replace: bool = False


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrainedTemplate:
    """The package, the template in it, and the good image that fits it worst."""

    package: ModelPackage
    template: Template
    worst_image: Pixels
    worst_index: int

    @property
    def worst_map(self) -> Planes:
        return anomaly_map(self.template, reduced(self.worst_image, self.template.reduce))


def train_template(
    folder: Path,
    order: TemplateOrder,
    *,
    count: int,
    read: Callable[[int], Pixels],
    tick: Callable[[], None] = lambda: None,
) -> TrainedTemplate:
    """Makes the package from `count` images that `read(index)` returns; the few that are needed again are read again.

    `tick` is called once for each image and for each of `folds` + 1 templates. Raises: ConfigError, PackageError.
    """
    _check_reduction(order)
    planes, digest = [], hashlib.sha256()
    for index in range(count):
        pixels = read(index)
        check_pixels(pixels, order.pixel_format)
        digest.update(hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).digest())
        planes.append(reduced(pixels, order.settings.reduce))
        tick()
    # 10- to 16-bit frames are counted in levels of 255 too, so that rounding and floors mean the same.
    scale = 255 / order.pixel_format.max_value
    template = fit_template([image * np.float32(scale) for image in planes], order.settings, tick=tick)
    template = replace(template, centre=template.centre / np.float32(scale), spread=template.spread / np.float32(scale))
    worst = int(np.argmax(template.held_out_scores))
    package = write_package(
        folder,
        graph=template_graph(template, order.pixel_format, *order.size_px),
        draft=_draft(order, template, count, digest.hexdigest()),
        reference_inputs=_references(read, worst),
        replace=order.replace,
    )
    return TrainedTemplate(package=package, template=template, worst_image=read(worst), worst_index=worst)


def _references(read: Callable[[int], Pixels], worst: int) -> Sequence[Pixels]:
    """The first and the worst good image, and the first with a dark corner: an answer on either side of the limit."""
    spoiled = read(0).copy()
    spoiled[: spoiled.shape[0] // 4, : spoiled.shape[1] // 4] //= 4
    return [read(index) for index in sorted({0, worst})] + [spoiled]


def _check_reduction(order: TemplateOrder) -> None:
    reduce = order.settings.reduce
    if reduce < 1 or any(side % reduce for side in order.size_px):
        raise ConfigError(
            f"images of {order.size_px} px cannot be reduced {reduce} to 1",
            expected="a common divisor of width and height",
            remedy="choose another --reduce, or another --size with --fit",
        )


def _draft(order: TemplateOrder, template: Template, count: int, data_sha256: str) -> PackageDraft:
    settings, scores = order.settings, np.array(template.held_out_scores)
    folds = min(settings.folds, count)
    return PackageDraft(
        id=order.id,
        revision=order.revision,
        licence=order.licence,
        made_by=f"lineside {__version__}, template",
        input=InputSpec(
            name=INPUT,
            shape=(1, order.pixel_format.channels, order.size_px[1], order.size_px[0]),
            dtype="uint16" if order.pixel_format.dtype == np.uint16 else "uint8",
            pixel_format=order.pixel_format,
            in_graph=True,
        ),
        output=AnomalyMapOutput(map=MAP),
        threshold=Threshold(
            value=1.0,
            set_by=f"{settings.overkill_rate:.2%} of good parts are expected at 1 or above: Gumbel fit by quartiles "
            "of the scores of good training images that the template had not seen",
        ),
        training={
            "method": "template: median and spread of good parts at every place",
            "images": count,
            "images_sha256": data_sha256,
            "source": dict(order.source),
            "settings": {
                "reduce": settings.reduce,
                "shift_px": settings.shift_px,
                "overkill_rate": settings.overkill_rate,
                "folds": folds,
            },
            "threshold": {
                "how": f"each good image was scored by one of {folds} templates made without it; "
                "no bad image and no test image was used",
                "in_spreads": template.threshold,
                "held_out_median": round(float(np.median(scores)), 4),
                "held_out_highest": round(float(scores.max()), 4),
                "held_out_at_or_above": int((scores >= 1).sum()),
            },
            "versions": {
                "lineside": __version__,
                "numpy": np.__version__,
                "opencv": cv2.__version__,
                "onnx": onnx.__version__,
            },
        },
    )
