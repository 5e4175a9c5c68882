"""How well models that `lineside train` makes tell bad parts from good ones, on the real pictures beside the project.

Run: `make bench-models`, or `python tests/bench/bench_models.py [--split val] [--only NAME] [--seed 0]`. Each row
trains with the product's own command, and scores the pictures of one split with the package as the station would.

AUROC is of the pictures' scores, bad against good. Escapes at 1 % and 5 % overkill: the share of bad pictures below the
lowest score that at most so many of the good ones reach. Escapes and overkill "as set" are at the package's own
threshold. A part that is not located counts as rejected. Pixel AUROC is over all pixels of the pictures that have masks
and of the good ones; biscuits have masks in `train` only, of bad pictures, which the model has not seen.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from lineside.core.errors import NotLocated
from lineside.core.finding import ScoreMap
from lineside.core.frame import Frame
from lineside.detectors.onnx_detector import OnnxDetector, open_detector
from lineside.detectors.package import load_package
from lineside.train.bank_choice import auroc
from lineside.train.dataset import LabelledPicture, Split, read_dataset
from lineside.train.training_images import ImageSource, size_of

DATA = Path(__file__).parents[2].parent / "shared" / "data"
GRID_PX = 4
"""Every so many pixels each way one counts for the pixel AUROC."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row: pictures, the options of the command, and where the pictures with masks are."""

    name: str
    options: tuple[str, ...] = ()
    masks_in_train: bool = False


CASES = (
    Case(name="cookie", masks_in_train=True),
    Case(name="figurine", options=("--locate",)),
    Case(name="ballscrew", options=("--fit", "resize")),
)


@dataclass(kw_only=True)
class Scored:
    """What came of the pictures of one split."""

    good: list[float] = field(default_factory=list)
    bad: list[float] = field(default_factory=list)
    took_ms: list[float] = field(default_factory=list)
    not_located: int = 0
    defect_px: list[NDArray[np.float32]] = field(default_factory=list)
    other_px: list[NDArray[np.float32]] = field(default_factory=list)


def on_grid(answer: ScoreMap, width_px: int, height_px: int) -> NDArray[np.float32]:
    """The map's values at every GRID_PX-th pixel of the frame."""
    columns, rows = np.arange(0, width_px, GRID_PX) + 0.5, np.arange(0, height_px, GRID_PX) + 0.5
    x = np.float32((columns - answer.left_px) / answer.step_x_px - 0.5)
    y = np.float32((rows - answer.top_px) / answer.step_y_px - 0.5)
    return np.asarray(
        cv2.remap(answer.values, *np.meshgrid(x, y), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
    )


def look(detector: OnnxDetector, source: ImageSource, pictures: Sequence[LabelledPicture], what: str) -> Scored:
    scored = Scored()
    for picture in track(pictures, what, console=Console(stderr=True), transient=True):
        pixels = source.read(picture.path)
        frame = Frame(
            view="part",
            pixels=pixels,
            pixel_format=source.pixel_format,
            frame_id=0,
            captured_utc_ns=0,
            captured_mono_ns=0,
            camera_serial="bench",
        )
        scores = scored.good if picture.good else scored.bad
        begun = time.perf_counter()
        try:
            detection = detector.detect(frame)
        except NotLocated:
            scored.not_located += 1
            scores.append(math.inf)
            continue
        scored.took_ms.append((time.perf_counter() - begun) * 1e3)
        scores.append(detection.score)
        if picture.mask is not None or picture.good:
            mask = np.zeros(pixels.shape[:2], np.uint8)
            if picture.mask is not None:
                stored = cv2.imread(str(picture.mask), cv2.IMREAD_GRAYSCALE)
                mask = cv2.resize(stored, source.size_px, interpolation=cv2.INTER_NEAREST)
            defect = mask[::GRID_PX, ::GRID_PX] > 127
            values = on_grid(detection.maps[0], frame.width_px, frame.height_px)
            scored.defect_px.append(values[defect])
            scored.other_px.append(values[~defect])
    return scored


def of_pixels(scored: Scored) -> str:
    defect, other = (np.concatenate(values or [np.zeros(0)]) for values in (scored.defect_px, scored.other_px))
    if not defect.size:
        return "none"
    ranks = np.searchsorted(np.sort(other), defect, side="left"), np.searchsorted(np.sort(other), defect, side="right")
    return f"{float(np.mean(ranks[0] + ranks[1]) / 2 / other.size):.3f}"


def escapes_at(scored: Scored, overkill: float) -> float:
    good = np.sort(scored.good)[::-1]
    return float(np.mean(np.array(scored.bad) <= good[int(overkill * len(good))]))


def run(case: Case, split: Split, seed: int, table: Table, folder: Path) -> None:
    data, output = DATA / case.name, folder / case.name
    words = ["train", str(data), "-o", str(output), "--seed", str(seed), *case.options]
    begun = time.perf_counter()
    lineside = Path(sys.executable).with_name("lineside")
    subprocess.run([lineside, *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    took_s = time.perf_counter() - begun
    package = load_package(output)
    dataset = read_dataset(data)
    pictures = dataset.of(split)
    if not pictures:
        return
    size_px = size_of(dataset.for_training().good[0].path)
    source = ImageSource(pixel_format=package.manifest.input.pixel_format, size_px=size_px, fit="resize")
    detector = open_detector(package)
    scored = look(detector, source, pictures, f"{case.name}, {split}")
    pixels = of_pixels(scored)
    if case.masks_in_train:
        masked = [picture for picture in dataset.of("train") if picture.mask is not None]
        pixels = f"{of_pixels(look(detector, source, masked, f'{case.name}, masks'))} (train)"
    good, bad = np.array(scored.good), np.array(scored.bad)
    table.add_row(
        case.name,
        f"{split}: {len(good)} + {len(bad)}",
        f"{auroc(good, bad):.3f}",
        f"{escapes_at(scored, 0.01):.2f} / {escapes_at(scored, 0.05):.2f}",
        f"{np.mean(bad < detector.threshold):.2f} / {np.mean(good >= detector.threshold):.2f}",
        pixels,
        f"{scored.not_located}",
        f"{median(scored.took_ms):.0f}",
        f"{took_s:.0f}",
        f"{(package.graph_path).stat().st_size / 1e6:.1f}",
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--split", choices=("val", "test"), default="test")
    options.add_argument("--only", choices=[case.name for case in CASES])
    options.add_argument("--seed", type=int, default=0)
    wanted = options.parse_args()
    if not DATA.is_dir():
        sys.exit(f"skipped: no pictures at {DATA}")
    cv2.setNumThreads(1)
    table = Table(
        "pictures", "good + bad", "AUROC", "escapes at 1 / 5 %", "as set: escapes / overkill", "pixel AUROC",
        "not located", "ms", "trained in s", "MB", title=f"lineside train, good pictures only, seed {wanted.seed}",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            if wanted.only in (None, case.name):
                run(case, wanted.split, wanted.seed, table, Path(folder))
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
