"""A package by its name or folder, as the commands of `lineside models` take it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineside.core.errors import PackageError
from lineside.detectors.declaration import MANIFEST

__all__ = ["MODELS", "Name", "Packages", "folder_of"]

MODELS = Path("models")

Packages = Annotated[Path, typer.Option("--models-dir", help="Where packages lie that are given by name.")]
Name = Annotated[str, typer.Argument(metavar="NAME|FOLDER", help="A package by name or folder.")]


def folder_of(name: str, models_dir: Path) -> Path:
    """A folder as given, else the package of that name. Raises: PackageError with the names that are there."""
    for folder in (Path(name), models_dir / name):
        if folder.is_dir():
            return folder
    known = sorted(path.parent.name for path in models_dir.glob(f"*/{MANIFEST}"))
    raise PackageError(f"no package '{name}'", expected=f"a folder, or a name in {models_dir}: {known}")
