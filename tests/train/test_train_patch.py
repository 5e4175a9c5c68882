"""`lineside train backbone` and `patch`: from good pictures alone to a package that a station runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from rendered_plates import HEIGHT_PX, WIDTH_PX, frame_of, made, photographed, plate, refusal, said
from small_project import make_project, running

from lineside.client import Outcome, StationClient
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.manifest import AnomalyMapOutput
from lineside.detectors.onnx_detector import open_detector
from lineside.detectors.package import ModelPackage
from lineside.train.backbone_file import read_backbone
from lineside.train.bank import BankSettings, CodeBook, cell_map, fit_bank, map_blur
from lineside.train.bank_choice import auroc
from lineside.train.networks import NETWORKS
from lineside.train.patch_graph import GaussianDistance, MemoryDistance
from lineside.train.patch_model import coreset, memory_of
from lineside.train.places import Moments, PlaceSettings

STEPS = 60
"""For rendered plates of this size: it is no benchmark, but it has to learn."""


@dataclass(frozen=True)
class Trained:
    data: Path
    weights: Path
    package: ModelPackage
    backbone_said: str
    patch_said: str


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("patch")
    data, weights = photographed(folder / "data", 24), folder / "plates.pt"
    backbone_said = said("backbone", data, "-o", weights, "--steps", STEPS, "--test-share", 0)
    package, patch_said = made("patch", data, "-o", folder / "plate", "--weights", weights, "--test-share", 0)
    return Trained(data, weights, package, backbone_said, patch_said)


def scores(package: ModelPackage, *, bad: bool) -> np.ndarray:
    """Of twelve plates that nobody has seen."""
    detector = open_detector(package)
    return np.array([detector.detect(frame_of(plate(77 if bad else 78, index, bad=bad))).score for index in range(12)])


def test_the_package_tells_bad_plates_though_it_has_seen_good_ones_only(trained: Trained) -> None:
    assert auroc(scores(trained.package, bad=False), scores(trained.package, bad=True)) > 0.85


def test_the_package_is_an_anomaly_map_with_its_record(trained: Trained) -> None:
    manifest = trained.package.manifest
    training, backbone = manifest.training, read_backbone(trained.weights)

    assert isinstance(manifest.output, AnomalyMapOutput)
    assert 1.0 == manifest.threshold.value
    assert manifest.made_by.endswith("patch")
    assert ("small", backbone.sha256) == (training["backbone"]["network"], training["backbone"]["weights_sha256"])
    assert training["network"]["parameters"] > 100_000
    assert training["network"]["ms_on_one_core"] > 0
    assert ("gaussian", True) == (training["settings"]["model"], training["settings"]["filters"]), "the usual one"
    assert {"training/split.csv"} <= set(manifest.files)


def test_what_was_made_and_what_to_do_next_is_said(trained: Trained) -> None:
    for words in ("good ones learned from", "kept back", "lineside train patch DATA", "loss on pictures kept back"):
        assert words in trained.backbone_said
    for words in ("of test not opened", "by lineside train backbone", "ms a frame on one core", "models verify"):
        assert words in trained.patch_said
    for picture in ("plates-curves.png", "plate-patch.png"):
        assert cv2.imread(str(trained.weights.with_name(picture))) is not None
    assert not list(trained.weights.parent.glob(".*")), "no checkpoint, nothing half written"


async def test_a_station_runs_it_on_plates_that_it_has_not_seen(trained: Trained, tmp_path: Path) -> None:
    """Six parts: the station says of each what the package's own answers say."""
    shown = tmp_path / "shown"
    shown.mkdir()
    expected = {}
    detector = open_detector(trained.package)
    for index in range(6):
        pixels = plate(80, index, bad=index % 2 == 1)
        cv2.imwrite(str(shown / f"{index}.png"), pixels)
        fails = detector.detect(frame_of(pixels)).score >= detector.threshold
        expected[f"{index}.png"] = Outcome.FAIL if fails else Outcome.PASS
    assert len(set(expected.values())) == 2, "it tells some from others"
    station_file = make_project(
        tmp_path, camera=f'backend = "folder"\npath = "{shown}"', size_px=(WIDTH_PX, HEIGHT_PX), due_ms=10_000
    )
    recipe = tmp_path / "models" / "recipes" / "small.toml"
    text = recipe.read_text().replace('package = "small"', 'package = "plate"')
    recipe.write_text(text.replace("max_count = 3", "max_count = 0"))
    (tmp_path / "models" / "plate").symlink_to(trained.package.folder)

    with running(station_file) as station:
        told = {}
        async with StationClient(station.address) as client, client.verdicts(after_sequence=0) as reader:
            async for verdict in reader:
                told[verdict.part_id] = verdict.outcome
                if len(told) == len(expected):
                    break

    assert expected == told


def test_the_memory_is_in_the_graph(trained: Trained, tmp_path: Path) -> None:
    words = ("--weights", trained.weights, "--test-share", 0, "--model", "memory")
    small, _ = made("patch", trained.data, "-o", tmp_path / "small", *words, "--remembered", 40)
    large, _ = made("patch", trained.data, "-o", tmp_path / "large", *words, "--remembered", 400)

    more = large.graph_path.stat().st_size - small.graph_path.stat().st_size
    assert more >= 360 * 32 * 4, "float32 codes of 32 numbers"
    assert "remembered" in large.manifest.training["method"]
    assert scores(large, bad=True).max() > scores(large, bad=False).max()


@pytest.mark.parametrize("slack", [0, 2])
def test_gaussians_tell_in_torch_what_they_tell_in_numpy(slack: int) -> None:
    rng = np.random.default_rng(4)
    good, seen = rng.normal(size=(20, 5, 7, 6)).astype(np.float32), rng.normal(size=(5, 7, 6)).astype(np.float32)
    settings = BankSettings(even_contrast=False, places=PlaceSettings(own_share=0.5, reach=1, slack=slack))
    book = CodeBook(weights=np.eye(6, dtype=np.float32), bias=np.zeros(6, np.float32))
    bank = fit_bank(Moments(good), book, settings, threshold=2.0)

    with torch.no_grad():
        told = GaussianDistance(bank.whitening, bank.offset, slack)(torch.from_numpy(seen.reshape(-1, 6))).numpy()

    blurred = cv2.filter2D(told.reshape(5, 7), cv2.CV_32F, map_blur(), borderType=cv2.BORDER_REPLICATE)
    np.testing.assert_allclose(blurred, cell_map(bank, seen), rtol=1e-4)


def test_the_memory_tells_the_distance_to_the_nearest_code() -> None:
    rng = np.random.default_rng(3)
    known, places = rng.normal(size=(50, 8)).astype(np.float32), rng.normal(size=(30, 8)).astype(np.float32)
    places[0] = known[7]

    with torch.no_grad():
        told = MemoryDistance(known, threshold=2.0)(torch.from_numpy(places)).numpy()

    away = np.linalg.norm(places[:, None] - known[None], axis=2).min(axis=1)
    assert told == pytest.approx(away / (2 * np.sqrt(8)), abs=1e-6)
    assert 0 == told[0]


def test_a_coreset_leaves_nothing_far_away_and_a_picture_left_out_does_not_explain_itself() -> None:
    rng = np.random.default_rng(4)
    codes = np.concatenate([rng.normal(0, 0.1, (400, 4)), [[9.0, 0, 0, 0]]]).astype(np.float32)

    chosen = coreset(codes, 20)

    assert 20 == len(set(chosen.tolist()))
    assert 400 in chosen, "the one that is like no other"
    of_three = np.stack([rng.normal(place, 0.1, (4, 4, 3)) for place in (0, 0, 5)]).astype(np.float32)
    memory = memory_of(of_three, 48, seed=0)
    assert memory.without(np.array([2])).map_of(of_three[2]).min() > 3
    assert memory.without(np.array([0])).map_of(of_three[0]).max() < 3


def test_with_bad_pictures_all_candidates_are_tried(trained: Trained, tmp_path: Path) -> None:
    data = photographed(tmp_path / "data", 16, 10)
    weights = tmp_path / "b.pt"
    said("backbone", data, "-o", weights, "--steps", 2, "--val-share", 0.5, "--test-share", 0)

    package, _ = made("patch", data, "-o", tmp_path / "p", "--weights", weights, "--val-share", 0.5, "--test-share", 0)

    tried = package.manifest.training["compared"]["candidates"]
    assert [("gaussian", True), ("gaussian", False), ("memory", False)] == [(e["model"], e["filters"]) for e in tried]
    best, settings = max(tried, key=lambda each: round(each["auroc"], 3)), package.manifest.training["settings"]
    assert (best["model"], best["filters"]) == (settings["model"], settings["filters"])
    assert "of 10 bad pictures" in package.manifest.threshold.set_by, "those of train, too"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--no-filters",), ("gaussian", False)),
        (("--model", "memory"), ("memory", False)),
        (("--model", "memory", "--filters"), ("memory", True)),
    ],
)
def test_what_is_asked_for_is_made(trained: Trained, tmp_path: Path, words: tuple[str, ...], wanted: object) -> None:
    package, _ = made(
        "patch", trained.data, "-o", tmp_path / "p", "--weights", trained.weights, "--test-share", 0, *words
    )

    settings = package.manifest.training["settings"]
    assert wanted == (settings["model"], settings["filters"])
    assert auroc(scores(package, bad=False), scores(package, bad=True)) > 0.7


def test_the_same_pictures_and_weights_give_the_same_graph(trained: Trained, tmp_path: Path) -> None:
    again, _ = made("patch", trained.data, "-o", tmp_path / "plate", "--weights", trained.weights, "--test-share", 0)

    assert trained.package.graph_path.read_bytes() == again.graph_path.read_bytes()


def test_weights_of_torchvision_come_from_a_file(trained: Trained, tmp_path: Path) -> None:
    """Random ones stand for them: the names and shapes are torchvision's own."""
    torch.manual_seed(1)
    torch.save(NETWORKS["mobilenet_v3_small"].make(1000).state_dict(), tmp_path / "mobilenet.pth")
    words = ("patch", trained.data, "--weights", tmp_path / "mobilenet.pth")

    package, output = made(*words, "-o", tmp_path / "plate", "--network", "mobilenet_v3_small", "--long-side", 96)

    assert "weights file mobilenet.pth" in output
    assert (96, 72) == package.manifest.input.size_px
    assert "--network" in refusal(*words, "-o", tmp_path / "other").remedy
    assert (
        "does not hold the weights of resnet18"
        in refusal(*words, "-o", tmp_path / "other", "--network", "resnet18").what
    )


def test_without_network_and_file_it_says_what_to_do(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")  # where nobody listens: no packet leaves this machine

    error = refusal("patch", trained.data, "-o", tmp_path / "plate")

    assert "resnet18 cannot be downloaded" in error.what
    assert "https://" in error.expected
    assert "--weights FILE" in error.remedy
    assert "lineside train backbone" in error.remedy
    assert (
        "lineside train backbone"
        in refusal("patch", trained.data, "-o", tmp_path / "plate", "--network", "small").remedy
    )


def test_a_backbone_that_has_seen_pictures_of_val_or_test_is_refused(trained: Trained, tmp_path: Path) -> None:
    words = ("patch", trained.data, "-o", tmp_path / "plate", "--weights", trained.weights)

    assert "learned from" in refusal(*words, "--seed", 3, "--test-share", 0).what
    assert "val or test" in refusal(*words, "--val-share", 0, "--test-share", 0.3).what


def test_pictures_of_one_part_alone_are_refused(trained: Trained, tmp_path: Path) -> None:
    words = ("patch", trained.data, "-o", tmp_path / "plate", "--weights", trained.weights, "--test-share", 0)

    assert "one group" in refusal(*words, "--val-share", 0, "--group", "[.]png").what
    assert "--remembered" in refusal(*words, "--model", "memory", "--remembered", 1).remedy


def test_a_backbone_of_grey_pictures_is_refused_for_colour(trained: Trained, tmp_path: Path) -> None:
    data = photographed(tmp_path / "data", 10, pixel_format=PixelFormat.BGR8)

    error = refusal("patch", data, "-o", tmp_path / "plate", "--weights", trained.weights, "--test-share", 0)

    assert ("grey" in error.what, "colour" in error.expected) == (True, True)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--model", "forest"), "--model forest"),
        (("--network", "alexnet2"), "there is no network 'alexnet2'"),
        (("--fit", "squeeze"), "--fit squeeze"),
    ],
)
def test_unknown_words_are_refused_with_the_known_ones(tmp_path: Path, words: tuple[str, str], what: str) -> None:
    data = photographed(tmp_path / "data", 10)

    error = refusal("patch", data, "-o", tmp_path / "plate", *words)

    assert what in error.what
    assert error.expected
