"""Whether torch is here. Asked before a module that imports it at its top is imported."""

from __future__ import annotations

import importlib.util
from typing import Final

from lineside.core.errors import ConfigError

__all__ = ["require_torch"]

_NEEDED: Final = ("torch", "torchvision")


def require_torch(method: str) -> None:
    """Raises: ConfigError that says what `method` needs and how to get it."""
    if missing := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
        raise ConfigError(
            f"{method} needs {' and '.join(missing)}, which {'are' if len(missing) > 1 else 'is'} not installed here",
            expected="Lineside with the extra train; a station needs neither of them",
            remedy="pip install 'lineside[train]', or from a checkout the locked "
            "pip install --require-hashes -r requirements/train.txt; `lineside train bank` works without",
        )
