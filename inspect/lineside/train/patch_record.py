"""What a package of `patch` says of itself: kind of output, threshold, training record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import onnx
import torch
import torchvision

from lineside import __version__
from lineside.detectors.manifest import AnomalyMapOutput, Threshold
from lineside.detectors.package import PackageDraft
from lineside.train.backbone_file import Backbone
from lineside.train.bank_choice import Limit
from lineside.train.bank_package import SPLIT_RECORD
from lineside.train.looking import Look
from lineside.train.network_export import ExportedNetwork
from lineside.train.patch_graph import MAP
from lineside.train.patch_model import PatchTrial
from lineside.train.patch_order import PatchOrder
from lineside.train.places import told
from lineside.train.unseen import Shown

__all__ = ["PatchMade", "package_draft", "versions"]

_METHODS = {
    "gaussian": "patch: a Gaussian of a frozen network's features at every place",
    "memory": "patch: the distance to the nearest remembered features of a frozen network",
}

_FILTERS: Final = ", the bank's filters beside them"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PatchMade:
    """All that came of a training."""

    order: PatchOrder
    look: Look
    backbone: Backbone
    shown: Shown
    trials: Sequence[PatchTrial]
    best: PatchTrial
    limit: Limit
    exported: ExportedNetwork
    lost: Sequence[str]


def package_draft(made: PatchMade) -> PackageDraft:
    """All that the manifest declares."""
    order, shown, backbone = made.order, made.shown, made.backbone
    return PackageDraft(
        id=order.id,
        revision=order.revision,
        licence=order.licence,
        made_by=f"lineside {__version__}, patch",
        input=made.look.spec,
        output=AnomalyMapOutput(map=MAP),
        threshold=Threshold(value=1.0, set_by=made.limit.how),
        training={
            "method": _METHODS[made.best.settings.model] + (_FILTERS if made.best.settings.filters else ""),
            "network": made.exported.record,
            "backbone": {
                "network": backbone.kind.name,
                "weights": backbone.origin,
                "weights_sha256": backbone.sha256,
                "learned_from": f"{len(backbone.learned_from)} pictures of the user's own"
                if backbone.learned_from
                else "see where the weights come from",
                "record": dict(backbone.record),
            },
            "pictures": {
                "train_good": len(shown.good),
                "val_good": len(shown.val_good),
                "bad": len(shown.bad),
                "size_px": list(order.size_px),
                "listed_in": SPLIT_RECORD,
                "no_part_found_in": list(made.lost),
            },
            "source": dict(order.source),
            "settings": {
                **told(made.best.settings),
                **({"even_contrast": made.look.spec.locate is not None} if made.best.settings.filters else {}),
                "seed": order.seed,
            },
            "compared": {
                "by": "AUROC of bad pictures of train and val, not learned from, against good ones, held out or of val"
                if len(made.trials) > 1
                else f"nothing: one model was asked for, or there was no time, or there are {len(shown.bad)} bad ones",
                "candidates": [
                    {**told(trial.settings), "auroc": round(trial.scores.auroc, 4)} for trial in made.trials
                ],
            },
            "threshold": _threshold(made),
            "versions": versions(),
        },
    )


def versions() -> dict[str, str]:
    """Of what a package of torch is made with."""
    return {
        "lineside": __version__,
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "onnx": onnx.__version__,
    }


def _threshold(made: PatchMade) -> dict[str, Any]:
    best, limit = made.best, made.limit
    held_out = best.scores.held_out / limit.value
    known = (
        " The backbone, where it is of the user's own, had seen these pictures." if made.backbone.learned_from else ""
    )
    return {
        "how": f"{limit.how}; each good picture of train was scored without what its group had added.{known}",
        "in_deviations": float(f"{limit.value:.6g}"),
        "held_out_median": round(float(np.median(held_out)), 4),
        "held_out_highest": round(float(held_out.max()), 4),
        "good_at_or_above": int((best.scores.good >= limit.value).sum()),
        "bad_below": int((best.scores.bad < limit.value).sum()),
    }
