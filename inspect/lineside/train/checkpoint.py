"""A fit that is not finished, as a file beside its output: whole, or the one before it."""

from __future__ import annotations

import os
import pickle
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from lineside.core.errors import ConfigError

__all__ = ["Progress", "checkpoint_of", "read_checkpoint", "refuse_checkpoint", "write_checkpoint"]

_FORMAT: Final = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """All that the next step follows from, beside the order. `checks` are (step, loss, score, seconds)."""

    identity: str
    step: int
    seconds: float
    network: dict[str, Tensor]
    averaged: dict[str, Tensor]
    optimiser: dict[str, Any]
    best: dict[str, Tensor]
    best_step: int
    best_score: float
    losses: list[float]
    checks: list[tuple[int, float, float, float]]


def checkpoint_of(output: Path) -> Path:
    """Where the checkpoint of a package `output` lies."""
    return output.with_name(f".{output.name}.checkpoint")


def refuse_checkpoint(output: Path, *, overwrite: bool) -> None:
    """Before a new training, where an unfinished one could go on. Raises: ConfigError."""
    if checkpoint_of(output).exists() and not overwrite:
        raise ConfigError(
            f"{checkpoint_of(output)} is of a training that was stopped before its end",
            expected="--resume to go on with it",
            remedy="say --resume, or --overwrite to begin anew",
        )


def write_checkpoint(path: Path, progress: Progress) -> None:
    """Replaces the one that is there. Blocks until it is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        torch.save({"format": _FORMAT, **asdict(progress)}, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read_checkpoint(path: Path, identity: str) -> Progress | None:
    """None where there is none yet. Raises: ConfigError for one that is damaged, or of another order."""
    if not path.exists():
        return None
    try:
        if not zipfile.is_zipfile(path):
            raise EOFError("it is cut off, or no checkpoint")  # the unpickler fails on rubbish in any way it likes
        stored = torch.load(path, map_location="cpu", weights_only=True)
        if stored.pop("format") != _FORMAT:
            raise KeyError("format")
        progress = Progress(**stored)
    except (OSError, EOFError, RuntimeError, KeyError, TypeError, AttributeError, pickle.UnpicklingError) as error:
        raise ConfigError(
            f"{path} cannot be read: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
            expected="a checkpoint that this version of Lineside has written",
            remedy="remove it and begin anew",
        ) from error
    if progress.identity != identity:
        raise ConfigError(
            f"{path} is of another training: other pictures, settings, seed or versions",
            expected=f"the checkpoint of {identity[:12]}, got {progress.identity[:12]}",
            remedy="give the same data and options as before, or begin anew with --overwrite",
        )
    return progress
