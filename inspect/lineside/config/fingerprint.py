"""One short word for everything that was declared when a verdict was made."""

from __future__ import annotations

from collections.abc import Sequence

from lineside.core.identity import Identity, sha256_of_value

__all__ = ["config_fingerprint"]


def config_fingerprint(
    *, recipe: Identity, calibration: Identity, station: Identity, packages: Sequence[Identity]
) -> str:
    """16 hex digits over the content hashes of all four. The order of the packages does not matter."""
    return sha256_of_value(
        {
            "recipe": recipe.sha256,
            "calibration": calibration.sha256,
            "station": station.sha256,
            "packages": sorted({package.sha256 for package in packages}),
        }
    )[:16]
