"""How well a template tells worn ball screws from good ones, and how long it takes.

Run: `python tests/bench/bench_template_ballscrew.py`. The good pictures of `train` make a package; `val` and `test` are
scored with it as the station would. Printed: AUROC of the image scores, escapes and overkill at the package's own
threshold, and how often the map is highest inside the mask, because the border alone can tell the classes apart;
all of it for the whole frame, and for the region without the border.
The pictures differ in size by some pixels: by declaration all are resized to SIZE_PX.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.frame import Frame, Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.onnx_detector import OnnxDetector, open_detector
from lineside.train.template import TemplateSettings, reduction_for
from lineside.train.template_package import TemplateOrder, train_template
from lineside.train.training_images import ImageSource

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "ballscrew"
SIZE_PX = (1130, 460)
BORDER_ROWS, BORDER_COLUMNS = 0.05, 0.10
"""Shares of the picture at each edge; chosen by looking at `val`."""
SOURCE = ImageSource(pixel_format=PixelFormat.BGR8, size_px=SIZE_PX, fit="resize")

Row = dict[str, str]


def rows_of(split: str) -> list[Row]:
    with (DATA / "split.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["split"] == split]


def auroc(good: list[float], bad: list[float]) -> float:
    """The chance that a bad part scores above a good one; ties count half."""
    above = np.subtract.outer(np.array(bad), np.array(good))
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


def frame_of(pixels: Pixels) -> Frame:
    return Frame(
        view="screw",
        pixels=pixels,
        pixel_format=PixelFormat.BGR8,
        frame_id=0,
        captured_utc_ns=0,
        captured_mono_ns=0,
        camera_serial="ballscrew",
    )


def inner(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The map with 0 outside the region that a recipe would include: the screw without the picture's border."""
    rows, columns = round(values.shape[0] * BORDER_ROWS), round(values.shape[1] * BORDER_COLUMNS)
    kept = np.zeros_like(values)
    kept[rows:-rows, columns:-columns] = values[rows:-rows, columns:-columns]
    return kept


def score(detector: OnnxDetector, split: str) -> None:
    maps, took_ms = [], []
    rows = rows_of(split)
    for row in rows:
        frame = frame_of(SOURCE.read(DATA / row["file"]))
        begun = time.perf_counter()
        maps.append(detector.detect(frame).maps[0].values)
        took_ms.append((time.perf_counter() - begun) * 1e3)
    report(f"{split}, whole frame", rows, maps, detector.threshold)
    report(f"{split}, without border", rows, [inner(values) for values in maps], detector.threshold)
    print(f"{split}: {median(took_ms):.1f} ms an image (median)")


def report(what: str, rows: list[Row], maps: list[NDArray[np.float32]], threshold: float) -> None:
    scores: dict[bool, list[float]] = {True: [], False: []}
    inside = []
    for row, values in zip(rows, maps, strict=True):
        scores[row["label"] == "good"].append(float(values.max()))
        if row["mask"]:
            mask = cv2.imread(str(DATA / row["mask"]), cv2.IMREAD_GRAYSCALE)
            place = np.unravel_index(int(values.argmax()), values.shape)
            inside.append(cv2.resize(mask, values.shape[::-1], interpolation=cv2.INTER_AREA)[place] > 0)
    escapes = np.mean(np.array(scores[False]) < threshold)
    overkill = np.mean(np.array(scores[True]) >= threshold)
    print(
        f"{what}: AUROC {auroc(scores[True], scores[False]):.3f} of {len(scores[True])} good and "
        f"{len(scores[False])} bad; escapes {escapes:.3f}, overkill {overkill:.3f} at the package's threshold; "
        f"highest place inside the mask {np.mean(inside):.2f}"
    )


def main() -> None:
    if not DATA.is_dir():
        sys.exit(f"skipped: no pictures at {DATA}")
    good = [DATA / row["file"] for row in rows_of("train") if row["label"] == "good"]
    order = TemplateOrder(
        id="ballscrew",
        licence="CC-BY-SA-4.0",
        pixel_format=PixelFormat.BGR8,
        size_px=SIZE_PX,
        settings=TemplateSettings(reduce=reduction_for(*SIZE_PX), folds=4),
        source={"pictures": "ballscrew, good of train", "fit": SOURCE.fit},
    )
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        trained = train_template(
            Path(folder, "ballscrew"), order, count=len(good), read=lambda index: SOURCE.read(good[index])
        )
        took_s = time.perf_counter() - begun
        held_out = trained.package.manifest.training["threshold"]["held_out_at_or_above"]
        print(
            f"train: {len(good)} good pictures, {took_s:.1f} s, reduced {order.settings.reduce} to 1, "
            f"{held_out} of them at or above the threshold when held out"
        )
        detector = open_detector(trained.package)
        for split in ("val", "test"):
            score(detector, split)


if __name__ == "__main__":
    main()
