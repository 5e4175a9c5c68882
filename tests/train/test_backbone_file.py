"""A file with a backbone: whole, of the network it says, and never run."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from rendered_plates import photographed, refusal, said

from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat
from lineside.train.backbone_file import Backbone, read_backbone, weights_hash, write_backbone
from lineside.train.backbone_package import BackboneOrder, gather_good, train_backbone
from lineside.train.dataset import SplitOrder, read_dataset
from lineside.train.networks import NETWORKS
from lineside.train.patch_features import stages_of
from lineside.train.training_images import ImageSource


@pytest.fixture
def backbone() -> Backbone:
    torch.manual_seed(5)
    weights = dict(stages_of(NETWORKS["small"]).state_dict())
    return Backbone(
        kind=NETWORKS["small"],
        weights=weights,
        origin="a test",
        sha256=weights_hash(weights),
        channels=1,
        learned_from={"good/00.png": "0" * 64},
        record={"settings": {"seed": 5}},
    )


class RunsWhenRead:
    """What a file may hold that is not ours."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(Path(self.trap)),)

    def __init__(self, trap: Path) -> None:
        self.trap = trap


def test_what_was_written_is_read(tmp_path: Path, backbone: Backbone) -> None:
    write_backbone(tmp_path / "b.pt", backbone)

    again = read_backbone(tmp_path / "b.pt")

    assert ("small", 1, backbone.sha256) == (again.kind.name, again.channels, again.sha256)
    assert backbone.learned_from == again.learned_from
    assert backbone.record == again.record
    assert all(torch.equal(values, again.weights[name]) for name, values in backbone.weights.items())


def test_of_torchvisions_weights_all_but_the_classes_are_taken(tmp_path: Path) -> None:
    torch.save(NETWORKS["resnet18"].make(1000).state_dict(), tmp_path / "resnet18.pth")

    weights = read_backbone(tmp_path / "resnet18.pth", "resnet18").weights

    assert "layer4.1.conv2.weight" in weights
    assert not [name for name in weights if name.startswith("fc.")]
    stages_of(NETWORKS["resnet18"], weights)


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    torch.save({"conv1.weight": RunsWhenRead(tmp_path / "was-run")}, tmp_path / "evil.pt")

    with pytest.raises(ConfigError, match="cannot be read as weights"):
        read_backbone(tmp_path / "evil.pt", "resnet18")
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x03\x04half"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.pt").write_bytes(content)

    with pytest.raises(ConfigError, match="cannot be read as weights"):
        read_backbone(tmp_path / "b.pt")


def test_changed_weights_are_noticed(tmp_path: Path, backbone: Backbone) -> None:
    write_backbone(tmp_path / "b.pt", backbone)
    stored = torch.load(tmp_path / "b.pt", weights_only=True)
    stored["weights"]["conv1.weight"][0, 0, 0, 0] += 1
    torch.save(stored, tmp_path / "b.pt")

    with pytest.raises(ConfigError, match="damaged"):
        read_backbone(tmp_path / "b.pt")


def test_another_network_than_the_one_named_is_refused(tmp_path: Path, backbone: Backbone) -> None:
    write_backbone(tmp_path / "b.pt", backbone)

    with pytest.raises(ConfigError, match="holds weights of small"):
        read_backbone(tmp_path / "b.pt", "resnet18")


def test_stopped_and_resumed_it_makes_the_same_weights(tmp_path: Path) -> None:
    data, words = photographed(tmp_path / "data", 10), ("--steps", 6, "--test-share", 0)
    said("backbone", data, "-o", tmp_path / "whole.pt", *words)

    def stop(done: int, told: str) -> None:
        if done == 3:
            signal.raise_signal(signal.SIGINT)

    source = ImageSource(pixel_format=PixelFormat.MONO8, size_px=(160, 120))
    order = BackboneOrder(pixel_format=source.pixel_format, size_px=source.size_px, steps=6)
    pictures = read_dataset(data, SplitOrder(test_share=0.0)).for_training()
    with pytest.raises(KeyboardInterrupt):
        train_backbone(
            tmp_path / "b.pt", order, gather_good(pictures, order, read=source.read), report=stop
        )  # fmt: skip
    assert "--resume" in refusal("backbone", data, "-o", tmp_path / "b.pt", *words).remedy
    assert (
        "another training" in refusal("backbone", data, "-o", tmp_path / "b.pt", *words, "--seed", 1, "--resume").what
    )
    output = said("backbone", data, "-o", tmp_path / "b.pt", *words, "--resume")

    assert "resumed at 3" in output
    assert read_backbone(tmp_path / "whole.pt").sha256 == read_backbone(tmp_path / "b.pt").sha256
