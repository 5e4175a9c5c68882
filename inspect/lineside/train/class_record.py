"""What a package with a network of classes says of itself: kind of output, threshold, training record."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lineside import __version__
from lineside.detectors.manifest import ClassesOutput, Threshold
from lineside.detectors.package import PackageDraft
from lineside.train.backbone_file import Backbone
from lineside.train.bank_choice import Limit
from lineside.train.bank_package import SPLIT_RECORD
from lineside.train.class_data import ByClass
from lineside.train.class_order import ClassOrder
from lineside.train.class_sheet import CONFUSION_RECORD
from lineside.train.curves import CURVES_RECORD
from lineside.train.fitting import Fitted
from lineside.train.network_export import ExportedNetwork
from lineside.train.patch_record import versions

__all__ = ["SCORES", "ClassMade", "class_draft"]

SCORES: Final = "probabilities"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ClassMade:
    """What was ordered, and all that came of it."""

    order: ClassOrder
    by_class: ByClass
    confusion: NDArray[np.intp]
    fitted: Fitted
    limit: Limit
    exported: ExportedNetwork
    device: str
    backbone: Backbone | None


def class_draft(made: ClassMade) -> PackageDraft:
    """All that the manifest declares."""
    order, by_class = made.order, made.by_class
    return PackageDraft(
        id=order.id,
        revision=order.revision,
        licence=order.licence,
        made_by=f"lineside {__version__}, classify",
        input=by_class.look.spec,
        output=ClassesOutput(scores=SCORES, classes=by_class.classes, activation="none", good=by_class.no_defects),
        threshold=Threshold(value=made.limit.value, set_by=made.limit.how),
        training={
            "method": "classify: a network that tells classes of pictures, "
            + ("from scratch" if made.backbone is None else "beginning with given weights"),
            "network": {"name": order.network, **made.exported.record},
            "backbone": _backbone(made.backbone),
            "pictures": {
                "learned": {name: by_class.count_of(name, by_class.learned) for name in by_class.classes},
                "checked": {name: by_class.count_of(name, by_class.checked) for name in by_class.classes},
                "checked_are": by_class.held_out,
                "size_px": list(order.size_px),
                "listed_in": SPLIT_RECORD,
                "no_part_found_in": list(by_class.lost),
            },
            "source": dict(order.source),
            "settings": {
                **asdict(order.lesson),
                "steps": order.steps,
                "patience": order.patience,
                "minutes": order.minutes,
                "no_defects": list(by_class.no_defects),
            },
            "fit": {
                "steps": made.fitted.steps,
                "kept_step": made.fitted.best_step,
                "ended_by": made.fitted.ended_by,
                "resumed_at": made.fitted.resumed_at,
                "seconds": round(made.fitted.seconds),
                "device": made.device,
                "curves": CURVES_RECORD,
            },
            "confusion": {
                "accuracy": round(float(np.trace(made.confusion) / max(1, made.confusion.sum())), 4),
                "rows_are_truth": [[int(count) for count in row] for row in made.confusion],
                "picture": CONFUSION_RECORD,
                "note": "the step that was kept and the limit were chosen on the same checked pictures",
            },
            "threshold": {"how": made.limit.how, "judges": "the highest probability of a class that is a defect"},
            "versions": versions(),
        },
    )


def _backbone(backbone: Backbone | None) -> dict[str, str]:
    if backbone is None:
        return {"weights": "none: from scratch"}
    return {"weights": backbone.origin, "weights_sha256": backbone.sha256}
