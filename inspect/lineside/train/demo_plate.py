"""Makes the shipped package `demo-plate` again, from rendered parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from lineside.cameras.scenes import SceneOptions, render
from lineside.core.frame import Pixels
from lineside.train.bank import BankSettings
from lineside.train.bank_package import BankOrder, TrainedBank, train_bank
from lineside.train.dataset import Dataset, LabelledPicture, Split

__all__ = ["DEMO_ORDER", "PARTS", "PRODUCT", "SEED", "demo_parts", "train_demo_plate"]

PRODUCT: Final = "plate"
SEED: Final = 20_001
"""Far from the seeds of stations and tests: no part of theirs is one that the package was made of."""

_GOOD: Final = 80
_VAL_GOOD: Final = 40
_VAL_BAD: Final = 30
PARTS: Final = _GOOD + _VAL_GOOD + _VAL_BAD

_SCENE: Final = SceneOptions(defect_rate=0.0)
_BAD_SCENE: Final = SceneOptions(defect_rate=1.0)

DEMO_ORDER: Final = BankOrder(
    id="demo-plate",
    licence="Apache-2.0",
    pixel_format=_SCENE.pixel_format,
    size_px=(_SCENE.width_px, _SCENE.height_px),
    # Small, and half the usual numbers a place: a demo shares its two cores with a whole line.
    long_side_px=320,
    candidates=(BankSettings(even_contrast=False, dimensions=16),),
    overkill_rate=0.0,
    source={
        "rendered": f"product {PRODUCT}, seed {SEED}: {_GOOD} good parts for train, {_VAL_GOOD} good and "
        f"{_VAL_BAD} bad ones for val",
        "made_again_by": "lineside train demo-plate -o models/demo-plate --overwrite",
    },
    replace=True,
)


def demo_parts() -> Dataset:
    """The parts by name; the number in a name is the index by which it is rendered."""
    good = [_part("train" if index < _GOOD else "val", index, good=True) for index in range(_GOOD + _VAL_GOOD)]
    bad = [_part("val", _GOOD + _VAL_GOOD + index, good=False) for index in range(_VAL_BAD)]
    return Dataset(folder=Path(PRODUCT), pictures=(*good, *bad), split_by="their indices")


def train_demo_plate(folder: Path, *, tick: Callable[[], None] = lambda: None) -> TrainedBank:
    """Renders the parts and makes the package in `folder`, in place of one that is there."""
    parts = demo_parts()
    names = "".join(f"{part.name},{part.split},{'good' if part.good else 'defect'}\n" for part in parts.pictures)
    listing = f"file,split,label\n{names}".encode()
    return train_bank(folder, DEMO_ORDER, parts.for_training(), read=_rendered, listing=listing, tick=tick)


def _part(split: Split, index: int, *, good: bool) -> LabelledPicture:
    name = f"{'good' if good else 'bad'}-{index}"
    return LabelledPicture(
        name=name, path=Path(name), split=split, good=good, class_name="" if good else "defect", group=name
    )


def _rendered(path: Path) -> Pixels:
    kind, _, index = path.name.partition("-")
    return render(PRODUCT, SEED, int(index), _SCENE if kind == "good" else _BAD_SCENE).pixels
