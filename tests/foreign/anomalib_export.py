"""Run with anomalib's own interpreter: trains a small model, exports it, and writes what its own runtime says.

`python anomalib_export.py FOLDER`, with pictures of good parts in `FOLDER/good/` and more in `FOLDER/look/`: writes
`exported/weights/onnx/model.onnx` and `padim.npz`. The backbone's weights are drawn: none can be had offline.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from anomalib.data import Folder
from anomalib.deploy import ExportType, TorchInferencer
from anomalib.engine import Engine
from anomalib.models import Padim

SEED = 3


def main(folder: Path) -> None:
    """Trains on `good`, with a part of `look` as defects to set anomalib's own threshold by; looks at `look`."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    data = Folder(
        name="parts",
        root=folder,
        normal_dir="good",
        abnormal_dir="look",
        train_batch_size=4,
        eval_batch_size=4,
        num_workers=0,
        seed=SEED,
    )
    model = Padim(backbone="resnet18", layers=["layer1", "layer2"], pre_trained=False, n_features=24)
    engine = Engine(default_root_dir=folder / "runs", accelerator="cpu", devices=1, logger=False, barebones=False)
    engine.fit(model, datamodule=data)
    engine.export(model, ExportType.ONNX, export_root=folder / "exported")
    runtime = TorchInferencer(engine.export(model, ExportType.TORCH, export_root=folder / "exported"), device="cpu")
    answers = {}
    for path in sorted((folder / "look").glob("*.png")):
        seen = runtime.predict(path)
        answers[f"{path.stem}.map"] = seen.anomaly_map.numpy().squeeze()
        answers[f"{path.stem}.score"] = seen.pred_score.numpy().squeeze()
    np.savez_compressed(folder / "padim.npz", **answers)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
