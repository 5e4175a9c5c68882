"""The loop that fits a network: seeded, stoppable, resumable, within a time budget.

What a step learns from depends on the number of the step alone, and the learning rate on how much of the steps or of
the time is used up. So a run that was killed and resumed ends as one that was not.
"""

from __future__ import annotations

import copy
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lineside.train.checkpoint import Progress, read_checkpoint, write_checkpoint
from lineside.train.device import Device

__all__ = ["Check", "EndedBy", "FitOrder", "Fitted", "Lesson", "fit"]

EndedBy = Literal["all steps", "no more gain", "time"]

_WARM_UP: Final = 0.15
"""Share of the run over which the learning rate rises; then it falls along a cosine."""
_FIRST_RATE, _LAST_RATE = 0.04, 1e-3
"""Learning rates at both ends, as shares of the highest."""


_EARLIEST_END = 0.5
"""Before so much is used up the learning rate is high, and a fall of the score says little of where it will end."""


class Lesson(Protocol):
    """What a network is to learn. Arrays are numpy's; `fit` takes them to the device."""

    def batch(self, step: int) -> Sequence[NDArray[Any]]:
        """What step `step` (from 0) learns from: the same for the same number, whatever came before.

        Called on another thread, one step ahead.
        """

    def loss(self, network: nn.Module, *arrays: Tensor) -> Tensor:
        """The loss of one batch, a scalar."""

    def score(self, network: nn.Module) -> float:
        """How well the network does on pictures that it does not learn from: higher is better. NaN: cannot be told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FitOrder:
    """How long and how fast. `identity` stands for all that the result follows from besides this order: a checkpoint
    of another one is refused.

    The network is scored every `check_every` steps and at the end; after `patience` checks without a better one it
    ends, but not in its first half (0: never). `minutes` is a budget for the whole fit, checks included (0: none); the
    learning rate falls in time for its end, so with a budget the result depends on the speed of the machine. `average`
    is the decay of the running average of the weights, which is what is scored and kept.
    """

    identity: str
    steps: int
    learning_rate: float = 3e-3
    weight_decay: float = 1e-3
    clip: float = 2.0
    average: float = 0.995
    check_every: int = 50
    patience: int = 0
    minutes: float = 0.0
    checkpoint: Path
    checkpoint_every_s: float = 20.0
    resume: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One point of the curves, after `step` steps: mean loss since the last one, score of the averaged weights."""

    step: int
    loss: float
    score: float
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """How it went. `best_step` is the one whose weights were kept; `resumed_at` is 0 for a run in one piece."""

    steps: int
    best_step: int
    ended_by: EndedBy
    resumed_at: int
    seconds: float
    checks: tuple[Check, ...]


def fit(
    network: nn.Module,
    lesson: Lesson,
    order: FitOrder,
    device: Device,
    *,
    report: Callable[[int, str], None] = lambda done, words: None,
) -> Fitted:
    """Fits `network` in place and leaves the best averaged weights in it, on the CPU, ready to answer.

    `report` is called after each step with how many are done and a few words. SIGINT and SIGTERM end the fit after
    the step at hand: the checkpoint is written and KeyboardInterrupt raised; a second signal does not wait.

    Raises: ConfigError for a checkpoint that is not of this order.
    """
    network.to(device.torch, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), lr=order.learning_rate, weight_decay=order.weight_decay)
    state = _Fit(network, lesson, order, device, optimiser)
    progress = read_checkpoint(order.checkpoint, order.identity) if order.resume else None
    if progress is not None:
        state.restore(progress)
    resumed_at = state.step
    with _signals() as stopped, ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(lesson.batch, state.step)
        ended_by = (state.over() or state.no_more_gain()) if resumed_at else None
        while ended_by is None:
            batch = coming.result()
            coming = ahead.submit(lesson.batch, state.step + 1)
            state.learn(batch)
            ended_by = state.over()
            state.check_if_due(last=ended_by is not None)
            ended_by = ended_by or state.no_more_gain()
            report(state.step, state.words())
            if stopped.is_set():
                state.save()
                raise KeyboardInterrupt
    state.save()  # what comes after the fit may be interrupted too
    network.load_state_dict(state.best)
    network.to("cpu", memory_format=torch.contiguous_format).eval()
    return Fitted(
        steps=state.step,
        best_step=state.best_step,
        ended_by=ended_by,
        resumed_at=resumed_at,
        seconds=state.seconds(),
        checks=tuple(state.checks),
    )


class _Fit:
    """Where a fit stands between two steps."""

    def __init__(
        self, network: nn.Module, lesson: Lesson, order: FitOrder, device: Device, optimiser: torch.optim.Optimizer
    ) -> None:
        self.network, self.lesson, self.order, self.device, self.optimiser = network, lesson, order, device, optimiser
        self.averaged = copy.deepcopy(network)
        self.step = 0
        self.losses: list[float] = []
        self.checks: list[Check] = []
        self.best: dict[str, Tensor] = _copied(self.averaged)
        self.best_step, self.best_score = 0, -math.inf
        self._begun, self._before_s = time.monotonic(), 0.0
        self._saved = self._begun

    def seconds(self) -> float:
        """Since the beginning, without the time between a kill and its resumption."""
        return self._before_s + time.monotonic() - self._begun

    def used_up(self) -> float:
        """The share of the steps or, where that is larger, of the time."""
        of_time = self.seconds() / (60 * self.order.minutes) if self.order.minutes else 0.0
        return max(self.step / self.order.steps, of_time)

    def over(self) -> EndedBy | None:
        if self.step >= self.order.steps:
            return "all steps"
        return "time" if self.used_up() >= 1 else None

    def no_more_gain(self) -> EndedBy | None:
        since = sum(check.step > self.best_step for check in self.checks)
        enough = 0 < self.order.patience <= since and self.used_up() >= _EARLIEST_END
        return "no more gain" if enough else None

    def learn(self, batch: Sequence[NDArray[Any]]) -> None:
        """One step."""
        rate = self.order.learning_rate * _rate(self.used_up())
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        arrays = [torch.from_numpy(array).to(self.device.torch, non_blocking=True) for array in batch]
        self.network.train()
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self.device.kind, torch.bfloat16, enabled=self.device.half):
            loss = self.lesson.loss(self.network, *arrays)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.order.clip)
        self.optimiser.step()
        self.losses.append(float(loss.detach()))
        self.step += 1
        _average(self.averaged, self.network, min(self.order.average, (1 + self.step) / (10 + self.step)))

    def check_if_due(self, *, last: bool) -> None:
        """Scores the averaged weights every so many steps and at the last, and writes the checkpoint."""
        if self.step % self.order.check_every == 0 or last:
            self.averaged.eval()
            with torch.no_grad():
                score = float(self.lesson.score(self.averaged))
            loss = sum(self.losses) / len(self.losses)
            self.losses = []
            self.checks.append(Check(step=self.step, loss=loss, score=score, seconds=self.seconds()))
            if math.isnan(score) or score >= self.best_score:  # of equals the later, which is the smoother
                self.best, self.best_step = _copied(self.averaged), self.step
                self.best_score = -math.inf if math.isnan(score) else score
        if time.monotonic() - self._saved > self.order.checkpoint_every_s:
            self.save()

    def words(self) -> str:
        if not self.checks:
            return f"loss {self.losses[-1]:.3f}"
        last = self.checks[-1]
        return f"loss {last.loss:.3f}" + ("" if math.isnan(last.score) else f", score {last.score:.3f}")

    def save(self) -> None:
        write_checkpoint(
            self.order.checkpoint,
            Progress(
                identity=self.order.identity,
                step=self.step,
                seconds=self.seconds(),
                network=self.network.state_dict(),
                averaged=self.averaged.state_dict(),
                optimiser=self.optimiser.state_dict(),
                best=self.best,
                best_step=self.best_step,
                best_score=self.best_score,
                losses=self.losses,
                checks=[(check.step, check.loss, check.score, check.seconds) for check in self.checks],
            ),
        )
        self._saved = time.monotonic()

    def restore(self, progress: Progress) -> None:
        self.network.load_state_dict(progress.network)
        self.averaged.load_state_dict(progress.averaged)
        self.optimiser.load_state_dict(progress.optimiser)
        self.step, self.losses = progress.step, list(progress.losses)
        self.best, self.best_step, self.best_score = progress.best, progress.best_step, progress.best_score
        self.checks = [
            Check(step=step, loss=loss, score=score, seconds=seconds) for step, loss, score, seconds in progress.checks
        ]
        self._before_s = progress.seconds


def _rate(used_up: float) -> float:
    """One cycle: up along a cosine, and down along another."""
    if used_up < _WARM_UP:
        return _FIRST_RATE + (1 - _FIRST_RATE) * (1 - math.cos(math.pi * used_up / _WARM_UP)) / 2
    falling = min(1.0, (used_up - _WARM_UP) / (1 - _WARM_UP))
    return _LAST_RATE + (1 - _LAST_RATE) * (1 + math.cos(math.pi * falling)) / 2


def _copied(network: nn.Module) -> dict[str, Tensor]:
    return {name: values.detach().to("cpu", copy=True) for name, values in network.state_dict().items()}


def _average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    """Weights and running statistics alike; counters are taken over."""
    with torch.no_grad():
        for mine, theirs in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """Set by the first SIGINT or SIGTERM; the second is KeyboardInterrupt. Elsewhere than on the main thread: never."""
    told = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield told
        return

    def tell(number: int, frame: object) -> None:
        if told.is_set():
            raise KeyboardInterrupt
        told.set()

    before = {number: signal.signal(number, tell) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
