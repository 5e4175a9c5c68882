"""A judge on another machine: the same code, and the driver's packages without the driver's files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from lineside.assemble import open_inspector
from lineside.core.calibration import Calibration
from lineside.core.errors import ConfigError, PackageError
from lineside.core.recipe import Recipe
from lineside.inspector import Inspector
from lineside.reinspect.candidate import candidate_of, lettered
from lineside.reinspect.installation import check_same, installed
from lineside.reinspect.judge import ArchiveJudge, JudgeOrder
from lineside.reinspect.shipment import open_with, packed

DEMO = Path(__file__).parents[2] / "models" / "demo-plate"
ORDER = JudgeOrder(candidates=lettered([candidate_of(DEMO)]), open_inspector=open_inspector)


def test_a_machine_is_the_same_as_itself() -> None:
    check_same(installed(), installed(), place="node 10.0.0.7")


def test_a_machine_with_another_library_is_refused_by_its_name() -> None:
    here = installed()
    there = replace(here, libraries={**here.libraries, "onnxruntime": "0.0.1"})

    with pytest.raises(
        ConfigError, match=r"node 10\.0\.0\.7 has onnxruntime 0\.0\.1; expected onnxruntime \d"
    ) as refused:
        check_same(here, there, place="node 10.0.0.7")

    assert "numpy" not in str(refused.value)


def test_a_machine_without_a_library_is_refused() -> None:
    here = installed()
    there = replace(here, libraries={name: found for name, found in here.libraries.items() if name != "pyarrow"})

    with pytest.raises(ConfigError, match=r"has no pyarrow; expected pyarrow \d"):
        check_same(here, there, place="node 10.0.0.7")


def test_packages_are_opened_from_a_copy_that_is_gone_afterwards() -> None:
    seen: list[Path] = []

    def noting(
        recipe: Recipe,
        calibration: Calibration,
        packages: Mapping[str, Path],
        *,
        providers: tuple[str, ...],
        intra_op_threads: int,
    ) -> Inspector:
        seen.extend(packages.values())
        return open_inspector(recipe, calibration, packages, providers=providers, intra_op_threads=intra_op_threads)

    judge = open_with(replace(ORDER, open_inspector=noting), packed(ORDER))

    (folder,) = seen
    assert folder != DEMO
    assert not folder.exists()
    assert isinstance(judge, ArchiveJudge)
    assert [candidate.label for candidate in ORDER.candidates] == list(judge.inspectors)


def test_a_package_that_was_damaged_on_its_way_is_refused() -> None:
    files = {
        folder: {name: content[:-1] if name == "model.onnx" else content for name, content in contents.items()}
        for folder, contents in packed(ORDER).items()
    }

    with pytest.raises(PackageError):
        open_with(ORDER, files)
