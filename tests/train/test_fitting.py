"""The fit of a network: the same again, stopped and resumed, in time, and never silently another one."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lineside.core.errors import ConfigError
from lineside.train.checkpoint import checkpoint_of, refuse_checkpoint
from lineside.train.curves import encoded_curves
from lineside.train.device import chosen_device, seed_everything
from lineside.train.fitting import FitOrder, Fitted, fit


class Brightness:
    """A lesson as small as can be: whether a picture is bright. `scores` are what its checks answer, in turn."""

    def __init__(self, scores: Sequence[float] = ()) -> None:
        self.scores = list(scores)

    def batch(self, step: int) -> Sequence[NDArray[Any]]:
        rng = np.random.default_rng([7, step])
        bright = rng.random(8) < 0.5
        pictures = rng.normal(0, 1, (8, 1, 8, 8)) + bright[:, None, None, None]
        return pictures.astype(np.float32), bright.astype(np.float32)

    def loss(self, network: nn.Module, *arrays: Tensor) -> Tensor:
        pictures, bright = arrays
        return nn.functional.binary_cross_entropy_with_logits(network(pictures)[:, 0].float(), bright)

    def score(self, network: nn.Module) -> float:
        if self.scores:
            return self.scores.pop(0)
        pictures, bright = (torch.from_numpy(array) for array in self.batch(10_000))
        return float(((network(pictures)[:, 0] > 0) == (bright > 0)).float().mean())


def small_network() -> nn.Module:
    seed_everything(3)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1)
    )


def order(folder: Path, **words: Any) -> FitOrder:
    settings: dict[str, Any] = {"identity": "a" * 64, "steps": 40, "check_every": 10, "checkpoint": folder / "fit"}
    return FitOrder(**{**settings, **words})


def fitted(
    wanted: FitOrder, lesson: Brightness | None = None, report: Callable[[int, str], None] = lambda done, words: None
) -> tuple[dict[str, Tensor], Fitted]:
    network = small_network()
    how = fit(network, lesson or Brightness(), wanted, chosen_device("cpu"), report=report)
    return network.state_dict(), how


def test_a_fit_learns_and_tells_how(tmp_path: Path) -> None:
    told: list[tuple[int, str]] = []

    _, how = fitted(order(tmp_path, steps=120), report=lambda done, words: told.append((done, words)))

    assert ("all steps", 120, 0) == (how.ended_by, how.steps, how.resumed_at)
    assert how.checks[-1].loss < how.checks[0].loss
    assert how.checks[-1].score >= 0.75
    assert [*range(1, 121)] == [done for done, _ in told]
    assert "score" in told[-1][1]


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    first, _ = fitted(order(tmp_path))
    second, _ = fitted(order(tmp_path))

    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(("number", "at"), [(signal.SIGINT, 17), (signal.SIGTERM, 20)])
def test_stopped_by_a_signal_and_resumed_it_ends_as_if_it_had_not_been(
    tmp_path: Path, number: signal.Signals, at: int
) -> None:
    """Between two checks, and at one."""
    whole, how = fitted(order(tmp_path))

    def stop(done: int, words: str) -> None:
        if done == at:
            signal.raise_signal(number)

    with pytest.raises(KeyboardInterrupt):
        fitted(order(tmp_path), report=stop)
    resumed, how_resumed = fitted(order(tmp_path, resume=True))

    assert at == how_resumed.resumed_at
    assert how.best_step == how_resumed.best_step
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert [check.step for check in how.checks] == [check.step for check in how_resumed.checks]


def test_killed_and_resumed_it_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, _ = fitted(order(tmp_path))

    killed = subprocess.run([sys.executable, __file__, str(tmp_path)], check=False)
    resumed, how = fitted(order(tmp_path, resume=True))

    assert -signal.SIGKILL == killed.returncode
    assert 0 < how.resumed_at < 40
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_without_a_checkpoint_resuming_begins_at_the_beginning(tmp_path: Path) -> None:
    assert 0 == fitted(order(tmp_path, resume=True))[1].resumed_at


def test_a_checkpoint_of_other_pictures_or_settings_is_refused(tmp_path: Path) -> None:
    fitted(order(tmp_path, checkpoint_every_s=0))

    with pytest.raises(ConfigError, match="another training"):
        fitted(order(tmp_path, identity="b" * 64, resume=True))


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x03\x04half"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fit").write_bytes(content)

    with pytest.raises(ConfigError, match="cannot be read"):
        fitted(order(tmp_path, resume=True))


def test_an_unfinished_training_is_not_overwritten_in_silence(tmp_path: Path) -> None:
    refuse_checkpoint(tmp_path / "plate", overwrite=False)
    checkpoint_of(tmp_path / "plate").touch()

    with pytest.raises(ConfigError, match="--resume"):
        refuse_checkpoint(tmp_path / "plate", overwrite=False)
    refuse_checkpoint(tmp_path / "plate", overwrite=True)


def test_it_ends_early_when_nothing_is_gained_and_keeps_the_best(tmp_path: Path) -> None:
    lesson = Brightness([0.5, 0.9, 0.8, 0.7, 0.6])

    _, how = fitted(order(tmp_path, steps=100, patience=3), lesson)

    assert ("no more gain", 50, 20) == (how.ended_by, how.steps, how.best_step)


def test_a_fall_in_the_first_half_ends_nothing(tmp_path: Path) -> None:
    _, how = fitted(order(tmp_path, steps=100, patience=2), Brightness([0.9, 0.5, 0.5, 0.6, 0.95, 0.7, 0.6]))

    assert ("no more gain", 70, 50) == (how.ended_by, how.steps, how.best_step)


def test_where_nothing_can_be_scored_the_last_weights_are_kept(tmp_path: Path) -> None:
    _, how = fitted(order(tmp_path, patience=1), Brightness([math.nan] * 4))

    assert ("all steps", 40) == (how.ended_by, how.best_step)


def test_a_time_budget_ends_it_with_a_check(tmp_path: Path) -> None:
    _, how = fitted(order(tmp_path, steps=10**6, check_every=10**6, minutes=0.01))

    assert "time" == how.ended_by
    assert how.steps == how.best_step == how.checks[-1].step


def test_the_device_is_the_one_that_was_asked_for(tmp_path: Path) -> None:
    assert chosen_device("cpu").name.startswith("CPU, ")
    with pytest.raises(ConfigError, match="expected auto, cpu, cuda"):
        chosen_device("gpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_without_a_card_cuda_is_refused_and_auto_is_the_cpu() -> None:
    with pytest.raises(ConfigError, match="no CUDA device"):
        chosen_device("cuda")
    assert "cpu" == chosen_device("auto").kind


def test_curves_are_drawn_numbers_or_not() -> None:
    curves = [("loss", [(10, 0.9), (20, 0.4), (30, math.nan)]), ("score", [(10, math.nan)])]

    picture = cv2.imdecode(np.frombuffer(encoded_curves(curves, 20), np.uint8), cv2.IMREAD_COLOR)

    assert (600, 900, 3) == picture.shape
    assert picture[:300].std() > picture[300:].std() > 0


def killed_half_way(folder: Path) -> None:
    """The fit of the tests, in a process that is killed in it; every step leaves a checkpoint."""
    torch.set_num_threads(1)

    def kill(done: int, words: str) -> None:
        if done == 23:
            os.kill(os.getpid(), signal.SIGKILL)

    fitted(order(folder, checkpoint_every_s=0), report=kill)


if __name__ == "__main__":
    killed_half_way(Path(sys.argv[1]))
