"""The gate: a package is released by a qualification of this very revision that shows what is asked for, or not."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from labelled_pictures import Shown, brightness_package, write_data
from typer.testing import CliRunner, Result

from lineside.cli import app
from lineside.core.errors import ConfigError
from lineside.core.identity import Identity, sha256_of_file
from lineside.detectors.declaration import read_declaration
from lineside.detectors.package import load_package
from lineside.detectors.release import read_release, release_files, release_of

DATA = [
    *(Shown(name=f"good/{index}.png", good=True, brightness=40 + index) for index in range(30)),
    *(Shown(name=f"bad/{index}.png", good=False, brightness=200 + index % 20) for index in range(60)),
    *(
        Shown(name=f"good/v{index}.png", good=True, brightness=50 + index, side_px=9, split="val")
        for index in range(60)
    ),
    *(
        Shown(name=f"bad/v{index}.png", good=False, brightness=190 + index % 20, side_px=9, split="val")
        for index in range(30)
    ),
]
RECIPE = """recipe_id = "spots"
revision = {revision}
product_id = "plate"
due_ms = 1000
[views.face]
package = "tiny"
pixel_format = "Mono8"
size_px = [48, 32]
[[limits]]
name = "spots"
max_length_px = 3.0
"""
STATION = """line_id = "l"
station_id = "one"
recipe = "spots"
[trigger]
source = "software"
[inspector]
released_only = true
[serve]
tcp = "127.0.0.1:0"
[archive]
min_free_bytes = 0
[cameras.face]
backend = "simulated"
pixel_format = "Mono8"
size_px = [48, 32]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a package, a recipe, a station that wants releases, and data; qualified, not released."""
    project = tmp_path_factory.mktemp("made")
    brightness_package(project / "models" / "tiny")
    write_data(project / "data", DATA)
    for folder, name, text in (
        ("models/recipes", "spots", RECIPE.format(revision=1)),
        ("calibration/stations", "one", STATION),
    ):
        (project / folder).mkdir(parents=True)
        (project / folder / f"{name}.toml").write_text(text)
    assert qualified(project).exit_code == 0
    return project


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "project"))


def lineside(*words: str | Path) -> Result:
    return CliRunner().invoke(app(str(words[0])), [str(word) for word in words])


def qualified(project: Path, what: str = "models/tiny", *more: str) -> Result:
    return lineside("qualify", project / what, project / "data", "--repeat-parts", "0", *more)


def released(project: Path, *more: str, escape: str = "5%") -> Result:
    return lineside(
        *("models", "release", "tiny", "--models-dir", project / "models", "--max-escape", escape, "--by", "Ann"), *more
    )


def checked(project: Path) -> Result:
    return lineside("check", project / "calibration" / "stations" / "one.toml")


def test_what_is_shown_is_released_and_the_station_takes_it(project: Path) -> None:
    assert "released_only = true, and package tiny revision 1" in checked(project).output

    said = released(project)
    assert said.exit_code == 0, said.output
    (path,) = release_files(project / "models")
    record = read_release(path)
    assert record.package_sha256 == read_declaration(project / "models" / "tiny").identity.sha256
    assert (record.escapes.count, record.escapes.of, record.released_by) == (0, 60, "Ann")
    assert 0.048 < record.escapes.at_most < 0.05  # 59 bad parts show 5 % at 95 %
    assert record.sha256 in said.output.replace("\n", "")
    assert checked(project).exit_code == 0, checked(project).output
    assert "released by Ann" in checked(project).output


def test_what_is_not_shown_is_not_released_and_it_says_how_many_parts_it_takes(project: Path) -> None:
    said = released(project, escape="1%")

    assert said.exit_code == 1
    assert "0 of 60 bad parts show at most 4.9 % at 95 % confidence, and 1 % is asked for" in said.output
    assert "299 bad parts without one" in said.output
    assert not release_files(project / "models")


def test_overkill_is_asked_for_only_if_it_is_asked_for(project: Path) -> None:
    said = released(project, "--max-overkill", "5%")

    assert said.exit_code == 1
    assert "overkill: 0 of 30 good parts show at most 9.6 %" in said.output


def test_a_qualification_of_val_does_not_count(project: Path) -> None:
    shutil.rmtree(project / "models" / "qualifications")
    assert qualified(project, "models/tiny", "--split", "val").exit_code == 0
    said = released(project, escape="20%")

    assert said.exit_code == 1
    assert "it is of the split val; a release needs test" in said.output


def test_another_revision_needs_a_qualification_and_a_release_of_its_own(project: Path) -> None:
    assert released(project).exit_code == 0
    said = lineside(
        *("models", "threshold", "tiny", project / "data", "--max-overkill", "5%", "--models-dir", project / "models")
    )
    assert said.exit_code == 0, said.output

    said = checked(project)
    assert said.exit_code == 2
    assert "package tiny revision 2" in said.output and "released is revision 1" in said.output
    said = released(project)
    assert said.exit_code == 1
    assert "missing: a qualification of this revision" in said.output
    assert "is of revision 1" in said.output and "it does not count" in said.output

    assert qualified(project).exit_code == 0
    assert released(project).exit_code == 0
    assert checked(project).exit_code == 0


def test_a_release_that_was_altered_is_none(project: Path) -> None:
    assert released(project).exit_code == 0
    (path,) = release_files(project / "models")
    path.write_text(path.read_text().replace('"released_by": "Ann"', '"released_by": "Bob"'))

    assert "has been altered" in checked(project).output
    listed = lineside("models", "releases", "--models-dir", project / "models")
    assert listed.exit_code == 1
    assert "has been altered" in listed.output


def test_a_qualification_that_was_altered_releases_nothing(project: Path) -> None:
    (path,) = (project / "models" / "qualifications").glob("*.json")
    path.write_text(path.read_text().replace('"of": 60', '"of": 600', 1))
    said = released(project, escape="1%")

    assert said.exit_code == 1
    assert "has been changed" in said.output.replace("\n", "")


def test_pictures_that_could_not_be_judged_stand_in_the_way(project: Path) -> None:
    (project / "data" / "bad" / "0.png").write_bytes(b"damaged")
    shutil.rmtree(project / "models" / "qualifications")
    assert qualified(project).exit_code == 0
    said = released(project, escape="10%")

    assert said.exit_code == 1
    assert "pictures that could not be judged: 1, the first bad/0.png" in said.output


def test_a_release_by_a_recipe_holds_for_that_recipe_as_it_was(project: Path) -> None:
    shutil.rmtree(project / "models" / "qualifications")
    assert qualified(project, "models/recipes/spots.toml").exit_code == 0
    said = released(project)
    assert said.exit_code == 0, said.output
    assert "for recipe spots as it is" in said.output
    assert checked(project).exit_code == 0, checked(project).output

    recipe = project / "models" / "recipes" / "spots.toml"
    recipe.write_text(RECIPE.format(revision=2).replace("3.0", "8.0"))
    assert "it is released for recipe spots as it was" in checked(project).output.replace("\n", "")


def test_a_package_whose_name_begins_like_a_released_one_is_not_released(project: Path) -> None:
    assert released(project).exit_code == 0
    identity = read_declaration(project / "models" / "tiny").identity

    assert release_of(project / "models", identity, Identity(id="any")).released_by == "Ann"
    with pytest.raises(ConfigError, match="is not released"):
        release_of(project / "models", replace(identity, id="tin"), Identity(id="any"))


def test_a_station_that_asks_for_none_needs_none(project: Path) -> None:
    station = project / "calibration" / "stations" / "one.toml"
    station.write_text(STATION.replace("released_only = true\n", ""))

    assert checked(project).exit_code == 0


def test_the_new_revision_is_the_old_one_but_for_its_threshold(project: Path) -> None:
    folder = project / "models" / "tiny"
    before, manifest = load_package(folder), (folder / "package.toml").read_bytes()
    said = lineside(
        *("models", "threshold", str(folder), project / "data", "--max-overkill", "5%", "--confidence", "90%")
    )
    after = load_package(folder)

    assert said.exit_code == 0, said.output
    assert (after.identity.id, after.identity.revision) == ("tiny", 2)
    assert after.manifest.output == before.manifest.output and after.manifest.input == before.manifest.input
    assert (folder / "revisions" / "1.toml").read_bytes() == manifest
    record = after.manifest.training["threshold_set"]
    assert (record["from_sha256"], record["pictures"]) == (before.identity.sha256, 90)
    assert "at most 5 % overkill at 90 % confidence, set on val of data" in after.manifest.threshold.set_by
    assert "0 of 60 good parts at or above it, 0 of 30 bad below" in after.manifest.threshold.set_by
    assert (50 + 59) / 255 < after.threshold < 190 / 255


def test_every_earlier_revision_can_be_restored_to_the_byte(project: Path) -> None:
    folder = project / "models" / "tiny"
    identities = [read_declaration(folder).identity]
    for rate in ("5%", "10%"):
        assert lineside("models", "threshold", folder, project / "data", "--max-overkill", rate).exit_code == 0
        identities.append(read_declaration(folder).identity)
    assert [each.revision for each in identities] == [1, 2, 3]

    for wanted in identities[:-1]:
        restored = project / f"restored-{wanted.revision}"
        shutil.copytree(folder, restored)
        (restored / "revisions" / f"{wanted.revision}.toml").replace(restored / "package.toml")
        (restored / "package.sha256").write_text(f"{sha256_of_file(restored / 'package.toml')}  package.toml\n")
        listed = read_declaration(restored).manifest.files
        for path in restored.rglob("*"):
            if path.is_file() and path.relative_to(restored).as_posix() not in {
                *listed,
                "package.toml",
                "package.sha256",
            }:
                path.unlink()
        assert load_package(restored).identity == wanted


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["--split", "test", "--max-overkill", "5%"], "makes test worthless"),
        (["--split", "train", "--max-overkill", "5%"], "the detector knows the pictures of train"),
        ([], "no rate is wanted"),
        (["--max-overkill", "5"], "a share between 0 and 100 %"),
        (["--max-overkill", "much"], "a share such as 1%"),
    ],
)
def test_a_threshold_is_set_by_a_wanted_rate_on_val_and_nothing_else(project: Path, more: list[str], why: str) -> None:
    before = (project / "models" / "tiny" / "package.toml").read_bytes()
    said = lineside("models", "threshold", project / "models" / "tiny", project / "data", *more)

    assert isinstance(said.exception, ConfigError)
    assert why in str(said.exception)
    assert (project / "models" / "tiny" / "package.toml").read_bytes() == before


def test_qualifying_on_the_pictures_that_set_the_threshold_is_said_and_stands_in_the_way(project: Path) -> None:
    said = lineside("models", "threshold", project / "models" / "tiny", project / "data", "--max-overkill", "5%")
    assert said.exit_code == 0, said.output
    said = qualified(project, "models/tiny", "--split", "all")

    assert said.exit_code == 0, said.output
    assert "Pictures that helped to make or to set the package: 90" in said.output
    said = released(project, escape="10%")
    assert said.exit_code == 1
    assert "pictures that helped to make or to set the package: 90" in said.output


def test_pictures_that_the_package_has_learned_from_are_refused(project: Path) -> None:
    package = project / "models" / "tiny"
    shutil.rmtree(package)
    digest = sha256_of_file(project / "data" / "good" / "3.png")
    listing = f"file,split,label,class,mask,group,sha256\nx.png,train,good,,,,{digest}\n".encode()
    brightness_package(package, other_files={"training/split.csv": listing})
    said = qualified(project)

    assert isinstance(said.exception, ConfigError)
    assert "has learned from 1 of these 90 pictures, the first good/3.png" in str(said.exception)
