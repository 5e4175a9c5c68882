"""Archives are read where they lie, and what cannot be read says why."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from lineside.core.errors import ConfigError, FrameError
from lineside.reinspect import storage
from lineside.reinspect.part import ImageRef

DATA = bytes(range(256)) * 4


@pytest.fixture(params=["disk", "file", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty folder on each kind of storage."""
    if request.param != "memory":
        yield str(tmp_path) if request.param == "disk" else storage.absolute(f"file://{tmp_path}")
        return
    memory = fsspec.filesystem("memory")
    memory.mkdir("/archive")
    yield "memory://archive"
    memory.rm("/archive", recursive=True)


def put(place: str, name: str, data: bytes = DATA) -> ImageRef:
    with fsspec.open(storage.joined(place, name), "wb") as file:
        file.write(data)
    return ImageRef(url=storage.joined(place, name))


def test_a_whole_file_is_read(place: str) -> None:
    assert DATA == storage.read(put(place, "a.png"))


def test_an_empty_file_is_read_as_no_bytes(place: str) -> None:
    assert b"" == storage.read(put(place, "a.png", b""))


def test_a_stretch_of_a_file_is_read(place: str) -> None:
    url = put(place, "a.tar").url

    assert DATA[100:150] == storage.read(ImageRef(url=url, offset_bytes=100, length_bytes=50))


@pytest.mark.parametrize("offset_bytes", [1000, 1024, 5000])
def test_a_stretch_behind_the_end_is_told_as_cut_off(place: str, offset_bytes: int) -> None:
    url = put(place, "a.tar").url

    with pytest.raises(FrameError, match=r"a\.tar is cut off: it ends \d+ bytes behind byte"):
        storage.read(ImageRef(url=url, offset_bytes=offset_bytes, length_bytes=50))


@pytest.mark.parametrize("length_bytes", [None, 1024])
def test_more_than_the_limit_is_not_read(place: str, length_bytes: int | None) -> None:
    url = put(place, "a.png").url

    with pytest.raises(FrameError, match="expected at most 1000"):
        storage.read(ImageRef(url=url, length_bytes=length_bytes), max_bytes=1000)
    assert DATA == storage.read(ImageRef(url=url, length_bytes=length_bytes), max_bytes=1024)


def test_a_file_that_is_gone_says_so(place: str) -> None:
    with pytest.raises(FrameError, match=r"gone\.png is not there, or no longer"):
        storage.read(ImageRef(url=storage.joined(place, "gone.png")))


def test_a_folder_lists_names_of_files_and_folders_in_order(place: str) -> None:
    for name in ("b.png", "A.png", "ä.png", "sub/c.png", "10.png", "9.png"):
        if "/" in name and storage.is_local(place):
            Path(place, "sub").mkdir()
        put(place, name)

    found = storage.listing(place, with_times=True)

    assert ["10.png", "9.png", "A.png", "b.png", "ä.png"] == found.files
    assert ["sub"] == found.folders
    assert found.modified_utc_ns.keys() == set(found.files)


def test_a_place_is_a_file_or_a_folder_or_nothing(place: str) -> None:
    url = put(place, "a.png").url

    assert [storage.is_file(each) for each in (url, place, url + "x")] == [True, False, False]
    assert [storage.is_folder(each) for each in (url, place, url + "x")] == [False, True, False]


def test_a_file_is_read_in_places(place: str) -> None:
    url = put(place, "a.tar").url

    with storage.open_file(url) as file:
        file.seek(1000)
        assert DATA[1000:] == file.read()
        file.seek(3)
        assert DATA[3:5] == file.read(2)
    assert len(DATA) == storage.size_bytes(url)


def test_a_chained_url_reaches_into_an_archive(tmp_path: Path) -> None:
    packed = fsspec.filesystem("zip", fo=str(tmp_path / "parts.zip"), mode="w")
    with packed.open("good/a.png", "wb") as file:
        file.write(DATA)
    packed.close()
    place = f"zip://::{tmp_path}/parts.zip"

    assert ["good"] == storage.listing(place).folders
    assert DATA == storage.read(ImageRef(url=storage.joined(storage.joined(place, "good"), "a.png")))


def test_a_relative_path_and_a_file_url_become_absolute_paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)

    assert f"{tmp_path}/a/b.png" == storage.absolute("a/b.png")
    assert "/a/b.png" == storage.absolute("file:///a/b.png")
    assert "s3://bucket/a" == storage.absolute("s3://bucket/a/")


@pytest.mark.parametrize("name", [b"\xff\xfe.png", b"two\nlines.png", b"per%20cent #?.png", b" .png"])
def test_any_name_is_read_and_shown(tmp_path: Path, name: bytes) -> None:
    Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_bytes(DATA)  # noqa: PTH118 - bytes

    (found,) = storage.listing(str(tmp_path)).files
    url = storage.joined(str(tmp_path), found)

    assert DATA == storage.read(ImageRef(url=url))
    assert storage.shown(url).isprintable() and storage.shown(url).encode()


def test_a_folder_given_as_an_image_says_so(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="is a folder, not a file"):
        storage.read(ImageRef(url=str(tmp_path)))


def test_a_link_in_a_circle_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("a.png")

    assert ["a.png"] == storage.listing(str(tmp_path)).files
    with pytest.raises(FrameError, match="is a link that leads in a circle"):
        storage.read(ImageRef(url=str(tmp_path / "a.png")))


def test_a_pipe_does_not_keep_its_reader_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")

    with pytest.raises(FrameError, match="neither a file nor a folder"):
        storage.read(ImageRef(url=str(tmp_path / "a.png")))


def test_an_unknown_kind_of_storage_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"nonsense://a\.png.*expected a path, or a URL that fsspec knows"):
        storage.read(ImageRef(url="nonsense://a.png"))


def _read_in_child(url: str, answer: multiprocessing.SimpleQueue[bytes]) -> None:
    answer.put(storage.read(ImageRef(url=url)))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_process_reads_what_its_parent_has_read(tmp_path: Path, method: str) -> None:
    packed = fsspec.filesystem("zip", fo=str(tmp_path / "parts.zip"), mode="w")
    with packed.open("a.png", "wb") as file:
        file.write(DATA)
    packed.close()
    url = f"zip://a.png::{tmp_path}/parts.zip"
    assert DATA == storage.read(ImageRef(url=url))
    context = multiprocessing.get_context(method)
    answer = context.SimpleQueue()

    child = context.Process(target=_read_in_child, args=(url, answer))
    child.start()

    assert DATA == answer.get()
    child.join()
    answer.close()


def test_local_archives_need_no_fsspec(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(DATA)
    code = (
        "import sys; from lineside.reinspect.sources.opening import open_source;"
        f"print(len(list(open_source({str(tmp_path)!r}).parts())), 'fsspec' in sys.modules, 'pyarrow' in sys.modules)"
    )

    assert ["1", "False", "False"] == subprocess.check_output([sys.executable, "-c", code], text=True).split()
