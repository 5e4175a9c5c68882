"""A storage that dies in the middle of a re-inspection: what it did not give is tried again, and nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

pytest.importorskip("s3fs", reason="needs the extra s3")
pytest.importorskip("moto", reason="needs the S3 server of the group dev")

from reinspection import ODD, make_archive, reinspect, rows_of
from s3_server import free_port, s3_server

PICTURES = 300

FILL = """
import sys, fsspec
s3 = fsspec.filesystem("s3")
s3.mkdir("s3://lost")
s3.put(sys.argv[1] + "/", "s3://lost/", recursive=True)
"""
"""In a process of its own: the library keeps its connections for as long as the interpreter lives."""


def fill(archive: Path) -> None:
    subprocess.run([sys.executable, "-c", FILL, str(archive)], check=True, env=os.environ)


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    port = free_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "something",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        "FSSPEC_S3_CONFIG_KWARGS": '{"retries": {"max_attempts": 0}, "connect_timeout": 2, "read_timeout": 5}',
    }.items():
        monkeypatch.setenv(name, value)
    return port


def test_what_a_storage_that_died_did_not_give_is_tried_again_by_resume_and_nothing_else_is(
    port: int, tmp_path: Path
) -> None:
    station = make_archive(tmp_path, pictures=PICTURES, layers=4)
    archive = tmp_path / "archive"

    with s3_server(tmp_path / "s3.log", port) as (_, server):
        fill(archive)
        with reinspect(station, tmp_path / "out", source="s3://lost") as run:
            run.wait_until_done(chunks=2)
            server.kill()
            assert 1 == run.wait(), run.log()
    first = pq.read_table(tmp_path / "out" / "rows.parquet")
    unreached = first.filter(first["unreached"])
    assert 0 < unreached.num_rows < PICTURES
    assert {"unreadable"} == set(unreached["state"].to_pylist())
    assert f"Of {unreached.num_rows} parts the storage did not give an image" in run.log()

    with s3_server(tmp_path / "s3.log", port):
        fill(archive)
        with reinspect(station, tmp_path / "out", "--resume", source="s3://lost") as again:
            assert 1 == again.wait(), "the odd files are still odd"
        with reinspect(station, tmp_path / "undisturbed", source="s3://lost") as undisturbed:
            assert 1 == undisturbed.wait(), undisturbed.log()

    assert rows_of(tmp_path / "undisturbed").equals(rows_of(tmp_path / "out"))
    unreadable = rows_of(tmp_path / "out").filter(pc.equal(rows_of(tmp_path / "out")["state"], "unreadable"))
    assert sorted(ODD) == sorted(unreadable["part_key"].to_pylist())
    last = pq.read_table(tmp_path / "out" / "rows.parquet")
    untouched = pc.invert(first["unreached"])
    assert first.filter(untouched)["judge_ms"].equals(last.filter(untouched)["judge_ms"]), "judged once, not twice"
