"""Exports of torchvision answer as torchvision does: boxes, segmentation and classes, from the picture on."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from coloured_pictures import coloured
from exporters_answers import matched
from model_graphs import frame
from torch import Tensor, nn
from torchvision.models import mobilenet_v3_small
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn, ssdlite320_mobilenet_v3_large
from torchvision.models.segmentation import lraspp_mobilenet_v3_large
from typer.testing import CliRunner

from lineside.commands.models import models_app
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.onnx_detector import OnnxDetector, open_detector
from lineside.detectors.package import load_package
from lineside.train.quantise import QuantiseOrder, quantise

WIDTH_PX, HEIGHT_PX = 224, 160
PICTURES = tuple(coloured(seed, WIDTH_PX, HEIGHT_PX) for seed in range(3))
DEFECTS = ("scratch", "dent")
MIN_SCORE = 0.6
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RECORD = ("--licence", "BSD-3-Clause", "--made-by", "torchvision", "--threshold", "0.5", "--scale", "1/255")

# The older exporter warns that it is the older one, and of every size that becomes a constant.
pytestmark = pytest.mark.filterwarnings("ignore")


def tensor(picture: np.ndarray) -> Tensor:
    """(3, H, W) in red, green, blue, 0 to 1, as torchvision's networks take it."""
    return torch.from_numpy(picture[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) / 255)


def settled(network: nn.Module, run: Callable[[nn.Module], object]) -> nn.Module:
    """Drawn weights, with batch norms set by the pictures so that what goes through keeps its size."""
    network.eval()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    with torch.no_grad():
        run(network)
    return network.eval()


def spread(layer: nn.Module, std: float) -> None:
    """Answers that differ from place to place, which drawn weights of a fresh network do not give."""
    nn.init.normal_(layer.weight, std=std)


def exported(path: Path, network: nn.Module, example: object, outputs: list[str], **options: object) -> Path:
    torch.onnx.export(
        network, (example,), path, input_names=["images"], output_names=outputs, opset_version=18, dynamo=False,
        **options,
    )  # fmt: skip
    return path


def packed(graph: Path, *declared: str) -> OnnxDetector:
    words = ("pack", str(graph), "-o", str(graph.with_suffix("")), *declared, *RECORD)
    done = CliRunner().invoke(models_app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return open_detector(load_package(graph.with_suffix("")))


def in_blue_green_red(*more: str) -> tuple[str, ...]:
    return ("--pixel-format", "BGR8", "--channels", "reversed", *more)


def ssdlite() -> nn.Module:
    network = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=1 + len(DEFECTS))
    settled(network, lambda each: each([tensor(picture) for picture in PICTURES]))
    for branch in network.head.classification_head.module_list:
        spread(branch[-1], 0.04)
    return network


def faster_rcnn() -> nn.Module:
    network = fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, num_classes=1 + len(DEFECTS), box_detections_per_img=200
    )
    settled(network, lambda each: each([tensor(picture) for picture in PICTURES]))
    spread(network.rpn.head.cls_logits, 0.1)
    spread(network.roi_heads.box_predictor.cls_score, 0.25)
    return network


@pytest.mark.parametrize("make", [ssdlite, faster_rcnn], ids=lambda make: make.__name__)
def test_a_detection_export_sees_what_torchvision_sees(tmp_path: Path, make: Callable[[], nn.Module]) -> None:
    """As many boxes as there are in each picture: the number is the graph's own, and differs."""
    torch.manual_seed(2)
    network = make()
    graph = exported(
        tmp_path / "boxes.onnx", network, [tensor(PICTURES[0])], ["boxes", "scores", "labels"]
        if make is ssdlite else ["boxes", "labels", "scores"],
        dynamic_axes={"boxes": {0: "n"}, "scores": {0: "n"}, "labels": {0: "n"}},
    )  # fmt: skip
    detector = packed(
        graph, *in_blue_green_red("--classes", ",".join(DEFECTS), "--label-offset", "1", "--min-score", str(MIN_SCORE))
    )

    counts = []
    for picture in PICTURES:
        with torch.no_grad():
            (seen,) = network([tensor(picture)])
        kept = seen["scores"] >= MIN_SCORE
        names = [DEFECTS[label - 1] for label in seen["labels"][kept].tolist()]
        found = detector.detect(frame(picture, PixelFormat.BGR8)).findings
        counts.append(len(matched(found, seen["boxes"][kept].numpy(), seen["scores"][kept].numpy(), names)))
    assert min(counts) >= 5
    assert len(set(counts)) > 1


class OnlyTheMap(nn.Module):
    """torchvision's segmentation networks answer with a dictionary; a graph answers with its `out`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        answer: Mapping[str, Tensor] = self.network(images)
        return answer["out"]


def normalised(picture: np.ndarray) -> Tensor:
    return (tensor(picture)[None] - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def with_mean_and_std() -> tuple[str, ...]:
    return ("--mean", ",".join(map(str, MEAN)), "--std", ",".join(map(str, STD)))


def test_a_segmentation_export_sees_what_torchvision_sees(tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = OnlyTheMap(lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=3))
    settled(network, lambda each: each(torch.cat([normalised(picture) for picture in PICTURES])))
    spread(network.network.classifier.low_classifier, 0.6)
    spread(network.network.classifier.high_classifier, 0.6)
    graph = exported(tmp_path / "map.onnx", network, normalised(PICTURES[0]), ["out"])
    detector = packed(
        graph,
        *in_blue_green_red("--kind", "segmentation", "--activation", "softmax", "--classes", "ground,scratch,dent"),
        *("--background", "ground", *with_mean_and_std()),
    )

    shares = []
    for picture in PICTURES:
        with torch.no_grad():
            wanted = network(normalised(picture)).softmax(dim=1)[0].numpy()
        seen = detector.detect(frame(picture, PixelFormat.BGR8)).maps
        assert ["scratch", "dent"] == [each.class_name for each in seen]
        for index, each in enumerate(seen, 1):
            np.testing.assert_allclose(each.values, wanted[index], atol=2e-4)
            shares.append(float((wanted[index] >= 0.5).mean()))
    assert 0.02 < np.mean(shares) < 0.98, "a map on one side of the threshold would agree with anything"


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, OnnxDetector, Path]:
    """The network, the detector of its package, and the package's folder."""
    torch.manual_seed(2)
    network = mobilenet_v3_small(weights=None, num_classes=3)
    settled(network, lambda each: each(torch.cat([normalised(picture) for picture in PICTURES])))
    spread(network.classifier[-1], 5.0)
    path = tmp_path_factory.mktemp("classifier") / "classes.onnx"
    graph = exported(path, network, normalised(PICTURES[0]), ["logits"])
    detector = packed(
        graph,
        *in_blue_green_red("--kind", "classes", "--activation", "softmax", "--classes", "good,scratch,dent"),
        *("--good", "good", *with_mean_and_std()),
    )
    return network, detector, graph.with_suffix("")


def test_a_classification_export_sees_what_torchvision_sees(
    classifier: tuple[nn.Module, OnnxDetector, Path],
) -> None:
    network, detector, _ = classifier
    scores = []
    for picture in PICTURES:
        with torch.no_grad():
            wanted = network(normalised(picture)).softmax(dim=1)[0].numpy()
        seen = detector.detect(frame(picture, PixelFormat.BGR8))
        assert {each.class_name: each.score for each in seen.findings} == {
            "scratch": pytest.approx(float(wanted[1]), abs=2e-4),
            "dent": pytest.approx(float(wanted[2]), abs=2e-4),
        }
        assert seen.score == pytest.approx(1 - float(wanted[0]), abs=2e-4)
        scores.append(seen.score)
    assert max(scores) - min(scores) > 0.05


def test_a_network_of_torch_becomes_int8(classifier: tuple[nn.Module, OnnxDetector, Path]) -> None:
    """Depthwise convolutions, squeeze-and-excitation and all: what moves scores stays in float, the rest does not."""
    _, _, folder = classifier
    made = quantise(load_package(folder), QuantiseOrder(id="int8", max_change=0.2), PICTURES)

    assert made.in_int8
    assert made.change <= 0.2
    assert len(made.graph) < (folder / "model.onnx").stat().st_size
