"""What a graph answered, checked at the door: NaN, a wrong shape or a wrong type is an error, never an empty answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineside.core.errors import ModelError

__all__ = ["activate", "check_probabilities", "finite_floats", "output_of", "wrong_shape"]

_REMEDY = "verify the package on this machine; if it verifies, pack the graph with what it really answers"
_ROUNDING = 1e-3


def output_of(outputs: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    """The named output. Raises: ModelError."""
    if name not in outputs:
        raise ModelError(f"no output '{name}' among {sorted(outputs)}", expected=f"'{name}'", remedy=_REMEDY)
    return outputs[name]


def finite_floats(outputs: Mapping[str, NDArray[Any]], name: str) -> NDArray[np.float32]:
    """The named output as float32, all finite. Raises: ModelError."""
    array = output_of(outputs, name)
    if array.dtype not in (np.float32, np.float16, np.float64):
        raise ModelError(f"output '{name}' is {array.dtype}{list(array.shape)}", expected="floats", remedy=_REMEDY)
    # Extremes show NaN and infinity without a temporary array as large as the map.
    if array.size and not (np.isfinite(array.max()) and np.isfinite(array.min())):
        bad = array.size - int(np.isfinite(array).sum())
        raise ModelError(
            f"output '{name}' has {bad} of {array.size} values that are NaN or infinite",
            expected="finite values",
            remedy=_REMEDY,
        )
    return array.astype(np.float32, copy=False)


def wrong_shape(name: str, array: NDArray[Any], expected: str) -> ModelError:
    """The error for an output of another shape than its kind has."""
    return ModelError(f"output '{name}' has the shape {list(array.shape)}", expected=expected, remedy=_REMEDY)


def check_probabilities(name: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same values, which are all between 0 and 1 but for rounding. Raises: ModelError."""
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if low < -_ROUNDING or high > 1.0 + _ROUNDING:
        raise ModelError(
            f"output '{name}' has scores from {low:.4g} to {high:.4g}",
            expected="probabilities from 0 to 1",
            remedy="if the graph answers logits, pack it with activation 'softmax' or 'sigmoid'",
        )
    return values


def activate(name: str, values: NDArray[np.float32], activation: str) -> NDArray[np.float32]:
    """Probabilities from (C, ...) values with the activation that is still to be applied. Raises: ModelError."""
    if activation == "none":
        return check_probabilities(name, values)
    if activation == "sigmoid":
        # By way of tanh, which does not overflow for large negative values.
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)), dtype=np.float32)
    powers = np.exp(values - values.max(axis=0))
    return np.asarray(powers / powers.sum(axis=0), dtype=np.float32)
