"""One step for one of several parts in a row, of which any may fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from lineside.core.errors import InspectionError

__all__ = ["attempt"]

_T = TypeVar("_T")


def attempt(step: Callable[..., _T], *given: Any) -> _T | InspectionError:
    """What the step gives, or why this part cannot be judged."""
    try:
        return step(*given)
    except InspectionError as error:
        return error
