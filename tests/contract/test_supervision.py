"""A supervised child: whatever it does, its owner is told once, it is replaced, and nothing of it is left."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog
from waiting import until

from lineside.core.errors import ConfigError, LinesideError
from lineside.supervise.child import Child, ChildLimits, ChildState
from lineside.supervise.link import Link, LinkClosed, link_pair
from lineside.supervise.messages import InspectorUp, Start, Up

WORKER = """
import os, resource, time
from lineside.core.errors import ConfigError
from lineside.supervise.messages import Beat, InspectorUp, Stop

UP = InspectorUp(provider="", models=())

def echo(link, argument):
    link.send_waiting(UP)
    while True:
        message = link.receive(timeout_s=0.05)
        if message is None:
            link.send(Beat())
        elif isinstance(message, Stop):
            return
        elif message == "die":
            os._exit(1)
        elif message == "want more memory than there is":
            resource.setrlimit(resource.RLIMIT_AS, (1 << 20, resource.RLIM_INFINITY))
            bytearray(1 << 30)
        elif message == "hang":
            time.sleep(1e6)
        else:
            link.send_waiting((argument, message))

def crash(link, argument):
    os._exit(1)

def crash_once_up(link, argument):
    link.send_waiting(UP)
    os._exit(1)

def refuse(link, argument):
    raise ConfigError("the lamp is blue", expected="a red lamp", remedy="change the lamp")

def never_ready(link, argument):
    time.sleep(1e6)

def deaf_to_stop(link, argument):
    link.send_waiting(UP)
    while True:
        link.send(Beat())
        time.sleep(0.05)
"""


class Owner:
    """Keeps what it is told of its child."""

    def __init__(self) -> None:
        self.ups = 0
        self.said: list[object] = []
        self.downs: list[tuple[str, LinesideError | None]] = []
        self.patient_until = 0
        self.on_up: Callable[[], None] = lambda: None

    def up(self, message: Up) -> None:
        assert isinstance(message, InspectorUp)
        self.ups += 1
        self.on_up()

    def heard(self, message: object) -> None:
        self.said.append(message)

    def down(self, why: str, error: LinesideError | None) -> None:
        self.downs.append((why, error))

    def patient_until_mono_ns(self) -> int:
        return self.patient_until


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that child processes can import."""
    (tmp_path / "tiny_worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "tiny_worker"


@asynccontextmanager
async def supervised(entry: str, owner: Owner, **limits: int) -> AsyncIterator[Child]:
    chosen = ChildLimits(**{"backoff_first_ms": 10, "backoff_last_ms": 40, **limits})
    child = Child("tiny", entry=entry, argument="argument", fds=[], handler=owner, limits=chosen)
    child.start()
    try:
        yield child
    finally:
        await child.stop()


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


async def test_a_child_comes_up_answers_and_stops_when_asked(worker: str) -> None:
    owner = Owner()
    async with supervised(f"{worker}:echo", owner) as child:
        assert not child.send("too early"), "it is not up yet"
        await until(lambda: owner.ups == 1, "up")
        pid = child.pid
        assert pid is not None
        assert child.send("hello")
        await until(lambda: owner.said, "an answer")
    assert owner.said == [("argument", "hello")]
    assert (child.state, child.restarts, owner.downs) == (ChildState.STOPPED, 0, [])
    assert is_gone(pid)
    assert not child.send("anybody there?")


async def test_a_child_that_dies_is_told_once_and_replaced(worker: str) -> None:
    owner = Owner()
    async with supervised(f"{worker}:echo", owner) as child:
        await until(lambda: owner.ups == 1, "up")
        first = child.pid
        child.send("die")
        await until(lambda: owner.ups == 2, "up again")
        assert len(owner.downs) == 1
        assert child.restarts == 1
        assert child.pid != first
        child.send("hello")
        await until(lambda: owner.said, "an answer of the second one")


async def test_a_child_that_gets_no_memory_ends_and_is_replaced_by_one_that_does(worker: str) -> None:
    owner = Owner()
    async with supervised(f"{worker}:echo", owner) as child:
        await until(lambda: owner.ups == 1, "up")
        child.send("want more memory than there is")
        await until(lambda: owner.ups == 2, "up again")
        assert [why for why, _ in owner.downs] == ["process ended"]
        child.send("hello")
        await until(lambda: owner.said, "an answer of the second one")


async def test_a_child_that_is_silent_without_work_is_replaced(worker: str) -> None:
    owner = Owner()
    async with supervised(f"{worker}:echo", owner, silent_ms=300) as child:
        await until(lambda: owner.ups == 1, "up")
        first = child.pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        await until(lambda: owner.ups == 2, "up again")
        assert is_gone(first)
    assert [why.partition(" for ")[0] for why, _ in owner.downs] == ["silent"]


async def test_a_child_at_work_may_be_silent_as_long_as_its_owner_is_patient(worker: str) -> None:
    owner = Owner()
    async with supervised(f"{worker}:echo", owner, silent_ms=200) as child:
        await until(lambda: owner.ups == 1, "up")
        first = child.pid
        owner.patient_until = time.monotonic_ns() + 10**12
        child.send("hang")
        await asyncio.sleep(0.8)
        assert (child.pid, owner.downs) == (first, [])
        owner.patient_until = 0
        await until(lambda: owner.ups == 2, "up again")


async def test_a_child_that_no_longer_reads_is_replaced_and_sending_never_waits(worker: str) -> None:
    owner = Owner()
    async with supervised(f"{worker}:echo", owner) as child:
        await until(lambda: owner.ups == 1, "up")
        first = child.pid
        assert first is not None
        owner.patient_until = time.monotonic_ns() + 10**12
        os.kill(first, signal.SIGSTOP)
        while child.send(bytes(50_000)):
            pass
        assert [why for why, _ in owner.downs] == ["no longer reads its messages"]
        await until(lambda: owner.ups == 2, "up again")
        assert is_gone(first)


async def test_a_child_that_is_not_ready_in_time_is_replaced(worker: str) -> None:
    owner = Owner()
    async with supervised(f"{worker}:never_ready", owner, start_ms=300) as child:
        await until(lambda: len(owner.downs) == 2, "given up twice")
    assert owner.ups == 0
    assert child.restarts >= 1
    assert all("not ready" in why and "limit 300 ms" in why for why, _ in owner.downs)


async def test_a_refusal_arrives_with_all_that_it_says(worker: str) -> None:
    owner = Owner()
    async with supervised(f"{worker}:refuse", owner):
        await until(lambda: owner.downs, "told why")
    why, error = owner.downs[0]
    assert isinstance(error, ConfigError)
    assert (error.what, error.expected, error.remedy) == ("the lamp is blue", "a red lamp", "change the lamp")
    assert why == str(error)


@pytest.mark.parametrize("entry", ["crash", "crash_once_up", "no_such_function"])
async def test_a_crash_loop_is_slowed_down_to_a_limit_and_goes_on(entry: str, worker: str) -> None:
    owner = Owner()
    with structlog.testing.capture_logs() as logs:
        async with supervised(f"{worker}:{entry}", owner) as child:
            await until(lambda: len(owner.downs) >= 5, "five crashes")
    pauses_ms = [entry["again_in_ms"] for entry in logs if entry["event"] == "child lost"]
    assert pauses_ms[:5] == [10, 20, 40, 40, 40]
    assert child.restarts >= 4


async def test_a_child_that_worked_is_replaced_without_delay_when_it_crashes_again(worker: str) -> None:
    owner = Owner()
    with structlog.testing.capture_logs() as logs:
        async with supervised(f"{worker}:echo", owner) as child:
            for turn in range(1, 4):
                await until(lambda turn=turn: owner.ups == turn, "up")
                child.send("work")
                await until(lambda turn=turn: len(owner.said) == turn, "worked")
                child.send("die")
            await until(lambda: len(owner.downs) == 3, "three crashes")
    assert [entry["again_in_ms"] for entry in logs if entry["event"] == "child lost"] == [10, 10, 10]


@pytest.mark.parametrize("entry", ["deaf_to_stop", "never_ready"])
async def test_a_child_that_does_not_stop_is_ended(entry: str, worker: str) -> None:
    owner = Owner()
    async with supervised(f"{worker}:{entry}", owner, stop_ms=200) as child:
        if entry == "deaf_to_stop":
            await until(lambda: owner.ups == 1, "up")
        await until(lambda: child.pid, "started")
        pid = child.pid
        assert pid is not None
    assert is_gone(pid)
    assert (child.state, owner.downs) == (ChildState.STOPPED, [])


async def test_a_child_that_is_stopped_between_two_lives_stays_dead(worker: str) -> None:
    owner = Owner()
    async with supervised(f"{worker}:crash", owner, backoff_first_ms=60_000, backoff_last_ms=60_000) as child:
        await until(lambda: owner.downs, "the crash")
        assert child.state is ChildState.DOWN
    assert (child.state, child.pid, child.restarts) == (ChildState.STOPPED, None, 0)


async def test_a_child_that_is_stopped_while_it_is_being_started_leaves_no_process(worker: str) -> None:
    owner = Owner()
    for turns in range(20):  # of the loop, between the start and the stop
        async with supervised(f"{worker}:echo", owner) as child:
            for _ in range(turns):
                await asyncio.sleep(0)
    assert (child.state, child.pid, owner.ups, owner.downs) == (ChildState.STOPPED, None, 0, [])


async def test_a_child_that_cannot_be_started_is_told_and_tried_again_until_it_can(worker: str) -> None:
    owner, descriptor = Owner(), 900  # which is not open: nothing can be started that should inherit it
    limits = ChildLimits(backoff_first_ms=10, backoff_last_ms=40)
    child = Child("tiny", entry=f"{worker}:echo", argument="argument", fds=[descriptor], handler=owner, limits=limits)
    child.start()
    await until(lambda: len(owner.downs) >= 2, "told twice")
    assert owner.downs[0] == ("cannot be started: [Errno 9] Bad file descriptor", None)
    os.dup2(2, descriptor)
    await until(lambda: owner.ups == 1, "up")
    await child.stop()
    os.close(descriptor)
    assert child.restarts >= 2


def test_a_child_whose_station_is_gone_before_it_begins_does_not_begin(worker: str) -> None:
    ours, theirs = link_pair()
    ours.send(Start(entry=f"{worker}:echo", argument="argument"))
    somebody_else = "1"
    with theirs:
        command = [sys.executable, "-m", "lineside.supervise.child_main", str(theirs.fileno()), somebody_else, "tiny"]
        ended = subprocess.run(command, pass_fds=[theirs.fileno()], timeout=30, check=False)
    assert ended.returncode == 0
    with pytest.raises(LinkClosed):  # not a word of being up
        ours.receive(timeout_s=1.0)
    ours.close()


def test_a_child_ends_when_its_station_closes_the_link(worker: str) -> None:
    ours, theirs = link_pair()
    ours.send(Start(entry=f"{worker}:echo", argument="argument"))
    with theirs:
        command = [
            sys.executable,
            "-m",
            "lineside.supervise.child_main",
            str(theirs.fileno()),
            str(os.getpid()),
            "tiny",
        ]
        child = subprocess.Popen(command, pass_fds=[theirs.fileno()])
    assert isinstance(wait_for_message(ours), InspectorUp)
    ours.close()
    assert child.wait(30) == 0


def wait_for_message(link: Link) -> object:
    message = None
    while message is None:
        message = link.receive(timeout_s=20.0)
    return message
