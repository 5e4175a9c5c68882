"""Small pictures of known truth, and a package that scores brightness: what qualifying is tested with."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from model_graphs import blur_spec, draft, floats, model
from numpy.typing import NDArray
from onnx import helper

from lineside.detectors.manifest import AnomalyMapOutput
from lineside.detectors.package import ModelPackage, write_package

WIDTH_PX, HEIGHT_PX = 48, 32


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One picture: a spot of that brightness and side on dark ground, or none."""

    name: str
    good: bool
    brightness: int = 0
    side_px: int = 8
    split: str = "test"
    group: str = ""
    class_name: str = ""
    mask: bool = False


def spot(brightness: int, side_px: int = 8, *, size_px: tuple[int, int] = (WIDTH_PX, HEIGHT_PX)) -> NDArray[Any]:
    pixels = np.full((size_px[1], size_px[0]), 30, np.uint8)
    pixels[10 : 10 + side_px, 12 : 12 + side_px] = max(30, brightness)
    return pixels


def write_data(folder: Path, shown: Sequence[Shown]) -> Path:
    """The pictures with a split.csv; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "split.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("file", "split", "label", "class", "mask", "group"))
        for each in shown:
            path = folder / each.name
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), spot(each.brightness, each.side_px))
            mask = f"masks/{Path(each.name).stem}.png" if each.mask else ""
            if mask:
                (folder / "masks").mkdir(exist_ok=True)
                where = np.where(spot(255, each.side_px) > 30, 255, 0).astype(np.uint8)
                cv2.imwrite(str(folder / mask), where)
            label = "good" if each.good else "defect"
            rows.writerow((each.name, each.split, label, each.class_name, mask, each.group))
    return folder


def brightness_package(
    folder: Path, *, threshold: float = 0.5, other_files: Mapping[str, bytes] | None = None
) -> ModelPackage:
    """Its map is the blurred picture, 0 to 1; a frame with a pixel of 255 is answered by NaN, and so NOT_INSPECTED."""
    weights = np.full((1, 1, 3, 3), 1 / 9, np.float32)
    graph = model(
        [
            helper.make_node("Conv", ["image", "weights"], ["blurred"], pads=[1, 1, 1, 1]),
            helper.make_node("ReduceMax", ["image"], ["highest"], keepdims=0),
            helper.make_node("Sub", ["nearly_one", "highest"], ["left"]),
            helper.make_node("Sqrt", ["left"], ["root"]),
            helper.make_node("Mul", ["root", "nought"], ["nothing"]),
            helper.make_node("Add", ["blurred", "nothing"], ["map"]),
        ],
        [floats("image", [1, 1, HEIGHT_PX, WIDTH_PX])],
        [floats("map", [1, 1, HEIGHT_PX, WIDTH_PX])],
        {"weights": weights, "nearly_one": np.float32(0.999).reshape(()), "nought": np.float32(0).reshape(())},
    )
    return write_package(
        folder,
        graph=graph,
        draft=draft(blur_spec(), AnomalyMapOutput(map="map"), threshold=threshold),
        reference_inputs=[spot(100), spot(200)],
        other_files=other_files,
    )
