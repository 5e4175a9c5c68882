"""What torch computes on: chosen once, told to people, the same seeds everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch

from lineside.core.errors import ConfigError

__all__ = ["DEVICE_WORDS", "Device", "chosen_device", "seed_everything"]

DEVICE_WORDS: Final = ("auto", "cpu", "cuda")


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """`name` is for people and for the training record. `half` says that bfloat16 is computed at speed here."""

    torch: torch.device
    name: str
    half: bool

    @property
    def kind(self) -> str:
        """`cpu` or `cuda`."""
        return str(self.torch.type)


def chosen_device(word: str = "auto", threads: int = 0) -> Device:
    """`auto` takes CUDA where torch finds it, else the CPU; another word is held to. Raises: ConfigError.

    On the CPU torch computes with so many `threads` from now on, 0: as many as it thinks best.
    """
    if word not in DEVICE_WORDS:
        raise ConfigError(f"--device {word}", expected=", ".join(DEVICE_WORDS))
    found = torch.cuda.is_available()
    if word == "cuda" and not found:
        raise ConfigError(
            "torch finds no CUDA device",
            expected="a card and a driver that this build of torch works with "
            f"(torch {torch.__version__}, CUDA {torch.version.cuda or 'not built in'})",
            remedy="look at what nvidia-smi says, or train with --device cpu",
        )
    if word == "cpu" or not found:
        if threads:
            torch.set_num_threads(threads)
        threads = torch.get_num_threads()
        return Device(
            torch=torch.device("cpu"),
            name=f"CPU, {threads} {'thread' if threads == 1 else 'threads'}",
            half=_cpu_has_bfloat16(),
        )
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    return Device(
        torch=torch.device("cuda"),
        name=f"CUDA, {torch.cuda.get_device_name()}",
        half=torch.cuda.is_bf16_supported(including_emulation=False),
    )


def seed_everything(seed: int) -> None:
    """What torch draws from now on, on every device, follows from `seed`. Batches are drawn by numpy, by their step."""
    torch.manual_seed(seed)


def _cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 by itself: elsewhere it is slower than float32."""
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
