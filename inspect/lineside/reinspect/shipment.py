"""Model packages on their way to machines that do not have them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lineside.reinspect.engine import Judge
from lineside.reinspect.judge import JudgeOrder

__all__ = ["PackageFiles", "open_with", "packed"]

PackageFiles = Mapping[Path, Mapping[str, bytes]]
"""The files of each package: by its folder on the driver, then by their path in it."""


def packed(order: JudgeOrder) -> PackageFiles:
    """Reads the packages of all candidates, each once."""
    folders = {folder for candidate in order.candidates for folder in candidate.packages.values()}
    return {
        folder: {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        for folder in folders
    }


def open_with(order: JudgeOrder, files: PackageFiles) -> Judge:
    """Opens the judge from a temporary copy of the packages, verified as any other. Raises: ConfigError kin."""
    with tempfile.TemporaryDirectory(prefix="lineside-packages-") as place:
        moved = {folder: Path(place) / f"{number}" for number, folder in enumerate(files)}
        for folder, contents in files.items():
            for name, content in contents.items():
                target = moved[folder] / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        return replace(
            order,
            candidates=tuple(
                replace(each, packages={view: moved[folder] for view, folder in each.packages.items()})
                for each in order.candidates
            ),
        )()
