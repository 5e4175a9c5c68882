"""A detector says what it was declared to say, on what it was declared to run on, the same each time."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_graphs import answering, blur, blur_package, blur_spec, draft, floats, frame, model, noise
from onnx import TensorProto, helper

from lineside.core.errors import FrameError, InspectorLost, ModelError, PackageError, ProviderError
from lineside.core.finding import Box, Detection
from lineside.core.frame import Frame
from lineside.core.pixel_format import PixelFormat
from lineside.core.ports import Detector
from lineside.detectors.manifest import AnomalyMapOutput, BoxesOutput, InputSpec
from lineside.detectors.onnx_detector import OnnxDetector, open_detector
from lineside.detectors.package import ModelPackage, write_package
from lineside.detectors.preparation import Preparation
from lineside.detectors.session import KNOWN_PROVIDERS, available_providers

CPU_ONLY = available_providers() == ("cpu",)
needs_cpu_only = pytest.mark.skipif(not CPU_ONLY, reason="this machine has more than the CPU provider")


@pytest.fixture
def package(tmp_path: Path) -> ModelPackage:
    return blur_package(tmp_path / "tiny")


def spec(**changes: Any) -> InputSpec:
    return blur_spec(**changes)


# What it says


def test_a_detector_is_what_the_station_expects(package: ModelPackage) -> None:
    detector: Detector = open_detector(package)

    assert (detector.identity, detector.provider, detector.threshold) == (package.identity, "cpu", 0.5)


def test_the_map_lies_over_the_frame(package: ModelPackage) -> None:
    pixels = np.zeros((32, 48), dtype=np.uint8)
    pixels[10:13, 20:23] = 255
    scores = open_detector(package).detect(frame(pixels)).maps[0]

    assert scores.values.shape == (32, 48)
    assert np.unravel_index(scores.values.argmax(), scores.values.shape) == (11, 21)
    assert float(scores.values[11, 21]) == pytest.approx(1.0)


def test_the_same_frame_gets_the_same_bytes(package: ModelPackage) -> None:
    detector, other = open_detector(package), open_detector(package)
    looked_at = frame(noise(32, 48))
    first = detector.detect(looked_at).maps[0].values.tobytes()
    detector.detect(frame(noise(32, 48, seed=7)))
    detector.keep_warm()

    assert first == detector.detect(looked_at).maps[0].values.tobytes()
    assert first == other.detect(looked_at).maps[0].values.tobytes()


def test_several_frames_in_a_row_are_answered_as_each_alone_and_one_that_is_wrong_costs_no_other(
    package: ModelPackage,
) -> None:
    detector = open_detector(package)
    frames = [frame(noise(32, 48, seed=seed)) for seed in range(3)]
    wrong = frame(noise(32, 48, pixel_format=PixelFormat.RGB8), PixelFormat.RGB8)
    alone = [detector.detect(each).maps[0].values.tobytes() for each in frames]
    first, refused, *others = detector.detect_each([frames[0], wrong, *frames[1:]])

    assert isinstance(refused, FrameError)
    answers = [each for each in (first, *others) if isinstance(each, Detection)]
    assert [each.maps[0].values.tobytes() for each in answers] == alone
    assert detector.detect_each([]) == []


def test_an_answer_is_not_overwritten_by_the_next(package: ModelPackage) -> None:
    detector = open_detector(package)
    first = detector.detect(frame(noise(32, 48)))
    kept = first.maps[0].values.copy()
    detector.detect(frame(noise(32, 48, seed=1)))
    detector.keep_warm()

    assert np.array_equal(kept, first.maps[0].values)


def test_the_frame_is_left_as_it_was(package: ModelPackage) -> None:
    pixels = noise(32, 48)
    pixels.flags.writeable = False
    open_detector(package).detect(frame(pixels))

    assert np.array_equal(noise(32, 48), pixels)


def test_keeping_warm_needs_no_frame_and_changes_nothing(package: ModelPackage) -> None:
    detector = OnnxDetector(package)
    detector.keep_warm()

    assert detector.last_infer_ns == 0
    detector.detect(frame(noise(32, 48)))
    assert detector.last_infer_ns > 0


def test_a_box_in_a_letterboxed_colour_frame_lies_where_it_is(tmp_path: Path) -> None:
    """128x64 in 64x64: half the size, 16 px above. (8, 20) to (24, 28) in there is (16, 8) to (48, 24)."""
    rows = np.array([[[8, 20, 24, 28, 0.9, 1]]], dtype=np.float32)
    package = write_package(
        tmp_path / "boxes",
        graph=answering({"out": rows}),
        draft=draft(
            InputSpec(
                name="images",
                shape=(1, 3, 64, 64),
                pixel_format=PixelFormat.BGR8,
                channels="reversed",
                resize="letterbox",
                interpolation="linear",
                pad_value=114,
                scale=1 / 255,
            ),
            BoxesOutput(variant="yolo_nms", boxes="out", classes=("scratch", "dent"), min_score=0.1),
        ),
        reference_inputs=[noise(64, 128, pixel_format=PixelFormat.BGR8)],
    )
    found = open_detector(package).detect(frame(noise(64, 128, pixel_format=PixelFormat.BGR8), PixelFormat.BGR8))

    assert [each.class_name for each in found.findings] == ["dent"]
    assert found.findings[0].box == Box(x_px=16.0, y_px=8.0, width_px=32.0, height_px=16.0)


# What goes in


@pytest.mark.parametrize("layout", ["NCHW", "NHWC", "CHW", "HWC"])
@pytest.mark.parametrize(
    ("pixel_format", "channels"),
    [
        (PixelFormat.MONO8, "same"),
        (PixelFormat.MONO8, "repeated"),
        (PixelFormat.MONO16, "same"),
        (PixelFormat.RGB8, "same"),
        (PixelFormat.RGB8, "reversed"),
    ],
)
def test_values_are_normalised_per_channel_in_every_layout(
    layout: str, pixel_format: PixelFormat, channels: str
) -> None:
    count = 3 if channels == "repeated" else pixel_format.channels
    sizes = {"N": 1, "C": count, "H": 5, "W": 7}
    mean, std = (0.5, 0.25, 0.125)[:count], (0.5, 2.0, 4.0)[:count]
    declared = InputSpec(
        name="image",
        shape=tuple(sizes[axis] for axis in layout),
        layout=layout,
        pixel_format=pixel_format,
        channels=channels,
        scale=1 / 255,
        mean=mean,
        std=std,
    )
    pixels = noise(5, 7, pixel_format=pixel_format)
    tensor, _ = Preparation(declared).prepare(pixels)

    planes = np.atleast_3d(pixels).astype(np.float64)
    if channels == "reversed":
        planes = planes[:, :, ::-1]
    expected = (planes / 255 - np.array(mean)) / np.array(std)
    order = ["HWC".index(axis) for axis in layout if axis != "N"]
    assert tensor.dtype == np.float32
    assert tensor.shape == tuple(sizes[axis] for axis in layout)
    assert tensor.reshape([sizes[axis] for axis in layout if axis != "N"]) == pytest.approx(
        expected.transpose(order), abs=1e-4, rel=1e-6
    )


@pytest.mark.parametrize("pixel_format", [PixelFormat.MONO8, PixelFormat.MONO16])
def test_pixels_go_in_as_they_are_where_the_graph_normalises(pixel_format: PixelFormat) -> None:
    pixels = noise(32, 48, pixel_format=pixel_format)
    for dtype in (str(pixel_format.dtype), "float32"):
        tensor, _ = Preparation(spec(pixel_format=pixel_format, dtype=dtype, scale=None, in_graph=True)).prepare(pixels)
        assert tensor.dtype == dtype
        assert np.array_equal(pixels, tensor[0, 0])


def test_a_letterbox_keeps_the_proportions_and_pads_with_the_declared_value() -> None:
    declared = spec(shape=(1, 1, 40, 40), resize="letterbox", interpolation="linear", pad_value=51, scale=1 / 255)
    preparation = Preparation(declared)
    for _ in range(2):  # the second frame finds the padding still there
        tensor, place = preparation.prepare(np.full((30, 60), 255, dtype=np.uint8))
        assert (place.content_width_px, place.content_height_px, place.left_px, place.top_px) == (40, 20, 0, 10)
        assert tensor[0, 0, 10:30] == pytest.approx(1.0)
        assert tensor[0, 0, :10] == pytest.approx(0.2)
        assert tensor[0, 0, 30:] == pytest.approx(0.2)


def test_frames_of_several_sizes_take_turns() -> None:
    preparation = Preparation(spec(resize="stretch", interpolation="area"))
    for height, width in ((64, 96), (32, 48), (64, 96)):
        tensor, place = preparation.prepare(np.full((height, width), 51, dtype=np.uint8))
        assert tensor == pytest.approx(0.2)
        assert (place.step_x, place.step_y) == (width / 48, height / 32)


def test_an_open_shape_takes_frames_as_they_are(tmp_path: Path) -> None:
    package = write_package(
        tmp_path / "open",
        graph=blur("height", "width"),
        draft=draft(spec(shape=(1, 1, "dynamic", "dynamic")), AnomalyMapOutput(map="map")),
        reference_inputs=[noise(32, 48)],
    )
    detector = open_detector(package)

    assert detector.detect(frame(noise(50, 20))).maps[0].values.shape == (50, 20)
    assert detector.detect(frame(noise(20, 50))).maps[0].values.shape == (20, 50)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (frame(noise(32, 48, pixel_format=PixelFormat.RGB8), PixelFormat.RGB8), "a frame in RGB8; expected Mono8"),
        (frame(noise(32, 40)), "a frame of 40x32 px; expected exactly 48x32 px"),
        (frame(noise(32, 48, pixel_format=PixelFormat.MONO16)), "declared Mono8 is an array uint16"),
        (frame(np.zeros((32, 48, 1), dtype=np.uint8)), "declared Mono8 is an array"),
        (frame(np.zeros((0, 48), dtype=np.uint8)), "has no pixels"),
    ],
)
def test_a_frame_of_another_kind_is_refused(package: ModelPackage, given: Frame, said: str) -> None:
    detector = open_detector(package)
    with pytest.raises(FrameError) as refused:
        detector.detect(given)
    assert said in str(refused.value)
    assert detector.detect(frame(noise(32, 48))).maps


def test_a_pixel_brighter_than_its_format_can_be_is_refused(tmp_path: Path) -> None:
    package = write_package(
        tmp_path / "twelve",
        graph=blur(),
        draft=draft(spec(pixel_format=PixelFormat.MONO12, scale=1 / 4095), AnomalyMapOutput(map="map")),
        reference_inputs=[noise(32, 48, pixel_format=PixelFormat.MONO12)],
    )
    pixels = noise(32, 48, pixel_format=PixelFormat.MONO12)
    pixels[3, 3] = 4096

    with pytest.raises(FrameError, match="4096; expected at most 4095 in Mono12"):
        open_detector(package).detect(frame(pixels, PixelFormat.MONO12))


# What runs it


@needs_cpu_only
@pytest.mark.parametrize("name", [name for name in KNOWN_PROVIDERS if name != "cpu"])
def test_a_provider_that_is_not_there_is_refused_and_never_replaced(package: ModelPackage, name: str) -> None:
    with pytest.raises(ProviderError) as refused:
        open_detector(package, providers=(name,))

    assert f"not run by the declared provider ['{name}']" in refused.value.what
    assert "['cpu']" in refused.value.expected
    assert "lineside[" in refused.value.remedy


@needs_cpu_only
def test_a_declared_fallback_is_taken_and_reported(package: ModelPackage) -> None:
    assert open_detector(package, providers=("tensorrt", "cuda", "cpu")).provider == "cpu"


@pytest.mark.parametrize("providers", [(), ("gpu",), ("CPUExecutionProvider",), ("cpu", "cpu"), ("cpu", "rocm")])
def test_a_provider_of_unknown_name_lists_the_known(package: ModelPackage, providers: tuple[str, ...]) -> None:
    with pytest.raises(ProviderError, match=r"expected one or more of \['cpu', 'cuda', 'tensorrt', 'openvino'\]"):
        open_detector(package, providers=providers)


def test_nothing_is_printed_whatever_goes_wrong(package: ModelPackage, capfd: pytest.CaptureFixture[str]) -> None:
    """ONNX Runtime's own lines would stand between those of the journal."""
    open_detector(package, providers=("cuda", "cpu") if CPU_ONLY else ("cpu",))
    (package.folder / "model.onnx").write_bytes(b"rubbish")
    with pytest.raises(PackageError):
        OnnxDetector(package)

    assert tuple(capfd.readouterr()) == ("", "")


def test_no_trace_of_the_run_is_kept_or_sent(package: ModelPackage, tmp_path: Path) -> None:
    """ONNX Runtime's wheels report to their maker by default, with a device id under $HOME and a session in $TMPDIR."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if "TELEMETRY" not in name and name != "CI"}
    code = (
        "import sys; from pathlib import Path\n"
        "from lineside.detectors.onnx_detector import open_detector\n"
        "from lineside.detectors.package import load_package\n"
        "print(open_detector(load_package(Path(sys.argv[1]))).provider)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(package.folder)],
        env={**environment, "HOME": str(home), "TMPDIR": str(home), "XDG_CACHE_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert (ran.stdout, ran.stderr) == ("cpu\n", "")
    assert list(home.rglob("*")) == []


# What goes wrong in the graph


def test_a_graph_that_answers_with_nan_is_a_model_error_and_the_next_part_is_judged(tmp_path: Path) -> None:
    """log(pixel / 255): a black pixel is minus infinity."""
    package = write_package(
        tmp_path / "log",
        graph=model(
            [helper.make_node("Log", ["image"], ["map"])],
            [floats("image", [1, 1, 32, 48])],
            [floats("map", [1, 1, 32, 48])],
        ),
        draft=draft(spec(), AnomalyMapOutput(map="map")),
        reference_inputs=[np.full((32, 48), 200, dtype=np.uint8)],
    )
    detector = open_detector(package)
    pixels = np.full((32, 48), 255, dtype=np.uint8)
    pixels[4, 4] = 0

    with pytest.raises(ModelError, match="1 of 1536 values that are NaN or infinite"):
        detector.detect(frame(pixels))
    assert detector.detect(frame(np.full((32, 48), 255, dtype=np.uint8))).score == 0.0


def test_a_graph_that_fails_at_run_time_is_a_model_error(tmp_path: Path) -> None:
    """The graph says that it takes any size, and adds something that only fits one."""
    package = write_package(
        tmp_path / "brittle",
        graph=model(
            [helper.make_node("Add", ["image", "plane"], ["map"])],
            [floats("image", [1, 1, "h", "w"])],
            [floats("map", [1, 1, "h", "w"])],
            {"plane": np.ones((1, 1, 32, 48), dtype=np.float32)},
        ),
        draft=draft(spec(shape=(1, 1, "dynamic", "dynamic")), AnomalyMapOutput(map="map")),
        reference_inputs=[noise(32, 48)],
    )
    with pytest.raises(ModelError, match=r"the graph failed on cpu for an input float32\[1, 1, 31, 47\]"):
        open_detector(package).detect(frame(noise(31, 47)))


def test_a_graph_that_gets_no_memory_ends_its_process_and_is_no_fault_of_the_picture(tmp_path: Path) -> None:
    """A white picture makes the graph ask for more than there are addresses, a black one for nothing."""
    steps = [
        ("ReduceMax", ["image"], {"keepdims": 0}),
        ("Mul", ["$", "floats"], {}),
        ("Cast", ["$"], {"to": TensorProto.INT64}),
        ("Reshape", ["$", "one"], {}),
        ("Max", ["$", "one"], {}),
        ("ConstantOfShape", ["$"], {}),
        ("ReduceMax", ["$"], {"keepdims": 0}),
    ]
    nodes = [
        helper.make_node(kind, [name.replace("$", f"step{at - 1}") for name in inputs], [f"step{at}"], **attributes)
        for at, (kind, inputs, attributes) in enumerate(steps)
    ]
    package = write_package(
        tmp_path / "hungry",
        graph=model(
            [*nodes, helper.make_node("Add", ["image", f"step{len(steps) - 1}"], ["map"])],
            [floats("image", [1, 1, 32, 48])],
            [floats("map", [1, 1, 32, 48])],
            {"floats": np.float32(2**46), "one": np.array([1], np.int64)},
        ),
        draft=draft(spec(), AnomalyMapOutput(map="map")),
        reference_inputs=[np.zeros((32, 48), dtype=np.uint8)],
    )
    detector = open_detector(package)

    with pytest.raises(InspectorLost, match="no memory for the graph on cpu"):
        detector.detect(frame(np.full((32, 48), 255, dtype=np.uint8)))
