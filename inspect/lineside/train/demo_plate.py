"""Makes the shipped package `demo-plate` again, from rendered good parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lineside.cameras.scenes import SceneOptions, render
from lineside.core.frame import Pixels
from lineside.train.template import TemplateSettings
from lineside.train.template_package import TemplateOrder, TrainedTemplate, train_template

__all__ = ["DEMO_ORDER", "IMAGES", "PRODUCT", "SEED", "train_demo_plate"]

PRODUCT = "plate"
SEED = 20_001
"""Far from the seeds of stations and tests: no part of theirs is one that the template was made of."""

IMAGES = 80

_SCENE = SceneOptions(defect_rate=0.0)

DEMO_ORDER = TemplateOrder(
    id="demo-plate",
    licence="Apache-2.0",
    pixel_format=_SCENE.pixel_format,
    size_px=(_SCENE.width_px, _SCENE.height_px),
    settings=TemplateSettings(reduce=2),
    source={
        "rendered": f"good parts of product {PRODUCT}, seed {SEED}, indices 0 to {IMAGES - 1}",
        "made_again_by": "lineside train demo-plate -o models/demo-plate --overwrite",
    },
    replace=True,
)


def train_demo_plate(folder: Path, *, tick: Callable[[], None] = lambda: None) -> TrainedTemplate:
    """Renders the parts and makes the package in `folder`, in place of one that is there."""
    return train_template(folder, DEMO_ORDER, count=IMAGES, read=_good_part, tick=tick)


def _good_part(index: int) -> Pixels:
    return render(PRODUCT, SEED, index, _SCENE).pixels
