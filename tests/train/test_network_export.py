"""A network becomes a graph that answers as torch does, or none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lineside.core.errors import PackageError
from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.session import open_session
from lineside.train.device import seed_everything
from lineside.train.looking import Look, look_at
from lineside.train.network_export import TOLERANCE, export_network
from lineside.train.networks import NETWORKS, RgbNetwork, parameters_of


def frames(pixel_format: PixelFormat, count: int = 2) -> list[Pixels]:
    rng = np.random.default_rng(4)
    shape = (64, 64) if pixel_format.channels == 1 else (64, 64, 3)
    return [rng.integers(0, pixel_format.max_value + 1, shape).astype(pixel_format.dtype) for _ in range(count)]


def looked(pixel_format: PixelFormat) -> Look:
    return look_at(frames(pixel_format), pixel_format, 0, locate=False)


class Levels(nn.Module):
    """A network that takes pixel values, as `export_network` wants one."""

    def __init__(self, network: nn.Module, pixel_format: PixelFormat) -> None:
        super().__init__()
        self.network, self.per_level = network, 1 / pixel_format.max_value

    def forward(self, pixels: Tensor) -> Tensor:
        return self.network(pixels * self.per_level)


class OtherwiseWhenTraced(nn.Module):
    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.mean(dim=(1, 2, 3)) + (1.0 if torch.jit.is_tracing() else 0.0)


@pytest.mark.parametrize("name", ["small", "resnet18", "mobilenet_v3_small", "efficientnet_b0"])
def test_the_graph_answers_as_torch_does(name: str) -> None:
    seed_everything(2)
    network = Levels(RgbNetwork(NETWORKS[name].make(3), PixelFormat.BGR8), PixelFormat.BGR8).eval()

    exported = export_network(
        network, looked(PixelFormat.BGR8), ["scores"], frames(PixelFormat.BGR8), parameters=parameters_of(network)
    )

    assert exported.difference <= TOLERANCE
    assert exported.record["parameters"] == exported.parameters > 500_000
    assert exported.cpu_ms > 0
    assert exported.cpu


@pytest.mark.parametrize("pixel_format", [PixelFormat.MONO8, PixelFormat.MONO12, PixelFormat.RGB8])
def test_the_graph_takes_what_the_camera_sends(tmp_path: Path, pixel_format: PixelFormat) -> None:
    network = Levels(RgbNetwork(NETWORKS["small"].make(2), pixel_format), pixel_format).eval()
    look = looked(pixel_format)

    exported = export_network(network, look, ["scores"], frames(pixel_format), parameters=1)

    (tmp_path / "model.onnx").write_bytes(exported.graph)
    session = open_session(tmp_path / "model.onnx", providers=("cpu",))
    assert [(look.spec.name, str(pixel_format.dtype))] == [(port.name, port.dtype) for port in session.inputs]


def test_a_graph_that_answers_otherwise_is_refused() -> None:
    with pytest.raises(PackageError, match="differs from torch by"):
        export_network(
            OtherwiseWhenTraced(), looked(PixelFormat.MONO8), ["scores"], frames(PixelFormat.MONO8), parameters=0
        )


def test_colours_are_taken_in_the_order_of_the_frame() -> None:
    network = NETWORKS["small"].make(2).eval()
    levels = torch.rand(1, 3, 64, 64)

    with torch.no_grad():
        blue_first = RgbNetwork(network, PixelFormat.BGR8)(levels.flip(1))
        red_first = RgbNetwork(network, PixelFormat.RGB8)(levels)

    assert torch.equal(blue_first, red_first)
