"""`lineside train segment` and `synthetic`: from labelled pictures to a package that a station runs."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
import typer
from small_project import make_project, running
from typer.testing import CliRunner, Result

from lineside.cameras.scenes import Rendering, SceneOptions, render
from lineside.client import Outcome, StationClient
from lineside.commands.train import train_app
from lineside.commands.train_words import fitting_progress
from lineside.core.errors import ConfigError
from lineside.core.frame import Frame
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.manifest import AnomalyMapOutput, SegmentationOutput
from lineside.detectors.onnx_detector import open_detector
from lineside.detectors.package import ModelPackage, load_package
from lineside.train.bank_choice import auroc
from lineside.train.dataset import SplitOrder, read_dataset
from lineside.train.segment_order import SegmentOrder
from lineside.train.segment_package import train_segment
from lineside.train.training_images import ImageSource

WIDTH_PX, HEIGHT_PX = 160, 120
ENOUGH_STEPS = 60
"""For rendered plates of this size: it is no benchmark, but it has to learn."""


def plate(seed: int, index: int, *, bad: bool, pixel_format: PixelFormat = PixelFormat.MONO8) -> Rendering:
    options = SceneOptions(
        width_px=WIDTH_PX, height_px=HEIGHT_PX, defect_rate=1.0 if bad else 0.0, pixel_format=pixel_format
    )
    return render("plate", seed, index, options)


def photographed(folder: Path, good: int = 14, bad: int = 12, *, masks: bool = True) -> Path:
    for kind in ("good", "defect/flaw", *(["masks/flaw"] if masks else [])):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for index in range(good):
        cv2.imwrite(str(folder / "good" / f"{index:02d}.png"), plate(8, index, bad=False).pixels)
    for index in range(bad):
        scene = plate(9, index, bad=True)
        cv2.imwrite(str(folder / "defect/flaw" / f"{index:02d}.png"), scene.pixels)
        if masks:
            cv2.imwrite(str(folder / "masks/flaw" / f"{index:02d}.png"), scene.mask.astype(np.uint8) * 255)
    return folder


def train(*words: object) -> Result:
    return CliRunner().invoke(train_app, [*map(str, words)])


def made(*words: object) -> tuple[ModelPackage, str]:
    result = train(*words)

    assert 0 == result.exit_code, (result.output, result.exception)
    return load_package(Path(str(words[words.index("-o") + 1]))), result.output


def refusal(*words: object) -> ConfigError:
    result = train(*words)

    assert isinstance(result.exception, ConfigError), (result.output, result.exception)
    return result.exception


@dataclass(frozen=True)
class Trained:
    data: Path
    package: ModelPackage
    output: str


@pytest.fixture(scope="module")
def segmented(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("segmented")
    data = photographed(folder / "data")
    words = ("--steps", ENOUGH_STEPS, "--patience", 0, "--test-share", 0, "--val-share", 0.3)
    package, output = made("segment", data, "-o", folder / "plate", *words)
    return Trained(data, package, output)


def scores(package: ModelPackage, *, bad: bool) -> list[float]:
    """Of twelve plates that nobody has seen."""
    detector = open_detector(package)
    scenes = [plate(77 if bad else 78, index, bad=bad) for index in range(12)]
    return [detector.detect(frame_of(scene)).score for scene in scenes]


def frame_of(scene: Rendering) -> Frame:
    return Frame(
        view="top", pixels=scene.pixels, pixel_format=PixelFormat.MONO8, frame_id=0,
        captured_utc_ns=0, captured_mono_ns=0, camera_serial="test",
    )  # fmt: skip


def test_the_package_tells_bad_plates_that_it_has_not_seen(segmented: Trained) -> None:
    good, bad = (np.array(scores(segmented.package, bad=kind)) for kind in (False, True))

    assert auroc(good, bad) > 0.7  # by chance it is 0.5, with a spread of 0.12 for twelve and twelve
    assert 0 <= min(good.min(), bad.min()) <= max(good.max(), bad.max()) <= 1


def test_what_it_marks_is_where_the_flaw_is(segmented: Trained) -> None:
    detector = open_detector(segmented.package)
    inside, outside = [], []
    for index in range(8):
        scene = plate(79, index, bad=True)
        (marked,) = detector.detect(frame_of(scene)).maps
        small = cv2.resize(scene.mask.astype(np.float32), marked.values.shape[::-1], interpolation=cv2.INTER_AREA)
        inside.append(marked.values[small > 0.5].mean())
        outside.append(marked.values[small == 0].mean())

    assert np.mean(inside) > 5 * np.mean(outside)


def test_the_package_is_a_segmentation_with_its_record(segmented: Trained) -> None:
    manifest = segmented.package.manifest
    record = manifest.training

    assert isinstance(manifest.output, SegmentationOutput)
    assert (("flaw",), 0.5) == (manifest.output.classes, manifest.threshold.value)
    assert record["network"]["parameters"] < 300_000
    assert record["network"]["ms_on_one_core"] > 0
    assert "allowed 0.001" in record["network"]["graph_against_torch"]
    assert ENOUGH_STEPS == record["fit"]["steps"]
    assert record["fit"]["device"].startswith("CPU")
    assert {"lineside", "torch", "numpy", "opencv", "onnx"} == record["versions"].keys()
    curves = cv2.imread(str(segmented.package.folder / record["fit"]["curves"]))
    assert curves.shape == (600, 900, 3)
    listed = (segmented.package.folder / record["pictures"]["listed_in"]).read_text()
    assert 27 == len(listed.splitlines())


def test_the_summary_says_how_it_went_and_what_to_do_next(segmented: Trained) -> None:
    for words in ("parameters", "ms a frame on one core", "ended by all steps", "curves.png", "lineside models verify"):
        assert words in segmented.output
    assert cv2.imread(str(segmented.package.folder.with_name("plate-network.png"))) is not None
    assert not list(segmented.package.folder.parent.glob(".*checkpoint*")), "a finished fit leaves no checkpoint"


async def test_a_station_runs_it_on_plates_that_it_has_not_seen(segmented: Trained, tmp_path: Path) -> None:
    """Three good and three bad ones: the station says of each what the package's own answers say."""
    shown = tmp_path / "shown"
    shown.mkdir()
    expected = {}
    detector = open_detector(segmented.package)
    for index in range(6):
        scene = plate(80, index, bad=index % 2 == 1)
        cv2.imwrite(str(shown / f"{index}.png"), scene.pixels)
        fails = detector.detect(frame_of(scene)).score >= detector.threshold
        expected[f"{index}.png"] = Outcome.FAIL if fails else Outcome.PASS
    assert len(set(expected.values())) == 2, "it tells some from others"
    station_file = make_project(
        tmp_path, camera=f'backend = "folder"\npath = "{shown}"', size_px=(WIDTH_PX, HEIGHT_PX), due_ms=10_000
    )
    recipe = tmp_path / "models" / "recipes" / "small.toml"
    text = recipe.read_text().replace('package = "small"', 'package = "plate"')
    recipe.write_text(text.replace("max_count = 3", "max_count = 0"))
    (tmp_path / "models" / "plate").symlink_to(segmented.package.folder)

    with running(station_file) as station:
        told = {}
        async with StationClient(station.address) as client, client.verdicts(after_sequence=0) as reader:
            async for verdict in reader:
                told[verdict.part_id] = verdict.outcome
                if len(told) == len(expected):
                    break
        station_process = psutil.Process(station.process.pid)
        everyone = [station_process, *station_process.children(recursive=True)]
        loaded = {mapped.path for process in everyone for mapped in process.memory_maps()}

    assert expected == told
    assert any("onnxruntime" in path for path in loaded)
    assert not [path for path in loaded if "torch" in Path(path).name], "a station has no torch in it"


def test_from_good_plates_alone_it_is_an_anomaly_map(tmp_path: Path) -> None:
    data = photographed(tmp_path / "data", bad=0)

    package, output = made("synthetic", data, "-o", tmp_path / "plate", "--steps", 12, "--test-share", 0)

    assert isinstance(package.manifest.output, AnomalyMapOutput)
    assert 1.0 == package.threshold
    assert package.manifest.made_by.endswith("synthetic")
    assert "0 bad learned from" in output
    assert 0 == package.manifest.training["pictures"]["train_bad_with_mask"]


def test_colour_of_twelve_bits_and_parts_that_are_located(tmp_path: Path) -> None:
    """A part of another place and turn in each picture, in colour; the usual picture is compared with."""
    rng = np.random.default_rng(5)
    (tmp_path / "data" / "good").mkdir(parents=True)
    for index in range(12):
        picture = np.full((HEIGHT_PX, WIDTH_PX, 3), 235, np.uint8)
        cv2.rectangle(picture, (50, 40), (110, 80), (90, 120, 60), -1)
        cv2.circle(picture, (65, 60), 8, (30, 40, 160), -1)
        turn = cv2.getRotationMatrix2D((80, 60), rng.uniform(-20, 20), 1)
        turn[:, 2] += rng.uniform(-8, 8, 2)
        moved = cv2.warpAffine(picture, turn, (WIDTH_PX, HEIGHT_PX), borderValue=(235, 235, 235))
        noisy = np.clip(moved + rng.normal(0, 2, moved.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(tmp_path / "data" / "good" / f"{index:02d}.png"), noisy)

    words = ("--locate-by", "outline", "--steps", 4, "--test-share", 0)
    package, _ = made("synthetic", tmp_path / "data", "-o", tmp_path / "part", *words)

    assert package.manifest.input.locate is not None
    assert package.manifest.training["settings"]["compared_with_the_usual_picture"] is True
    assert "cpu" == open_detector(package).provider


def test_stopped_and_resumed_it_makes_the_same_graph(tmp_path: Path) -> None:
    data = photographed(tmp_path / "data", 10, 8)
    split = SplitOrder(test_share=0.0)
    words = ("--steps", 8, "--test-share", 0)
    whole, _ = made("segment", data, "-o", tmp_path / "whole", *words)

    def stop(done: int, told: str) -> None:
        if done == 3:
            signal.raise_signal(signal.SIGINT)

    dataset = read_dataset(data, split)
    source = ImageSource(pixel_format=PixelFormat.MONO8, size_px=(WIDTH_PX, HEIGHT_PX))
    order = SegmentOrder(
        id="plate", licence="proprietary", pixel_format=source.pixel_format, size_px=source.size_px, masks=True, steps=8
    )
    with pytest.raises(KeyboardInterrupt):
        train_segment(
            tmp_path / "plate", order, dataset.for_training(),
            read=source.read, read_mask=source.read_mask, listing=dataset.listing(), report=stop,
        )  # fmt: skip
    assert "--resume" in refusal("segment", data, "-o", tmp_path / "plate", *words).remedy
    assert (
        "another training" in refusal("segment", data, "-o", tmp_path / "plate", *words, "--seed", 1, "--resume").what
    )
    resumed, output = made("segment", data, "-o", tmp_path / "plate", *words, "--resume")

    assert "resumed at 3" in output
    assert whole.graph_path.read_bytes() == resumed.graph_path.read_bytes()


def test_a_stopped_training_says_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as end, fitting_progress(3, 10, tmp_path / "plate"):
        raise KeyboardInterrupt

    assert 130 == end.value.exit_code
    assert "--resume goes on" in capsys.readouterr().err


def test_without_masks_it_says_what_is_missing_and_what_works_without(tmp_path: Path) -> None:
    data = photographed(tmp_path / "data", masks=False)

    error = refusal("segment", data, "-o", tmp_path / "plate")

    assert "0 of them with a mask" in error.what
    assert "lineside train synthetic" in error.remedy
    assert not (tmp_path / "plate").exists()


@pytest.mark.parametrize("method", ["segment", "synthetic"])
def test_too_few_good_pictures_are_refused(tmp_path: Path, method: str) -> None:
    data = photographed(tmp_path / "data", good=5)

    assert "expected at least 8" in str(refusal(method, data, "-o", tmp_path / "plate"))


def test_good_pictures_of_one_part_alone_are_refused(tmp_path: Path) -> None:
    """Nothing can be kept back to check on that was not learned from."""
    data = photographed(tmp_path / "data")
    rows = [f"good/{index:02d}.png,train,good,part-1" for index in range(14)]
    (data / "split.csv").write_text("\n".join(("file,split,label,group", *rows)))

    assert "in groups of their own" in refusal("synthetic", data, "-o", tmp_path / "plate").expected


def test_a_mask_of_another_size_than_its_picture_is_named(tmp_path: Path) -> None:
    data = photographed(tmp_path / "data")
    cv2.imwrite(str(data / "masks/flaw/03.png"), np.zeros((60, 80), np.uint8))

    error = refusal("segment", data, "-o", tmp_path / "plate", "--test-share", 0, "--fit", "resize")

    assert "03.png" in error.what


def test_another_device_than_there_is_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    data = photographed(tmp_path / "data")

    assert "expected auto, cpu, cuda" in str(refusal("segment", data, "-o", tmp_path / "plate", "--device", "tpu"))
