"""`lineside models bench` measures what there is, says why the rest is not, and never calls a wrong answer fast."""

import json
from pathlib import Path

import numpy as np
import pytest
from model_graphs import blur, blur_package
from typer.testing import CliRunner

from lineside.commands.models import models_app
from lineside.core.errors import ConfigError
from lineside.detectors.package import ModelPackage
from lineside.detectors.provider_bench import bench
from lineside.detectors.session import available_providers

ABSENT = tuple(name for name in ("cuda", "tensorrt", "openvino") if name not in available_providers())


@pytest.fixture
def package(tmp_path: Path) -> ModelPackage:
    return blur_package(tmp_path / "models" / "tiny")


def test_a_row_for_each_number_of_threads_with_all_figures(package: ModelPackage) -> None:
    rows = bench(package, ("cpu",), threads=(1, 2), seconds=0)

    assert [("cpu", "cpu", 1), ("cpu", "cpu", 2)] == [(row.provider, row.ran, row.threads) for row in rows]
    for row in rows:
        assert row.runs >= 20
        assert 0 < row.median_ms <= row.p99_ms
        assert min(row.load_ms, row.first_ms, row.images_per_s) > 0
        assert (row.difference, row.refused, row.absent) == (0.0, "", "")


@pytest.mark.skipif(not ABSENT, reason="every provider is here")
def test_a_provider_that_is_not_there_is_named_with_the_reason(package: ModelPackage) -> None:
    rows = bench(package, ABSENT, seconds=0)

    assert set(ABSENT) == {row.provider for row in rows}
    assert all(f"install lineside[{'openvino' if row.provider == 'openvino' else 'gpu'}]" in row.absent for row in rows)
    assert all(row.runs == 0 and row.ran == "" for row in rows)


def test_answers_that_a_station_would_refuse_are_told_beside_their_time(package: ModelPackage) -> None:
    """The graph is swapped after the package was verified, as a provider that computes something else would seem."""
    ninths, fifths = (np.full(9, 1 / share, np.float32).tobytes() for share in (9, 5))
    package.graph_path.write_bytes(blur().replace(ninths, fifths))
    (row,) = bench(package, ("cpu",), threads=(1,), seconds=0)

    assert row.difference > 0.1
    assert "differs by up to" in row.refused


def test_the_command_prints_a_table_and_writes_json(package: ModelPackage, tmp_path: Path) -> None:
    words = ("bench", "tiny", "--models-dir", str(tmp_path / "models"), "--seconds", "0", "--threads", "1")
    done = CliRunner().invoke(models_app, [*words, "--json", str(tmp_path / "bench.json")], catch_exceptions=False)

    assert 0 == done.exit_code
    assert "images/s" in done.output
    document = json.loads((tmp_path / "bench.json").read_text())
    assert package.identity.sha256 == document["package"]["sha256"]
    assert "onnxruntime " in document["machine"]
    assert "cpu" == document["rows"][0]["ran"]
    assert all(set(row) == {"provider", "threads", "absent"} for row in document["rows"] if row["provider"] in ABSENT)


@pytest.mark.parametrize("words", [("--provider", "gpu"), ("--threads", "0"), ("--threads", "one")])
def test_what_it_does_not_know_is_refused(package: ModelPackage, words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(models_app, ["bench", str(package.folder), *words])
    assert isinstance(done.exception, ConfigError)
