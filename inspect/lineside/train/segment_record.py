"""What a package with a segmentation network says of itself: kind of output, threshold, training record."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
import onnx
import torch

from lineside import __version__
from lineside.detectors.manifest import AnomalyMapOutput, SegmentationOutput, Threshold
from lineside.detectors.package import PackageDraft
from lineside.train.bank_package import SPLIT_RECORD
from lineside.train.curves import CURVES_RECORD, encoded_curves
from lineside.train.fitting import Fitted
from lineside.train.network_export import ExportedNetwork
from lineside.train.segment_data import Gathered
from lineside.train.segment_graph import LIMIT_OF_CHANCE, MAP
from lineside.train.segment_judging import Judging
from lineside.train.segment_order import SegmentOrder

__all__ = ["Made", "curves_of", "package_draft"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Made:
    """What was ordered, and all that came of it. `best_f1` is of the pixels of the checked pictures, or NaN."""

    order: SegmentOrder
    gathered: Gathered
    class_names: Sequence[str]
    compared_with_usual: bool
    fitted: Fitted
    judging: Judging
    best_f1: float
    exported: ExportedNetwork
    device: str


def curves_of(fitted: Fitted) -> bytes:
    """The PNG that goes into the package."""
    return encoded_curves(
        [
            ("Loss (mean since the last check)", [(check.step, check.loss) for check in fitted.checks]),
            ("Score on pictures not learned from", [(check.step, check.score) for check in fitted.checks]),
        ],
        fitted.best_step,
    )


def package_draft(made: Made) -> PackageDraft:
    """All that the manifest declares."""
    order, judging = made.order, made.judging
    classes = made.class_names
    output = (
        SegmentationOutput(map=MAP, classes=(classes[0] if len(classes) == 1 else "defect",), activation="none")
        if order.masks
        else AnomalyMapOutput(map=MAP)
    )
    return PackageDraft(
        id=order.id,
        revision=order.revision,
        licence=order.licence,
        made_by=f"lineside {__version__}, {order.method}",
        input=made.gathered.look.spec,
        output=output,
        threshold=Threshold(value=LIMIT_OF_CHANCE if order.masks else 1.0, set_by=judging.limit.how),
        training={
            "method": f"{order.method}: a small segmentation network, from scratch, "
            + ("on bad parts with masks and painted defects" if order.masks else "on painted defects alone"),
            "network": made.exported.record,
            "pictures": _pictures(made),
            "source": dict(order.source),
            "settings": {
                **asdict(order.lesson),
                "steps": order.steps,
                "patience": order.patience,
                "minutes": order.minutes,
                "compared_with_the_usual_picture": made.compared_with_usual,
            },
            "fit": _fit(made.fitted, made.device),
            "threshold": _threshold(judging, made.best_f1),
            "versions": {
                "lineside": __version__,
                "torch": torch.__version__,
                "numpy": np.__version__,
                "opencv": cv2.__version__,
                "onnx": onnx.__version__,
            },
        },
    )


def _pictures(made: Made) -> dict[str, Any]:
    gathered = made.gathered
    return {
        "train_good": len(gathered.good),
        "train_bad_with_mask": len(gathered.bad),
        "checked_good": len(made.judging.good_scores),
        "checked_bad": len(made.judging.bad_scores),
        "checked_are": gathered.held_out,
        "size_px": list(made.order.size_px),
        "listed_in": SPLIT_RECORD,
        "no_part_found_in": list(gathered.lost),
        "without_mask": list(gathered.without_mask),
    }


def _fit(fitted: Fitted, device: str) -> dict[str, Any]:
    return {
        "steps": fitted.steps,
        "kept_step": fitted.best_step,
        "ended_by": fitted.ended_by,
        "resumed_at": fitted.resumed_at,
        "seconds": round(fitted.seconds),
        "device": device,
        "curves": CURVES_RECORD,
    }


def _threshold(judging: Judging, f1: float) -> dict[str, Any]:
    limit = judging.limit.value
    return {
        "how": judging.limit.how,
        "in_strength": float(f"{limit:.6g}"),
        "share_of_places": judging.share,
        "auroc_by_share": {name: round(value, 4) for name, value in judging.compared.items()},
        "best_f1_of_pixels": round(f1, 4) if math.isfinite(f1) else "no masks",
        "good_at_or_above": int((judging.good_scores >= limit).sum()),
        "bad_below": int((judging.bad_scores < limit).sum()),
        "note": "the step that was kept, the share and the limit were chosen on the same checked pictures",
    }
