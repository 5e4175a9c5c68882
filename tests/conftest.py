"""A test that leaves something behind fails: a process, thread, task, temporary file, socket or shared memory.

What wider fixtures hold is not counted: they are set up before the test's own look around. What is on its way out
gets a moment to go.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import os
import signal
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import pytest_asyncio

T = TypeVar("T")

GRACE_S = 3.0
"""How long a process may take to die, or a library to close a socket or end a task, after the test has ended."""

LIBRARY_PROCESSES = {
    "multiprocessing.resource_tracker": "the standard library keeps one until the interpreter ends",
    "multiprocessing.forkserver": "likewise",
}
MARK = "LINESIDE_TEST_RUN"
"""An environment variable that every process inherits: an orphan shows by it that it is ours."""


def children() -> set[int]:
    """Living direct child processes."""
    pids: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            pids |= {int(pid) for pid in (task / "children").read_text().split()}
    return {pid for pid in pids if is_ours(pid)}


def is_ours(pid: int) -> bool:
    """Alive, and not one of the helpers that the standard library keeps."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z" and not any(name in words for name in LIBRARY_PROCESSES)


def descendants() -> set[int]:
    """Living processes that were started by this run, by whomever, orphans included. Reads all of /proc: some 5 ms."""
    mark = f"{MARK}={os.environ[MARK]}\0".encode()
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes() and is_ours(int(entry.name)):
                    found.add(int(entry.name))
    return found


def threads() -> set[threading.Thread]:
    """Threads that would keep the interpreter from ending."""
    return {thread for thread in threading.enumerate() if not thread.daemon}


def descriptors() -> set[str]:
    """Open sockets, shared memory and temporary files, as the kernel names them."""
    links: set[str] = set()
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - called twice for every test
        with contextlib.suppress(FileNotFoundError):
            links.add(os.readlink(f"/proc/self/fd/{name}"))  # noqa: PTH115 - likewise
    return {link for link in links if link.startswith(("socket:", "/memfd:", "/dev/shm/", tempfile.gettempdir()))}


def temporary_files() -> set[str]:
    return set(os.listdir(tempfile.gettempdir()))  # noqa: PTH208 - likewise


def describe_process(pid: int) -> str:
    with contextlib.suppress(OSError):
        return f"{pid} " + Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return str(pid)


@contextlib.contextmanager
def watching(what: str, look: Callable[[], set[T]], describe: Callable[[T], str] = str) -> Iterator[None]:
    """Fails when `look` finds something afterwards that was not there before, and it does not go within the grace."""
    before = look()
    yield
    deadline = time.monotonic() + GRACE_S
    while left := look() - before:
        gc.collect()  # a socket in a reference cycle is closed, only late
        if time.monotonic() > deadline:
            pytest.fail(f"left behind: {what}: {', '.join(sorted(map(describe, left)))}", pytrace=False)
        time.sleep(0.02)


@pytest.fixture(scope="session", autouse=True)
def own_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Everything that asks for a temporary place gets one here, where what is left behind can be seen."""
    folder = tmp_path_factory.mktemp("scratch", numbered=False)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a shell: children would inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setenv(MARK, f"{os.getpid()}-{time.time_ns()}")
        patch.setattr(tempfile, "tempdir", str(folder))
        with watching("processes, at the end of the run", descendants, describe_process):
            yield folder


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest, own_temporary_folder: Path) -> Iterator[None]:
    """Compares what there is before and after each test."""
    # Only system tests start processes that start processes.
    processes = descendants if "system" in request.path.parts else children
    with (
        watching("temporary files", temporary_files),
        watching("open sockets, files and shared memory", descriptors),
        watching("threads", threads, lambda thread: thread.name),
        watching("processes", processes, describe_process),
    ):
        yield


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tests that are coroutines get the check on tasks, around all fixtures that may start one."""
    if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
        names = item.fixturenames
        if "no_task_left_behind" not in names:
            names.insert(names.index("nothing_left_behind") + 1, "no_task_left_behind")


@pytest_asyncio.fixture
async def no_task_left_behind() -> AsyncIterator[None]:
    """Tasks that the test started have ended, or are on their way out: gRPC's server stops before all of its have."""
    before = asyncio.all_tasks()
    yield
    deadline = time.monotonic() + GRACE_S
    while left := {task for task in asyncio.all_tasks() - before if task is not asyncio.current_task()}:
        if time.monotonic() > deadline:
            pytest.fail(f"left behind: tasks: {', '.join(sorted(map(str, left)))}", pytrace=False)
        await asyncio.sleep(0.02)
