"""A package in INT8: what bears it, what is compared, and that it is never called better than it is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from model_graphs import draft, floats, model
from onnx import helper
from typer.testing import CliRunner

from lineside.commands.models import models_app
from lineside.core.errors import ConfigError, PackageError
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.manifest import AnomalyMapOutput, InputSpec
from lineside.detectors.package import ModelPackage, load_package, write_package
from lineside.statistics.paired_area import area_difference
from lineside.train.quantise import QuantiseOrder, quantise
from lineside.train.quantise_comparison import Comparison, Seen

SIDE = 48


def seen(count: int, *, good: bool, original: float, quantised: float) -> list[Seen]:
    names = [f"{'good' if good else 'bad'}-{index}" for index in range(count)]
    return [
        Seen(name=name, group=name, good=good, original=original + 0.001 * index, quantised=quantised + 0.001 * index)
        for index, name in enumerate(names)
    ]


def comparison(rows: list[Seen], ratio: tuple[float, float, float] = (0.5, 0.48, 0.52)) -> Comparison:
    scores = {
        good: tuple(
            np.array([getattr(row, which) for row in rows if row.good == good]) for which in ("original", "quantised")
        )
        for good in (True, False)
    }
    area = None
    if min(len(scores[True][0]), len(scores[False][0])) >= 2:
        area = area_difference(scores[True], scores[False])
    return Comparison(
        threshold=0.5, seen=tuple(rows), original_ms=10.0, quantised_ms=5.0, ratio=ratio, original_bytes=100,
        quantised_bytes=30, area=area,
    )  # fmt: skip


GOOD, BAD = seen(12, good=True, original=0.1, quantised=0.11), seen(12, good=False, original=0.8, quantised=0.79)


# Never called better than it is


def test_faster_with_every_verdict_kept_and_the_same_order_is_better() -> None:
    assert () == comparison([*GOOD, *BAD]).against()


@pytest.mark.parametrize(
    ("ratio", "words"), [((1.3, 1.2, 1.4), "slower: 1.30 times"), ((0.97, 0.9, 1.04), "not faster: 0.97 times")]
)
def test_slower_and_not_surely_faster_are_said_in_words(ratio: tuple[float, float, float], words: str) -> None:
    (reason,) = comparison([*GOOD, *BAD], ratio).against()
    assert reason.startswith(words)


def test_a_bad_part_that_now_passes_is_worse_whatever_the_time() -> None:
    lost = Seen(name="bad-lost", group="bad-lost", good=False, original=0.6, quantised=0.4)
    found = comparison([*GOOD, *BAD, lost])

    assert ("bad-lost",) == found.changed(good=False, now_rejected=False)
    assert "worse: 1 bad parts now pass that did not before: bad-lost" in found.against()
    assert ["bad-lost"] == found.record("test")["bad_that_now_pass"]


def test_a_good_part_that_is_now_rejected_is_worse() -> None:
    found = comparison([*GOOD, *BAD, Seen(name="good-lost", group="good-lost", good=True, original=0.4, quantised=0.6)])
    assert any(reason.startswith("worse: 1 good parts are rejected") for reason in found.against())


def test_verdicts_that_became_right_are_told_and_not_held_against_it() -> None:
    found = comparison([*GOOD, *BAD, Seen(name="found", group="found", good=False, original=0.45, quantised=0.55)])

    assert ("found",) == found.changed(good=False, now_rejected=True)
    assert () == found.against()


@pytest.mark.parametrize("rows", [GOOD, [*GOOD, *BAD[:9]], [*GOOD[:3], *BAD]])
def test_too_few_parts_of_either_kind_show_nothing(rows: list[Seen]) -> None:
    assert any(reason.startswith("not shown:") for reason in comparison(rows).against())


def test_many_pictures_of_few_parts_are_few_parts() -> None:
    same = [replace(row, group="one part") for row in BAD]
    assert any(reason.startswith("not shown: 12 good and 1 bad") for reason in comparison([*GOOD, *same]).against())


def test_an_area_that_may_be_lower_is_not_called_as_good() -> None:
    """Every verdict is kept, and yet good and bad parts have moved towards each other in part of the pairs."""
    close = [
        Seen(name=f"close-{index}", group=f"close-{index}", good=True, original=0.2, quantised=0.49)
        for index in range(6)
    ]
    nearly = [
        Seen(name=f"low-{index}", group=f"low-{index}", good=False, original=0.45, quantised=0.3) for index in range(6)
    ]
    found = comparison([*GOOD, *BAD, *close, *nearly])

    assert found.area is not None
    assert found.area.value < -0.01
    assert any("can not be ruled out" in reason for reason in found.against())


# What bears it


def network(folder: Path, *, gaussian: bool = False, offset: float = 0.0) -> ModelPackage:
    """Convolutions and their mean over channels; with `gaussian`, a MatMul by a constant matrix per place as well.

    `offset` is added after the first convolution and taken away by the second: 256 levels for it leave few for more.
    """
    random = np.random.default_rng(0)
    constants: dict[str, Any] = {
        "first": (random.normal(0, 0.3, (8, 1, 3, 3))).astype(np.float32),
        "second": (random.normal(0, 0.2, (8, 8, 3, 3))).astype(np.float32),
        "last": np.full((1, 8, 1, 1), 1 / 8, np.float32),
    }
    constants["up"] = np.full(8, offset, np.float32)
    constants["down"] = -offset * constants["second"].sum(axis=(1, 2, 3))
    nodes = [
        helper.make_node("Conv", ["image", "first", "up"], ["a"], pads=[1, 1, 1, 1], name="conv_first"),
        helper.make_node("Relu", ["a"], ["b"], name="relu"),
        helper.make_node("Conv", ["b", "second", "down"], ["c"], name="conv_second"),
        helper.make_node("Relu", ["c"], ["d"], name="relu_second"),
        helper.make_node("Conv", ["d", "last"], ["e"], name="conv_last"),
    ]
    if gaussian:
        places = (SIDE - 2) ** 2
        constants |= {
            "rows": np.array([places, 1, 1], np.int64),
            "back": np.array([1, 1, SIDE - 2, SIDE - 2], np.int64),
            "whitening": np.logspace(-3, 3, places, dtype=np.float32).reshape(places, 1, 1),
        }
        nodes += [
            helper.make_node("Reshape", ["e", "rows"], ["f"], name="to_places"),
            helper.make_node("MatMul", ["f", "whitening"], ["g"], name="gauss"),
            helper.make_node("Reshape", ["g", "back"], ["map"], name="to_map"),
        ]
    else:
        nodes += [helper.make_node("Identity", ["e"], ["map"], name="as_it_is")]
    graph = model(nodes, [floats("image", [1, 1, SIDE, SIDE])], [floats("map", [1, 1, SIDE - 2, SIDE - 2])], constants)
    spec = InputSpec(name="image", shape=(1, 1, SIDE, SIDE), pixel_format=PixelFormat.MONO8, scale=1 / 255)
    return write_package(
        folder,
        graph=graph,
        draft=draft(spec, AnomalyMapOutput(map="map"), threshold=0.45),
        reference_inputs=[part(0, good=True), part(1, good=False)],
    )


def part(seed: int, *, good: bool) -> np.ndarray:
    random = np.random.default_rng(seed)
    pixels = random.normal(60, 4, (SIDE, SIDE))
    if not good:
        pixels[10:30, 10:30] = 240
    return np.clip(pixels, 0, 255).astype(np.uint8)


def test_the_gaussian_of_a_bank_stays_in_float(tmp_path: Path) -> None:
    package = network(tmp_path / "bank", gaussian=True)
    made = quantise(package, QuantiseOrder(id="small", max_change=1e9), [part(2, good=True), part(3, good=False)])

    assert "gauss" in made.in_float
    assert {"conv_first", "conv_second", "conv_last"} == set(made.in_int8)


def test_nodes_that_move_the_scores_too_far_stay_in_float(tmp_path: Path) -> None:
    package = network(tmp_path / "net", offset=500.0)
    pictures = [part(seed, good=bool(seed % 2)) for seed in range(4)]
    free = quantise(package, QuantiseOrder(id="small", max_change=1e9), pictures)
    tight = quantise(package, QuantiseOrder(id="small", max_change=0.02), pictures)

    assert free.change > 0.5
    assert tight.change <= 0.02
    assert {"conv_first", "conv_second"} == set(tight.in_float)
    assert ("conv_last",) == tight.in_int8


def test_a_graph_that_bears_no_int8_is_an_error_that_says_what_may_be_done(tmp_path: Path) -> None:
    package = network(tmp_path / "net", gaussian=False)
    with pytest.raises(PackageError, match="whichever nodes") as refused:
        quantise(package, QuantiseOrder(id="small", max_change=0.0), [part(0, good=True), part(1, good=False)])
    assert "--max-change" in refused.value.remedy


def test_a_node_that_is_excluded_stays_in_float_and_an_unknown_one_is_an_error(tmp_path: Path) -> None:
    package = network(tmp_path / "net", gaussian=False)
    made = quantise(package, QuantiseOrder(id="small", max_change=1e9, left_out=("conv_first",)), [part(0, good=True)])

    assert "conv_first" in made.in_float
    with pytest.raises(PackageError, match="conv_first"):
        quantise(package, QuantiseOrder(id="small", left_out=("stem",)), [part(0, good=True)])


# The command


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """models/net and pictures: 30 good and 30 bad, dealt to the splits by the command."""
    network(tmp_path / "models" / "net", gaussian=False)
    for kind, is_good in (("good", True), ("defect", False)):
        (tmp_path / "pictures" / kind).mkdir(parents=True)
        for index in range(30):
            pixels = part(100 + index + 1000 * is_good, good=is_good)
            cv2.imwrite(str(tmp_path / "pictures" / kind / f"{index}.png"), pixels)
    return tmp_path


def quantize(project: Path, *more: str) -> tuple[int, str]:
    words = ("quantize", "net", str(project / "pictures"), "-o", str(project / "models" / "net-int8"))
    done = CliRunner().invoke(
        models_app, [*words, "--models-dir", str(project / "models"), *more], catch_exceptions=False
    )
    return done.exit_code, done.output


def test_what_is_not_shown_to_be_better_is_kept_only_when_asked(project: Path) -> None:
    """6 good and 6 bad parts are too few to show anything, however fast it is."""
    code, said = quantize(project)

    assert 1 == code
    assert "against it  not shown: 6 good and 6 bad held-out parts" in said
    assert "not kept: tiny in INT8 is not shown to be better" in said
    assert not (project / "models" / "net-int8").exists()
    assert (project / "models" / "net-int8-quantised.png").stat().st_size > 1000

    code, said = quantize(project, "--keep-anyway")
    assert 0 == code
    assert "kept although it is not shown to be better" in said

    kept = load_package(project / "models" / "net-int8")
    record = kept.manifest.training
    assert load_package(project / "models" / "net").identity.sha256 == record["quantised_from"]["sha256"]
    assert "12 of test, of which 6 good" == record["compared"]["pictures"]
    assert record["compared"]["not_better_because"]
    assert kept.threshold == 0.45
    assert kept.manifest.threshold.set_by.startswith("of the original")


def test_files_of_another_format_and_size_are_read_as_they_are_declared(project: Path) -> None:
    """Colour files, some of them larger, for a camera that sends grey."""
    for index, path in enumerate(sorted((project / "pictures").rglob("*.png"))):
        pixels = cv2.imread(str(path))
        larger = cv2.resize(pixels, None, fx=2, fy=2) if index % 3 == 1 else pixels
        cv2.imwrite(str(path), larger)

    with pytest.raises(ConfigError, match="in Mono8"):
        quantize(project)
    code, said = quantize(project, "--file-pixel-format", "BGR8", "--fit", "resize", "--keep-anyway")

    assert 0 == code, said
    assert "calibrated  on 36 pictures of train" in said
    assert "compared  on 12 pictures of test, 6 good" in said


def test_pictures_that_the_package_was_made_of_are_no_comparison(project: Path) -> None:
    """The package's own record names every picture as one of train."""
    from lineside.core.identity import sha256_of_file

    rows = ["file,split,label,class,group,sha256"]
    rows += [
        f"{path.name},train,good,,{path.name},{sha256_of_file(path)}"
        for path in sorted((project / "pictures").rglob("*.png"))
    ]
    package = load_package(project / "models" / "net")
    manifest = package.manifest
    write_package(
        package.folder,
        graph=package.graph_path.read_bytes(),
        draft=draft(manifest.input, manifest.output, threshold=0.45),
        reference_inputs=[part(0, good=True)],
        other_files={"training/split.csv": "\n".join(rows).encode()},
        replace=True,
    )
    with pytest.raises(ConfigError, match="pictures of test are ones that tiny was made of"):
        quantize(project)


def test_the_shipped_package_is_made_of_rendered_parts_which_are_no_files() -> None:
    """Its record lists them without a hash: no picture of anybody's can be one of them."""
    from lineside.qualify.data_identity import training_hashes

    assert (True, {}) == training_hashes(Path(__file__).parents[2] / "models" / "demo-plate")
