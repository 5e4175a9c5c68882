"""Who judges an archive is read from files, told apart by what they say, and refused by name before anything runs."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from archive_project import HEIGHT_PX, WIDTH_PX, colour_package, make_project, resizing_package
from model_graphs import blur_package

from lineside.config.recipe_file import read_recipe
from lineside.config.station_file import read_station
from lineside.core.errors import ConfigError, PackageError
from lineside.core.pixel_format import PixelFormat
from lineside.reinspect.candidate import NO_CALIBRATION, ONLY_PICTURE, candidate_of, candidate_of_recipe, lettered


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def recipe_of(project: Path) -> Path:
    return project / "models" / "recipes" / "plate.toml"


def station_of(project: Path) -> Path:
    return project / "calibration" / "stations" / "one.toml"


def test_a_recipe_file_is_judged_with_the_packages_of_its_project(project: Path) -> None:
    candidate = candidate_of(recipe_of(project))

    assert read_recipe(recipe_of(project)) == candidate.recipe
    assert {"face": project / "models" / "tiny"} == candidate.packages
    assert NO_CALIBRATION == candidate.calibration
    assert candidate.label == "plate r1"
    assert not candidate.any_size


def test_a_station_file_is_its_recipe_with_its_calibration(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", mm=True)

    candidate = candidate_of(station_of(project))

    assert read_recipe(recipe_of(project)).identity == candidate.recipe.identity
    assert read_station(station_of(project)).calibration == candidate.calibration
    assert candidate_of(recipe_of(project), scales=station_of(project)) == candidate


def test_a_package_alone_fails_whatever_it_finds_in_the_one_picture(project: Path) -> None:
    candidate = candidate_of(project / "models" / "tiny")

    (view,) = candidate.recipe.views.values()
    (limit,) = candidate.recipe.limits
    assert (view.view, view.pixel_format) == (ONLY_PICTURE, PixelFormat.MONO8)
    assert (view.width_px, view.height_px) == (WIDTH_PX, HEIGHT_PX)
    assert (limit.min_score, limit.max_count, limit.has_size) == (None, 0, False)
    assert candidate.any_view
    assert not candidate.any_size
    assert candidate.label == "package tiny r1"


def test_a_package_that_resizes_takes_pictures_of_any_size(tmp_path: Path) -> None:
    candidate = candidate_of(resizing_package(tmp_path / "resizing"))

    assert candidate.any_size


def test_a_recipe_with_another_package_is_what_its_file_would_be_if_it_named_that_one(
    project: Path, tmp_path: Path
) -> None:
    blur_package(tmp_path / "elsewhere", threshold=0.9)
    other = candidate_of(recipe_of(project), packages={"*": tmp_path / "elsewhere"})
    assert {"face": tmp_path / "elsewhere"} == other.packages
    assert other.label == "plate r1 with tiny r1"
    assert candidate_of(recipe_of(project)).recipe.identity == other.recipe.identity, "the recipe says tiny, too"
    assert candidate_of(recipe_of(project)).models != other.models

    colour_package(project / "models" / "second", PixelFormat.BGR8)  # its manifest calls itself tiny
    recipe_of(project).write_text(recipe_of(project).read_text().replace('"tiny"', '"first"'))
    substituted = candidate_of(recipe_of(project), packages={"face": tmp_path / "elsewhere"})
    recipe_of(project).write_text(recipe_of(project).read_text().replace('"first"', '"tiny"'))

    assert candidate_of(recipe_of(project)).recipe.identity == substituted.recipe.identity


def test_a_package_in_one_view_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", views=("face", "side"))
    blur_package(tmp_path / "other", threshold=0.9)

    candidate = candidate_of(recipe_of(project), packages={"side": tmp_path / "other"})

    assert {"face": project / "models" / "tiny", "side": tmp_path / "other"} == candidate.packages
    with pytest.raises(ConfigError, match="a package for view back, which recipe plate does not have"):
        candidate_of(recipe_of(project), packages={"back": tmp_path / "other"})


def test_what_does_not_fit_is_refused_with_its_line(project: Path, tmp_path: Path) -> None:
    colour = colour_package(tmp_path / "colour", PixelFormat.BGR8)

    with pytest.raises(ConfigError, match=r"plate\.toml:5: frames in Mono8 for the package tiny; expected BGR8"):
        candidate_of(recipe_of(project), packages={"*": colour})


def test_a_limit_in_mm_needs_the_scale_of_a_station(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", mm=True)

    with pytest.raises(ConfigError, match="is in mm, and view face has no scale"):
        candidate_of(recipe_of(project))


def test_a_package_that_was_altered_or_is_none_is_refused(project: Path, tmp_path: Path) -> None:
    manifest = project / "models" / "tiny" / "package.toml"
    manifest.write_text(manifest.read_text().replace("value = 0.5", "value = 0.4"))

    with pytest.raises(PackageError, match="its SHA-256 is"):
        candidate_of(recipe_of(project))
    with pytest.raises(PackageError, match=r"no package\.toml"):
        candidate_of(tmp_path)
    with pytest.raises(ConfigError, match="is not there; expected the folder of a package, a station file or a recipe"):
        candidate_of(tmp_path / "gone")
    with pytest.raises(ConfigError, match="stands alone"):
        candidate_of(project / "models" / "tiny", packages={"*": tmp_path})


def test_several_candidates_have_a_letter_each_and_travel_to_other_processes(project: Path) -> None:
    same = candidate_of_recipe(recipe_of(project))

    candidates = lettered([same, same, candidate_of(project / "models" / "tiny")])

    assert ["A: plate r1", "B: plate r1", "C: package tiny r1"] == [each.label for each in candidates]
    assert candidates == pickle.loads(pickle.dumps(candidates))
    with pytest.raises(ConfigError, match="0 candidates; expected 1 to 26"):
        lettered([])
