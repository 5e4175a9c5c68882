"""Graphs of other tools become packages by one command; what they do not say must be declared."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from model_graphs import answering, blur, blur_package, floats, frame, model, noise
from onnx import helper
from typer.testing import CliRunner

from lineside.commands.models import models_app
from lineside.core.errors import ConfigError, LinesideError, PackageError
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.onnx_detector import open_detector
from lineside.detectors.package import load_package

RECORD = ("--licence", "Apache-2.0", "--made-by", "the tests")
NAMES = "{0: 'scratch', 1: 'dent'}"


def lineside(*words: Any) -> str:
    """What `lineside models …` prints; the error that it ends with is raised."""
    result = CliRunner().invoke(models_app, [str(word) for word in words])
    if isinstance(result.exception, LinesideError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def yolo_rows() -> np.ndarray:
    """(1, 4 + 2, 10): one box of class 1, centre (32, 24), 16 x 8, score 0.75."""
    rows = np.zeros((1, 6, 10), dtype=np.float32)
    rows[0, :, 3] = [32, 24, 16, 8, 0.25, 0.75]
    return rows


def test_a_yolo_export_brings_its_names_and_needs_its_pixels_declared(tmp_path: Path) -> None:
    graph, folder = tmp_path / "best.onnx", tmp_path / "models" / "yolo"
    metadata = {"task": "detect", "names": NAMES, "author": "Ultralytics", "license": "AGPL-3.0"}
    graph.write_bytes(answering({"output0": yolo_rows()}, metadata=metadata))
    said = lineside(
        "pack", graph, "-o", folder, "--pixel-format", "RGB8", "--scale", "1/255", "--threshold", "0.5",
        "--resize", "letterbox", "--interpolation", "linear", "--pad-value", "114",
    )  # fmt: skip

    for line in (
        "kind = boxes (from the graph's metadata, 'task')",
        "classes = ('scratch', 'dent') (from the graph's metadata, 'names')",
        "variant = yolo (from the output's shape [1, 6, 10] with 2 classes)",
        "licence = AGPL-3.0 (from the graph's metadata, 'license')",
        "boxes = output0 (the graph's only output)",
        "layout = NCHW (from the input's shape [1, 3, 64, 64])",
        "min_score = 0.05 (by default)",
        "nms_iou = 0.5 (by default)",
        "references = 2 synthetic frames (no --reference was given)",
    ):
        assert f"not declared: {line}\n" in said

    detector = open_detector(load_package(folder))
    found = detector.detect(frame(noise(128, 128, pixel_format=PixelFormat.RGB8), PixelFormat.RGB8)).findings
    assert [(each.class_name, each.score) for each in found] == [("dent", 0.75)]
    assert (found[0].box.x_px, found[0].box.y_px, found[0].box.width_px) == (48.0, 40.0, 32.0)


@pytest.mark.parametrize(
    ("shape", "variant"), [((1, 6, 10), "yolo"), ((1, 10, 7), "yolo_objectness"), ((1, 300, 6), "yolo_nms")]
)
def test_the_variant_of_a_yolo_export_follows_from_its_shape(
    tmp_path: Path, shape: tuple[int, ...], variant: str
) -> None:
    (tmp_path / "best.onnx").write_bytes(
        answering({"output0": np.zeros(shape, np.float32)}, metadata={"task": "detect", "names": NAMES})
    )
    lineside(
        "pack", tmp_path / "best.onnx", "-o", tmp_path / "p", "--pixel-format", "RGB8", "--scale", "1/255",
        "--threshold", "0.5", *RECORD,
    )  # fmt: skip

    assert getattr(load_package(tmp_path / "p").manifest.output, "variant", "") == variant


def test_a_shape_that_fits_two_variants_is_asked_for(tmp_path: Path) -> None:
    """One class, (1, 5, 6): raw boxes of 6 places, objectness boxes, or 5 finished rows."""
    (tmp_path / "best.onnx").write_bytes(
        answering({"output0": np.zeros((1, 5, 6), np.float32)}, metadata={"task": "detect", "names": "{0: 'dent'}"})
    )
    with pytest.raises(ConfigError, match=r"not to be known from the graph: --variant;"):
        lineside(
            "pack", tmp_path / "best.onnx", "-o", tmp_path / "p", "--pixel-format", "RGB8", "--scale", "1/255",
            "--threshold", "0.5", *RECORD,
        )  # fmt: skip


def test_a_segmentation_export_brings_prototypes_and_size_by_its_metadata(tmp_path: Path) -> None:
    """2 classes and 3 prototypes: rows of 4 + 2 + 3, or of 6 + 3 where the export suppresses by itself."""
    metadata = {"task": "segment", "names": NAMES, "imgsz": "[64, 96]", "args": "{'nms': None}"}
    for name, shape, nms in (("raw", (1, 9, 10), "None"), ("finished", (1, 300, 9), "True")):
        outputs = {"output0": np.zeros(shape, np.float32), "output1": np.zeros((1, 3, 16, 24), np.float32)}
        graph = tmp_path / f"{name}.onnx"
        graph.write_bytes(
            answering(
                outputs, input_shape=(1, 3, "height", "width"), metadata={**metadata, "args": f"{{'nms': {nms}}}"}
            )
        )
        said = lineside(
            "pack", graph, "-o", tmp_path / name, "--pixel-format", "RGB8", "--scale", "1/255", "--threshold", "0.5",
            "--resize", "letterbox", "--interpolation", "linear", "--pad-value", "114", *RECORD,
        )  # fmt: skip
        manifest = load_package(tmp_path / name).manifest

        assert "size_px = (96, 64) (from the graph's metadata, 'imgsz')" in said
        assert (1, 3, 64, 96) == manifest.input.shape
        assert ("output0", "output1") == manifest.output.names
        assert getattr(manifest.output, "variant", "") == ("yolo" if name == "raw" else "yolo_nms")


def test_a_task_that_no_decoder_reads_is_refused(tmp_path: Path) -> None:
    (tmp_path / "turned.onnx").write_bytes(
        answering({"output0": np.zeros((1, 7, 10), np.float32)}, metadata={"task": "obb", "names": NAMES})
    )
    with pytest.raises(PackageError, match="the task 'obb'"):
        lineside("pack", tmp_path / "turned.onnx", "-o", tmp_path / "p", "--pixel-format", "RGB8")


def test_a_frame_can_lie_at_the_upper_left_of_its_letterbox(tmp_path: Path) -> None:
    """128x64 in 64x64: half the size, padding below only. (8, 4) to (24, 12) in there is (16, 8) to (48, 24)."""
    rows = np.array([[[8, 4, 24, 12, 0.9, 1]]], dtype=np.float32)
    (tmp_path / "best.onnx").write_bytes(answering({"output0": rows}))
    lineside(
        "pack", tmp_path / "best.onnx", "-o", tmp_path / "p", "--pixel-format", "RGB8", "--scale", "1/255",
        "--kind", "boxes", "--variant", "yolo_nms", "--classes", "scratch,dent", "--threshold", "0.5", "--resize",
        "letterbox", "--interpolation", "linear", "--pad-value", "114", "--letterbox-at", "top_left", *RECORD,
    )  # fmt: skip
    seen = open_detector(load_package(tmp_path / "p")).detect(
        frame(noise(64, 128, pixel_format=PixelFormat.RGB8), PixelFormat.RGB8)
    )

    box = seen.findings[0].box
    assert (16.0, 8.0, 32.0, 16.0) == (box.x_px, box.y_px, box.width_px, box.height_px)


def test_a_torchvision_export_is_known_by_its_names(tmp_path: Path) -> None:
    """torchvision's detectors take one picture without a batch, of any size."""
    graph, folder = tmp_path / "fasterrcnn.onnx", tmp_path / "models" / "frcnn"
    outputs = {
        "boxes": np.array([[4, 8, 12, 24]], dtype=np.float32),
        "labels": np.array([2], dtype=np.int64),
        "scores": np.array([0.75], dtype=np.float32),
    }
    graph.write_bytes(answering(outputs, input_shape=(3, "height", "width")))
    declared = (
        "--pixel-format", "BGR8", "--channels", "reversed", "--scale", "1/255", "--threshold", "0.5",
        "--classes", "scratch,dent", *RECORD,
    )  # fmt: skip
    with pytest.raises(ConfigError, match="--label-offset"):
        lineside("pack", graph, "-o", folder, *declared)
    said = lineside("pack", graph, "-o", folder, *declared, "--label-offset", "1")

    assert "not declared: variant = torchvision (from torchvision's output names)\n" in said
    found = open_detector(load_package(folder)).detect(
        frame(noise(40, 60, pixel_format=PixelFormat.BGR8), PixelFormat.BGR8)
    )
    assert [(each.class_name, each.box.x_px, each.box.y_px, each.box.height_px) for each in found.findings] == [
        ("dent", 4.0, 8.0, 16.0)
    ]


def test_an_anomalib_export_is_known_by_its_names(tmp_path: Path) -> None:
    graph, folder = tmp_path / "model.onnx", tmp_path / "models" / "padim"
    graph.write_bytes(
        model(
            [
                helper.make_node("ReduceMean", ["input"], ["anomaly_map"], axes=[1]),
                helper.make_node("ReduceMax", ["anomaly_map"], ["pred_score"], axes=[1, 2, 3], keepdims=0),
            ],
            [floats("input", ["batch", 3, 32, 32])],
            [floats("anomaly_map", ["batch", 1, 32, 32]), floats("pred_score", ["batch"])],
        )
    )
    lineside(
        "pack", graph, "-o", folder, "--pixel-format", "Mono8", "--channels", "repeated", "--scale", "1/255",
        "--resize", "stretch", "--interpolation", "area", "--threshold", "0.5", *RECORD,
    )  # fmt: skip
    found = open_detector(load_package(folder)).detect(frame(np.full((64, 64), 51, dtype=np.uint8)))

    assert found.score == pytest.approx(0.2)
    assert found.maps[0].step_x_px == 2.0


@pytest.mark.parametrize("kind", ["segmentation", "classes"])
def test_maps_and_classes_are_packed_with_what_is_declared(tmp_path: Path, kind: str) -> None:
    shape = (1, 2, 8, 8) if kind == "segmentation" else (1, 2)
    (tmp_path / "net.onnx").write_bytes(answering({"out": np.zeros(shape, np.float32)}))
    choice = ("--background", "good") if kind == "segmentation" else ("--good", "good")
    lineside(
        "pack", tmp_path / "net.onnx", "-o", tmp_path / "p", "--kind", kind, "--pixel-format", "RGB8",
        "--scale", "1/255", "--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225", "--threshold", "0.5",
        "--classes", "good,dent", "--activation", "softmax", *choice, *RECORD,
    )  # fmt: skip
    package = load_package(tmp_path / "p")

    assert package.class_names == ("dent",)
    assert package.manifest.input.mean == (0.485, 0.456, 0.406)
    answer = open_detector(package).detect(frame(noise(64, 64, pixel_format=PixelFormat.RGB8), PixelFormat.RGB8))
    assert answer.score == pytest.approx(0.5)


def test_all_that_is_missing_is_said_at_once_with_what_the_graph_is(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(blur())
    with pytest.raises(ConfigError) as refused:
        lineside("pack", tmp_path / "net.onnx", "-o", tmp_path / "p")

    assert refused.value.what.endswith("--pixel-format, --scale, --kind, --threshold, --licence, --made-by")
    assert "the graph takes image float32[1, 1, 32, 48] and answers map float32[1, 1, 32, 48]" in refused.value.remedy
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--pixel-format", "Grey"), "input.pixel_format: Input should be 'Mono8'"),
        (("--scale", "one"), "--scale one; expected a number, or a fraction like 1/255"),
        (("--pixel-format", "RGB8"), "shape has 1 channels in layout NCHW; expected 3 for RGB8"),
        (("--kind", "heatmap"), "kind 'heatmap'; expected one of"),
        (("--resize", "crop"), "input.resize: Input should be 'exact', 'stretch' or 'letterbox'"),
        (("--threshold", "nan"), "threshold.value"),
        (("--layout", "CHW"), "one letter for each dimension"),
        (("--size", "640"), "expected width,height in px"),
        (("--map", "mop"), "no outputs ['mop']"),
        (("--id", "../up"), "id: String should match pattern"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "net.onnx").write_bytes(blur())
    good = ("--kind", "anomaly_map", "--pixel-format", "Mono8", "--scale", "1/255", "--threshold", "0.5", *RECORD)
    with pytest.raises(ConfigError) as refused:
        lineside("pack", tmp_path / "net.onnx", "-o", tmp_path / "p", *good, *words)

    assert said in str(refused.value)
    assert not (tmp_path / "p").exists()


def test_pictures_of_real_parts_become_the_references(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(blur())
    cv2.imwrite(str(tmp_path / "grey.png"), noise(32, 48))
    cv2.imwrite(str(tmp_path / "colour.png"), noise(32, 48, pixel_format=PixelFormat.RGB8))
    (tmp_path / "none.png").write_bytes(b"\x89PNG rubbish")
    words = ("pack", tmp_path / "net.onnx", "-o", tmp_path / "p", "--kind", "anomaly_map", "--pixel-format", "Mono8",
             "--scale", "1/255", "--threshold", "0.5", *RECORD, "--reference")  # fmt: skip
    for wrong, said in (("colour.png", "declared Mono8"), ("none.png", "no picture")):
        with pytest.raises(PackageError, match=said):
            lineside(*words, tmp_path / wrong)
    assert "synthetic" not in lineside(*words, tmp_path / "grey.png")

    assert np.array_equal(noise(32, 48), load_package(tmp_path / "p").reference_frames()[0])
    with pytest.raises(PackageError, match="exists"):
        lineside(*words, tmp_path / "grey.png")
    lineside(*words, tmp_path / "grey.png", "--replace", "--revision", "2")
    assert load_package(tmp_path / "p").identity.revision == 2


def test_weights_beside_the_graph_come_along(tmp_path: Path) -> None:
    made = onnx.load_model_from_string(blur())
    onnx.save_model(made, tmp_path / "net.onnx", save_as_external_data=True, location="net.onnx.data", size_threshold=0)
    lineside(
        "pack", tmp_path / "net.onnx", "-o", tmp_path / "p", "--kind", "anomaly_map", "--pixel-format", "Mono8",
        "--scale", "1/255", "--threshold", "0.5", *RECORD,
    )  # fmt: skip

    assert "net.onnx.data" in load_package(tmp_path / "p").manifest.files
    assert "2 references reproduced on cpu" in lineside("verify", tmp_path / "p")


def test_a_size_that_the_graph_leaves_open_can_be_declared(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(blur("h", "w"))
    lineside(
        "pack", tmp_path / "net.onnx", "-o", tmp_path / "p", "--kind", "anomaly_map", "--pixel-format", "Mono8",
        "--scale", "1/255", "--threshold", "0.5", "--size", "48,32", *RECORD,
    )  # fmt: skip

    assert load_package(tmp_path / "p").manifest.input.shape == (1, 1, 32, 48)


def test_verify_says_what_was_checked_and_refuses_what_was_changed(tmp_path: Path) -> None:
    package = blur_package(tmp_path / "tiny")
    said = lineside("verify", "tiny", "--models-dir", tmp_path)
    assert f"sha256 {package.identity.sha256}: 5 files intact, 2 references reproduced on cpu" in said

    with (package.folder / "reference" / "0.npz").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(PackageError, match=r"reference/0\.npz: its SHA-256"):
        lineside("verify", package.folder)


def test_a_name_that_is_no_package_lists_those_that_are(tmp_path: Path) -> None:
    blur_package(tmp_path / "tiny")
    with pytest.raises(PackageError, match=r"no package 'tinny'; expected a folder, or a name in .*: \['tiny'\]"):
        lineside("show", "tinny", "--models-dir", tmp_path)


def test_list_shows_the_whole_and_the_damaged_and_ends_with_2_for_those(tmp_path: Path) -> None:
    blur_package(tmp_path / "tiny")
    assert "anomaly_map" in lineside("list", tmp_path)
    (blur_package(tmp_path / "worn").folder / "model.onnx").write_bytes(b"")
    result = CliRunner().invoke(models_app, ["list", str(tmp_path)])

    assert result.exit_code == 2
    assert "tiny" in result.output
    assert "damaged" in result.output
    assert "worn/model.onnx: its SHA-256" in result.output


def test_show_prints_the_manifest_and_its_hash(tmp_path: Path) -> None:
    package = blur_package(tmp_path / "tiny")
    said = lineside("show", package.folder)

    assert said.startswith(f"# tiny revision 1, anomaly_map, sha256 {package.identity.sha256}\n")
    assert said.partition("\n")[2].strip() == (package.folder / "package.toml").read_text().strip()
