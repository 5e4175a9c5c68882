"""What is installed on a machine: the code and libraries that decide which answer a picture gets."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import lineside
from lineside.core.errors import ConfigError

__all__ = ["Installation", "check_same", "installed"]

_LIBRARIES = ("numpy", "onnxruntime", "onnxruntime-gpu", "openvino", "opencv-python-headless", "pyarrow")


@dataclass(frozen=True, kw_only=True, slots=True)
class Installation:
    """Two machines with equal installations run the same code. `code_sha256` is of all Python files of lineside."""

    python: str
    lineside: str
    code_sha256: str
    libraries: Mapping[str, str] = field(default_factory=dict)


def installed() -> Installation:
    """What is installed here. Reads all of lineside's code: some 20 ms."""
    return Installation(
        python=".".join(platform.python_version_tuple()[:2]),
        lineside=lineside.__version__,
        code_sha256=_code_sha256(Path(lineside.__file__).parent),
        libraries={name: found for name in _LIBRARIES if (found := _version(name))},
    )


def check_same(driver: Installation, there: Installation, *, place: str) -> None:
    """Refuses a machine that may give other answers than this one. Raises: ConfigError that names what differs."""
    here, other = _facts(driver), _facts(there)
    differing = [name for name in {**here, **other} if here.get(name) != other.get(name)]
    if differing:
        raise ConfigError(
            f"{place} has {_told(other, differing)}",
            expected=f"{_told(here, differing)}, as where the command runs",
            remedy="install the same lineside and libraries on every node",
        )


def _facts(installation: Installation) -> dict[str, str]:
    return {
        "Python": installation.python,
        "lineside": installation.lineside,
        "code with SHA-256": installation.code_sha256,
        **installation.libraries,
    }


def _told(facts: Mapping[str, str], names: Sequence[str]) -> str:
    return ", ".join(f"{name} {facts[name]}" if name in facts else f"no {name}" for name in names)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _code_sha256(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
