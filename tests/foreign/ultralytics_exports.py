"""Run with Ultralytics' own interpreter: exports its networks, and writes what its own runtime sees in the pictures.

`python ultralytics_exports.py FOLDER`, with pictures `FOLDER/*.png`: for each case `<case>.onnx` and `<case>.npz`. The
weights are drawn, since none can be had without a download: agreement needs answers, not good ones.
"""

import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from ultralytics import YOLO
from ultralytics.nn.tasks import yaml_model_load

INPUT_PX = (192, 256)
"""Height and width: multiples of 32, and another proportion than the pictures'."""

MIN_SCORE, MAX_IOU = 0.3, 0.6

CASES = {
    "detect": ("yolo11n.yaml", {}, {}),
    "detect-across-classes": ("yolo11n.yaml", {}, {"agnostic_nms": True}),
    "detect-nms": ("yolo11n.yaml", {"nms": True, "conf": MIN_SCORE, "iou": MAX_IOU}, {}),
    "detect-end-to-end": ("yolo26n.yaml", {"nms": True}, {}),
    "segment": ("yolo11n-seg.yaml", {}, {}),
    "segment-end-to-end": ("yolo26n-seg.yaml", {"nms": True}, {}),
}
"""Network, what is said to the export, what is said to the prediction."""

CLASSES = {0: "scratch", 1: "dent", 2: "stain"}


def drawn(name: str, pictures: list[np.ndarray]) -> YOLO:
    """The network with drawn weights whose scores, boxes and masks differ from place to place."""
    torch.manual_seed(6)
    yolo = YOLO(name, verbose=False)
    recipe = yaml_model_load(name) | {"nc": len(CLASSES), "scale": "n"}
    network = type(yolo.model)(recipe, ch=3, verbose=False)
    network.names, network.task, network.args = dict(CLASSES), yolo.task, yolo.model.args
    yolo.model = network
    settle(network, pictures)
    head = network.model[-1]
    for part, spread in (("cv2", 0.03), ("cv3", 0.3), ("cv4", 0.1)):
        for prefix in ("", "one2one_"):
            for branch in getattr(head, prefix + part, None) or ():
                last = branch[-1]
                torch.nn.init.normal_(last.weight, std=spread)
                torch.nn.init.normal_(last.bias, std=0.2)
                # Few sure places, and distances to all four edges that are above 0 where a head gives them as they are.
                last.bias.data += {"cv2": 3.0, "cv3": -3.0, "cv4": 0.0}[part]
    return yolo


def settle(network: torch.nn.Module, pictures: list[np.ndarray]) -> None:
    """Sets the batch norms by the pictures, so that what goes through keeps its size."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    height, width = INPUT_PX
    small = [cv2.resize(picture, (width, height))[:, :, ::-1].transpose(2, 0, 1) for picture in pictures]
    network.train()
    with torch.no_grad():
        for _ in range(2):
            network(torch.from_numpy(np.stack(small).astype(np.float32) / 255))
    network.eval()


def main(folder: Path) -> None:
    """Writes every case."""
    torch.set_num_threads(1)
    paths = sorted(folder.glob("*.png"))
    pictures = [cv2.imread(str(path)) for path in paths]
    for case, (name, exported, predicted) in CASES.items():
        yolo = drawn(name, pictures)
        graph = yolo.export(format="onnx", imgsz=list(INPUT_PX), simplify=False, verbose=False, **exported)
        shutil.move(graph, folder / f"{case}.onnx")
        runtime = YOLO(folder / f"{case}.onnx", task=yolo.task)
        answers = {}
        for path, picture in zip(paths, pictures, strict=True):
            (seen,) = runtime.predict(
                picture, imgsz=list(INPUT_PX), conf=MIN_SCORE, iou=MAX_IOU, max_det=300, verbose=False, **predicted
            )
            answers[f"{path.stem}.boxes"] = seen.boxes.xyxy.numpy()
            answers[f"{path.stem}.scores"] = seen.boxes.conf.numpy()
            answers[f"{path.stem}.classes"] = seen.boxes.cls.numpy().astype(np.int64)
            if seen.masks is not None:
                answers[f"{path.stem}.masks"] = np.packbits(seen.masks.data.numpy().astype(bool), axis=None)
        np.savez_compressed(folder / f"{case}.npz", **answers)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
