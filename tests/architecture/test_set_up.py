"""The two commands give the same tomorrow: what is needed is locked, and the wheel holds what it should."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
LOCKS = {path.stem: path.read_text() for path in (REPOSITORY / "requirements").glob("*.txt")}
COME_WITH_OTHERS = {"googleapis-common-protos", "markupsafe", "pydantic-core"}
"""The first shares the module `google` with protobuf; the others are halves of jinja2 and of pydantic."""
NEVER_IN_A_PROJECT = re.compile(
    r"(?<![\w/.-])/(work|tmp|opt/pypi|opt/wheels|root)/"  # somebody's own machine
    r"|registry\.npmjs\.org|files\.pythonhosted\.org|pypi\.org/simple|deb\.debian\.org"  # settings choose
)


def name_of(requirement: str) -> str:
    """The normalised name of a distribution in a requirement such as `ray[data]>=2.50`."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match, requirement
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def locked(lock: str) -> dict[str, set[str]]:
    """Distribution to its versions; there are several where they differ by Python version."""
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", LOCKS[lock], flags=re.MULTILINE):
        versions.setdefault(name, set()).add(version)
    return versions


def needed(lock: str) -> list[str]:
    project = PROJECT["project"]
    groups = PROJECT["dependency-groups"]
    extras = project["optional-dependencies"]
    build = groups["build"]
    run = [*project["dependencies"], *extras["modbus"]]  # a line in a box needs nothing more
    return {
        "run": run,
        "build": build,
        "dev": [*run, *build, *(entry for entry in groups["dev"] if isinstance(entry, str)), *of_tested(extras)],
        "train": [*run, *extras["train"]],
        "gpu": [*(entry for entry in run if name_of(entry) != "onnxruntime"), *extras["gpu"]],
    }[lock]


def of_tested(extras: dict[str, list[str]]) -> list[str]:
    """What the extras ask for that `make test` tries."""
    names = ("genicam", "reinspect", "calibrate", "s3", "ray")
    return [entry for name in names for entry in extras[name] if not entry.startswith("lineside[")]


def imported() -> set[str]:
    """Top-level names that the package's own modules import, at the top of a file or inside a function."""
    names: set[str] = set()
    for module in (REPOSITORY / "inspect" / "lineside").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add((node.module or "").partition(".")[0])
    return names - sys.stdlib_module_names - {"lineside"}


def test_what_is_imported_is_asked_for_and_the_other_way_round() -> None:
    project = PROJECT["project"]
    optional = {name_of(entry) for extra in project["optional-dependencies"].values() for entry in extra}
    asked = {name_of(entry) for entry in project["dependencies"]}
    homes = packages_distributions()
    used = {name_of(home) for name in imported() for home in homes.get(name, [name])}
    assert used - COME_WITH_OTHERS <= asked | optional
    assert asked <= used


@pytest.mark.parametrize("lock", sorted(LOCKS))
def test_everything_that_is_asked_for_is_locked_with_its_hashes(lock: str) -> None:
    assert {name_of(entry) for entry in needed(lock)} <= locked(lock).keys(), "run `make lock`"
    entries = re.split(r"\n(?=[a-z0-9])", LOCKS[lock].partition("make lock\n")[2])
    assert not [entry for entry in entries if "--hash=sha256:" not in entry]
    assert not re.findall(r"^-.*|.*(?:://|@ ).*", LOCKS[lock], flags=re.MULTILINE), "an index, a link or a local path"


def test_the_locks_agree_with_each_other() -> None:
    everything = {name: versions for lock in ("run", "build") for name, versions in locked(lock).items()}
    assert everything.items() <= locked("dev").items()
    tested, trained = locked("dev"), locked("train")
    assert {name: trained[name] for name in tested.keys() & trained.keys()} == {
        name: tested[name] for name in tested.keys() & trained.keys()
    }, "`make test` lays requirements/train.txt over dev.txt"


def test_no_station_gets_what_only_archives_training_and_clusters_need() -> None:
    assert not {"torch", "torchvision"} & {name for lock in LOCKS if lock != "train" for name in locked(lock)}
    assert not {"pyarrow", "scipy", "ray"} & {name for lock in ("run", "gpu") for name in locked(lock)}


def test_one_environment_never_holds_two_onnxruntimes() -> None:
    for lock in LOCKS:
        assert len({name for name in locked(lock) if name.startswith("onnxruntime")}) <= 1


def test_the_wheel_holds_lineside_and_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    version = PROJECT["project"]["version"]
    assert {name.partition("/")[0] for name in names} == {"lineside", f"lineside-{version}.dist-info"}
    assert {"lineside/py.typed", f"lineside-{version}.dist-info/licenses/LICENSE"} <= set(names)
    sources = {
        str(path.relative_to(REPOSITORY / "inspect")) for path in (REPOSITORY / "inspect/lineside").rglob("*.py")
    }
    assert {name for name in names if name.endswith(".py")} == sources


def test_the_change_log_speaks_of_this_version() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (REPOSITORY / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert "Unreleased" in headings or PROJECT["project"]["version"] in headings


def test_no_file_names_somebodys_machine_or_a_registry() -> None:
    listed = subprocess.check_output(["git", "ls-files"], cwd=REPOSITORY, text=True).split("\n")
    found = []
    for name in filter(None, listed):
        path = REPOSITORY / name
        if path == Path(__file__) or not path.is_file() or path.suffix in {".onnx", ".npy", ".npz", ".png", ".jpg"}:
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if match := NEVER_IN_A_PROJECT.search(line):
                found.append(f"{name}:{number}: {match[0]}")
    assert not found
