"""The line between the station and a child: whole messages, in order, or a clear word that there will be none."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from lineside.supervise.link import Link, LinkClosed, MessageTooLarge, link_pair
from lineside.supervise.messages import Beat

LARGE = bytes(100_000)
TOO_LARGE = bytes(1 << 20)


@pytest.fixture
def ends() -> Iterator[tuple[Link, Link]]:
    ours, socket = link_pair()
    theirs = Link(socket)
    yield ours, theirs
    ours.close()
    theirs.close()


def test_messages_keep_their_boundaries_and_their_order(ends: tuple[Link, Link]) -> None:
    ours, theirs = ends
    messages: list[object] = [1, "two", {"three": [3.0]}, LARGE, Beat(), b""]
    for message in messages:
        assert ours.send(message)
    assert [theirs.receive() for _ in messages] == messages
    assert theirs.receive() is None


def test_both_ends_may_speak_at_once(ends: tuple[Link, Link]) -> None:
    ours, theirs = ends
    ours.send("question")
    theirs.send("answer")
    assert (theirs.receive(1.0), ours.receive(1.0)) == ("question", "answer")


def test_what_was_received_is_not_changed_by_what_comes_later(ends: tuple[Link, Link]) -> None:
    ours, theirs = ends
    ours.send(b"a" * 1000)
    first = theirs.receive()
    ours.send(b"b" * 1000)
    theirs.receive()
    assert first == b"a" * 1000


def test_without_a_message_receiving_waits_its_time_and_says_none(ends: tuple[Link, Link]) -> None:
    assert ends[0].receive(timeout_s=0.01) is None


def test_when_the_other_end_closes_what_it_said_is_still_heard(ends: tuple[Link, Link]) -> None:
    ours, theirs = ends
    theirs.send("last words")
    theirs.close()
    assert ours.receive() == "last words"
    with pytest.raises(LinkClosed):
        ours.receive()
    with pytest.raises(LinkClosed):
        ours.send("anybody there?")
    with pytest.raises(LinkClosed):
        ours.send_waiting("anybody there?")


def test_a_message_that_is_too_large_is_refused_and_the_link_goes_on(ends: tuple[Link, Link]) -> None:
    ours, theirs = ends
    with pytest.raises(MessageTooLarge):
        ours.send(TOO_LARGE)
    with pytest.raises(MessageTooLarge):
        ours.send_waiting(TOO_LARGE)
    ours.send("small")
    assert theirs.receive() == "small"


def test_sending_to_one_that_does_not_read_never_blocks_and_loses_nothing_that_was_taken(
    ends: tuple[Link, Link],
) -> None:
    ours, theirs = ends
    taken = 0
    while ours.send((taken, LARGE)):
        taken += 1
    assert taken > 0
    received = [theirs.receive() for _ in range(taken)]
    assert received == [(number, LARGE) for number in range(taken)]
    assert theirs.receive() is None
    assert ours.send("room again")


def test_sending_can_wait_until_the_other_end_reads(ends: tuple[Link, Link]) -> None:
    ours, theirs = ends
    count = 20
    sender = threading.Thread(target=lambda: [ours.send_waiting((number, LARGE)) for number in range(count)])
    sender.start()
    received = [theirs.receive(timeout_s=10.0) for _ in range(count)]
    sender.join()
    assert received == [(number, LARGE) for number in range(count)]
