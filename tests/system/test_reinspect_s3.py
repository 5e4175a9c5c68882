"""Archives in an object store: a real S3 server in a process of its own, reached as any other is."""

from __future__ import annotations

import gc
import io
import os
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator

import pytest

pytest.importorskip("s3fs", reason="needs the extra s3")
pytest.importorskip("moto", reason="needs the S3 server of the group dev")

import fsspec
import fsspec.asyn
from s3_server import free_port, s3_server

from lineside.core.errors import ConfigError, FrameError
from lineside.reinspect import storage
from lineside.reinspect.part import ONLY_VIEW, ImageRef
from lineside.reinspect.sources.opening import open_source
from lineside.reinspect.sources.source import SourceOptions

OBJECTS = {
    "parts/good/1.png": b"one",
    "parts/good/2.png": b"two" * 1000,
    "parts/defect/scratch/3.jpg": b"three",
    "parts/empty.png": b"",
    "parts/naïve + odd #?%20&.png": b"odd",
    "parts/README.txt": b"about",
    "list/parts.csv": b"path,truth\npictures/a.png,good\ns3://archive/parts/good/1.png,bad\ngone.png,good\n",
    "list/pictures/a.png": b"a",
}


def tar_of(*names: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 100_000
            tar.addfile(info, io.BytesIO(name.encode().ljust(info.size, b".")))
    return file.getvalue()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of a server with nothing in it."""
    fsspec.asyn.get_loop()  # the library keeps its thread, and what wakes it, until the interpreter ends
    with s3_server(tmp_path_factory.mktemp("s3") / "server.log", free_port()) as (endpoint, _):
        yield endpoint


@pytest.fixture
def archive(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The filled bucket; where it is and who may read it is told by the environment, as for any user."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "something")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3 = fsspec.filesystem("s3")
    s3.mkdir("s3://archive")
    for name, data in OBJECTS.items():
        s3.pipe_file(f"archive/{name}", data)
    for number in range(2):
        s3.pipe_file(f"archive/shards/s-{number}.tar", tar_of("1.png", "2.top.png", "2.side.png"))
    yield "s3://archive"
    s3.rm("s3://archive", recursive=True)
    close(s3)


def close(s3: fsspec.AbstractFileSystem) -> None:
    """What it keeps open for later use goes with it."""
    type(s3).clear_instance_cache()
    del s3
    gc.collect()


def test_a_folder_of_pictures_is_listed_and_read(archive: str) -> None:
    source = open_source(f"{archive}/parts/", options=SourceOptions(truth="folders"))

    parts = {part.key: part for part in source.parts()}

    assert ["empty.png", "naïve + odd #?%20&.png", "defect/scratch/3.jpg", "good/1.png", "good/2.png"] == list(parts)
    for key, part in parts.items():
        assert OBJECTS[f"parts/{key}"] == storage.read(part.images[ONLY_VIEW])
    assert {"files ending in .txt": 1} == source.ignored
    assert [None, None, "scratch", "", ""] == [part.truth and part.truth.class_name for part in parts.values()]
    assert ["good/1.png", "good/2.png"] == [part.key for part in open_source(f"{archive}/parts/g*/*.png").parts()]


def test_the_time_of_an_object_is_told_where_it_is_asked_for(archive: str) -> None:
    times = [
        part.captured_utc_ns
        for part in open_source(f"{archive}/parts", options=SourceOptions(time_modified=True)).parts()
    ]

    assert all(abs(captured_utc_ns - time.time_ns()) < 3600 * 10**9 for captured_utc_ns in times)


def test_a_manifest_names_objects_beside_it_and_elsewhere(archive: str) -> None:
    beside, elsewhere, gone = open_source(f"{archive}/list/parts.csv").parts()

    assert b"a" == storage.read(beside.images[ONLY_VIEW])
    assert b"one" == storage.read(elsewhere.images[ONLY_VIEW])
    with pytest.raises(FrameError, match=r"gone\.png is not there, or no longer"):
        storage.read(gone.images[ONLY_VIEW])


def test_a_folder_of_more_objects_than_fit_on_a_page_is_listed_whole(archive: str) -> None:
    names = [f"part-{number:04d}.png" for number in range(1001)]
    fsspec.filesystem("s3").pipe({f"archive/many/{name}": b"" for name in names})

    assert names == [part.key for part in open_source(f"{archive}/many").parts()]


@pytest.mark.parametrize("where", ["shards", "shards/s-*.tar", "shards/s-{0..1}.tar"])
def test_shards_are_read_in_stretches(archive: str, where: str) -> None:
    parts = list(open_source(f"{archive}/{where}").parts())

    assert ["s-0.tar/1", "s-0.tar/2", "s-1.tar/1", "s-1.tar/2"] == [part.key for part in parts]
    assert ["top", "side"] == list(parts[3].images)
    assert storage.read(parts[3].images["side"]).rstrip(b".") == b"2.side.png"


def test_what_cannot_be_had_says_why(archive: str) -> None:
    url = f"{archive}/parts/good/2.png"

    with pytest.raises(FrameError, match="is cut off: it ends 10 bytes behind byte 2990"):
        storage.read(ImageRef(url=url, offset_bytes=2990, length_bytes=50))
    with pytest.raises(FrameError, match="is cut off: it ends 0 bytes behind byte 5000"):
        storage.read(ImageRef(url=url, offset_bytes=5000, length_bytes=50))
    with pytest.raises(FrameError, match="expected at most 100"):
        storage.read(ImageRef(url=url), max_bytes=100)
    with pytest.raises(FrameError, match="is not there"):
        storage.read(ImageRef(url="s3://no-such-bucket/a.png"))
    with pytest.raises(ConfigError, match="there is nothing at s3://archive/nothing"):
        open_source(f"{archive}/nothing")


def test_a_server_that_does_not_answer_is_told(archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3 = fsspec.filesystem("s3")
    close(s3)

    with pytest.raises(FrameError, match=r"cannot be read: .*check the disk or the storage"):
        storage.read(ImageRef(url=f"{archive}/parts/good/1.png"))


def test_another_process_finds_the_server_by_the_environment(archive: str) -> None:
    code = f"""
from lineside.reinspect import storage
from lineside.reinspect.sources.opening import open_source
for part in open_source({f"{archive}/parts/good"!r}).parts():
    print(part.key, len(storage.read(part.images[""])))
"""
    environment = {name: value for name, value in os.environ.items() if name != "AWS_ENDPOINT_URL"}
    environment["FSSPEC_S3_ENDPOINT_URL"] = os.environ["AWS_ENDPOINT_URL"]

    said = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
    ).stdout

    assert ["1.png 3", "2.png 3000"] == said.splitlines()
