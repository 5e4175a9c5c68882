"""Who judges the archive: a recipe with its calibration and packages, checked before anything runs."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lineside.config.limit_check import limit_problems
from lineside.config.recipe_file import read_recipe
from lineside.config.station_file import read_station
from lineside.config.toml_file import TomlFile, refuse
from lineside.core.calibration import Calibration
from lineside.core.errors import ConfigError
from lineside.core.fit import misfits
from lineside.core.identity import Identity, sha256_of_value
from lineside.core.recipe import ANY, Limit, Recipe, ViewRecipe
from lineside.detectors.declaration import MANIFEST, DeclaredPackage, read_declaration
from lineside.imaging.picture_file import size_in_header

__all__ = [
    "NO_CALIBRATION",
    "ONLY_PICTURE",
    "Candidate",
    "candidate_of",
    "candidate_of_package",
    "candidate_of_recipe",
    "candidate_of_station",
    "lettered",
]

NO_CALIBRATION = Calibration(identity=Identity(id="none", sha256=sha256_of_value({"scales": {}})))
"""Without a scale: what a recipe file alone is judged with, and a package."""

ONLY_PICTURE = "picture"
"""The view of a package that stands alone: whatever the one picture of a part shows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One inspector to hold against an archive. Picklable.

    `packages` is the package folder by view, `models` who lies there: a worker that finds another one refuses.
    A candidate made of a package alone looks at the one picture that a part has, whatever its view is called; with
    `any_size` its frames may have any size: the recipe's is that of the package's first reference frame.
    """

    label: str
    recipe: Recipe
    calibration: Calibration
    packages: Mapping[str, Path]
    models: Mapping[str, Identity]
    any_view: bool = False
    any_size: bool = False


def candidate_of(place: Path, *, packages: Mapping[str, Path] | None = None, scales: Path | None = None) -> Candidate:
    """The candidate that a path means: the folder of a package, a station file or a recipe file, told apart by content.

    `packages` takes other packages than the recipe names, by view or for all views ("*"); `scales` is the station file
    whose calibration holds for a recipe file. Raises: ConfigError with every problem.
    """
    if not place.exists():
        raise ConfigError(f"{place} is not there", expected="the folder of a package, a station file or a recipe file")
    if place.is_dir():
        if packages or scales:
            raise ConfigError(
                f"{place} is a package that stands alone",
                expected="neither other packages nor scales",
                remedy="name a recipe or a station file, and substitute the package in it",
            )
        return candidate_of_package(place)
    if "station_id" in TomlFile(place).value:
        if scales:
            raise ConfigError(f"{place} is a station file", expected="no other scales than its own")
        return candidate_of_station(place, packages=packages)
    calibration = read_station(scales).calibration if scales else NO_CALIBRATION
    return candidate_of_recipe(place, packages=packages, calibration=calibration)


def candidate_of_station(
    path: Path,
    *,
    recipe_id: str = "",
    packages: Mapping[str, Path] | None = None,
    calibration: Calibration | None = None,
) -> Candidate:
    """What the station file says: its recipe (or another one of its project), calibration (or another) and packages.

    Raises: ConfigError with every problem; its cameras are not looked at.
    """
    station = read_station(path)
    recipe_path = station.recipe_path_of(recipe_id) if recipe_id else station.recipe_path
    return candidate_of_recipe(recipe_path, packages=packages, calibration=calibration or station.calibration)


def candidate_of_recipe(
    path: Path, *, packages: Mapping[str, Path] | None = None, calibration: Calibration = NO_CALIBRATION
) -> Candidate:
    """A recipe file in <project>/models/recipes/, with the packages that lie in <project>/models/.

    With other `packages`, by view or for all views ("*"), the recipe is what the file would be if it named those: it
    has that hash. Raises: ConfigError with every problem.
    """
    named = read_recipe(path)
    folders = _folders(path, named, packages or {})
    declared = {view: read_declaration(folder) for view, folder in folders.items()}
    swapped = {view: declared[view].manifest.id for view in _views_of(packages or {}, named)}
    recipe = read_recipe(path, packages=swapped)
    file = TomlFile(path)
    problems = [
        file.problem(key, error.what, expected=error.expected, remedy=error.remedy)
        for key, error in misfits(recipe, calibration, declared)
    ]
    problems += limit_problems(recipe, calibration, declared, file)
    if problems:
        raise refuse(problems)
    label = f"{recipe.identity.id} r{recipe.identity.revision}"
    if swapped:
        label += f" with {_told(declared[view] for view in swapped)}"
    return Candidate(
        label=label,
        recipe=recipe,
        calibration=calibration,
        packages=folders,
        models={view: package.identity for view, package in declared.items()},
    )


def candidate_of_package(folder: Path) -> Candidate:
    """A package alone: one view, and every finding at the package's own threshold is a defect.

    Frames must have the package's pixel format; where it resizes they may have any size. Raises: PackageError.
    """
    package = read_declaration(folder)
    wanted = package.manifest.input
    width_px, height_px = _reference_size_px(package)
    recipe = Recipe(
        identity=Identity(
            id=package.identity.id,
            revision=package.identity.revision,
            sha256=sha256_of_value({"any finding of": package.identity.sha256}),
        ),
        product_id=package.identity.id,
        due_ms=1,
        views={
            ONLY_PICTURE: ViewRecipe(
                view=ONLY_PICTURE,
                package=package.identity.id,
                pixel_format=wanted.pixel_format,
                width_px=width_px,
                height_px=height_px,
            )
        },
        limits=(Limit(name="any finding"),),
    )
    return Candidate(
        label=f"package {_told([package])}",
        recipe=recipe,
        calibration=NO_CALIBRATION,
        packages={ONLY_PICTURE: folder.resolve()},
        models={ONLY_PICTURE: package.identity},
        any_view=True,
        any_size=wanted.resize != "exact" or wanted.size_px is None,
    )


def lettered(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The candidates in the same order, labelled "A: …", "B: …". Raises: ConfigError for none, or more than 26."""
    letters = string.ascii_uppercase
    if not 1 <= len(candidates) <= len(letters):
        raise ConfigError(f"{len(candidates)} candidates", expected=f"1 to {len(letters)}")
    return tuple(
        replace(candidate, label=f"{letter}: {candidate.label}")
        for letter, candidate in zip(letters, candidates, strict=False)
    )


def _folders(path: Path, recipe: Recipe, packages: Mapping[str, Path]) -> dict[str, Path]:
    """The package folder of each view, as substituted or as the recipe names it."""
    if strange := sorted(packages.keys() - {ANY, *recipe.views}):
        raise ConfigError(
            f"a package for view {', '.join(strange)}, which recipe {recipe.identity.id} does not have",
            expected=f"one of {', '.join(recipe.views)}, or {ANY} for all of them",
        )
    models = path.resolve().parent.parent  # <project>/models/recipes/<id>.toml
    others = {name: packages.get(name, packages.get(ANY)) for name in recipe.views}
    return {
        name: other.resolve() if (other := others[name]) else models / view.package
        for name, view in recipe.views.items()
    }


def _views_of(packages: Mapping[str, Path], recipe: Recipe) -> list[str]:
    return [view for view in recipe.views if view in packages or ANY in packages]


def _reference_size_px(package: DeclaredPackage) -> tuple[int, int]:
    reference = package.folder / package.manifest.references[0].input
    try:
        with reference.open("rb") as file:
            head = file.read(1 << 16)
    except OSError as error:
        raise ConfigError(
            f"{reference}: cannot be read ({error.strerror})",
            expected=f"a reference frame, as {MANIFEST} lists it",
            remedy="restore the package from its source",
        ) from error
    return size_in_header(np.frombuffer(head, np.uint8))


def _told(packages: Iterable[DeclaredPackage]) -> str:
    identities = dict.fromkeys(package.identity for package in packages)
    return ", ".join(f"{identity.id} r{identity.revision}" for identity in identities)
