"""Commissioning finds the shortest takt that holds, says why another does not, and puts it all on one page."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from lineside.commands.commission_page import Measured, page
from lineside.commands.commission_trial import Heard, Line, Trial, percentile, shortest_takt
from lineside.core.errors import StationFault
from lineside.core.verdict import Outcome
from lineside.wire.v1 import inspection_pb2 as pb


def part(number: int, *, takt_ms: float = 100.0, heard_ms: float = 10.0, outcome: Outcome = Outcome.PASS) -> Heard:
    return Heard(
        triggered_utc_ns=round(number * takt_ms * 1e6),
        heard_ms=heard_ms,
        decide_ms=heard_ms - 2,
        capture_ms=2.0,
        queue_ms=0.5,
        inspect_ms=5.0,
        infer_ms=4.0,
        outcome=outcome,
        detail="16 parts are in flight" if outcome is Outcome.NOT_INSPECTED else "",
    )


def trial(takt_ms: float, *, heard_ms: float = 10.0, given_ms: float | None = None, missed: int = 0) -> Trial:
    parts = [
        part(number, takt_ms=given_ms or takt_ms, heard_ms=heard_ms + number / 100, outcome=outcome)
        for number, outcome in enumerate([Outcome.NOT_INSPECTED] * missed + [Outcome.PASS] * (100 - missed))
    ]
    return Trial(takt_ms=takt_ms, due_ms=250, parts=tuple(parts))


@pytest.mark.parametrize("rated_ms", [5.0, 40.0, 1000.0])
@pytest.mark.parametrize("limit_ms", [7.3, 31.0, 90.0])
async def test_the_search_finds_the_machines_limit_to_five_percent(rated_ms: float, limit_ms: float) -> None:
    async def measure(takt_ms: float) -> Trial:
        return trial(takt_ms, missed=0 if takt_ms >= limit_ms else 3)

    tried = await shortest_takt(await measure(rated_ms), measure)

    held = min(each.takt_ms for each in tried if not each.why_not and each.takt_ms)
    assert limit_ms <= held <= limit_ms * 1.05
    assert tried[0].takt_ms == rated_ms
    assert len(tried) <= 16


async def test_a_station_that_never_holds_ends_the_search_without_an_answer() -> None:
    async def measure(takt_ms: float) -> Trial:
        return trial(takt_ms, missed=1)

    tried = await shortest_takt(await measure(10.0), measure)
    measured = Measured(
        machine={}, station={"station": "s on line l", "provider": "cpu"}, rated=tried[0], trials=tuple(tried)
    )

    assert measured.shortest is None
    assert ("shortest takt that holds", "none was found") in measured.summary


async def test_a_station_faster_than_any_line_is_not_tried_below_a_millisecond() -> None:
    async def measure(takt_ms: float) -> Trial:
        return trial(takt_ms)

    assert [each.takt_ms for each in await shortest_takt(trial(4.0), measure)] == [4.0, 2.0, 1.0]


@pytest.mark.parametrize(
    ("measured", "why"),
    [
        (trial(100), ""),
        (trial(100, missed=2), "2 not inspected (16 parts are in flight)"),
        (trial(100, heard_ms=251), "p99 252.0 ms is beyond the due time"),
        (trial(2, given_ms=2.5), "triggers could be given only every 2.50 ms"),
    ],
)
def test_a_trial_that_does_not_hold_says_why(measured: Trial, why: str) -> None:
    assert measured.why_not == why


def test_one_slow_part_in_a_hundred_is_within_the_p99() -> None:
    assert percentile([1.0] * 99 + [1000.0], 0.99) == 1.0
    assert percentile([1.0] * 98 + [1000.0] * 2, 0.99) == 1000.0


class Answering:
    """A client whose station answers each trigger through the stream, except those told to be silent."""

    def __init__(self, *, silent: set[int], outcome: Outcome = Outcome.PASS) -> None:
        self.line: Line | None = None
        self.triggers = 0
        self._silent = silent
        self._outcome = outcome

    async def trigger(self, part_id: str = "") -> pb.TriggerInspectionResponse:
        self.triggers += 1
        number = self.triggers
        if number not in self._silent and self.line is not None:
            verdict = pb.Verdict(trigger_number=number, outcome=int(self._outcome), triggered_utc_ns=time.time_ns())
            asyncio.get_running_loop().call_later(0.002, self.line.take, verdict)
        return pb.TriggerInspectionResponse(trigger_number=number)


async def test_a_trial_has_every_part_in_the_order_of_its_triggers() -> None:
    client = Answering(silent=set())
    client.line = line = Line(client, due_ms=100)

    measured = await line.trial(1.0, 20)

    assert len(measured.parts) == 20
    assert [each.triggered_utc_ns for each in measured.parts] == sorted(
        each.triggered_utc_ns for each in measured.parts
    )
    assert all(each.heard_ms >= 2 for each in measured.parts)


async def test_a_trial_that_clearly_fails_is_broken_off() -> None:
    client = Answering(silent=set(), outcome=Outcome.NOT_INSPECTED)
    client.line = line = Line(client, due_ms=100)

    measured = await line.trial(5.0, 500)

    assert 5 <= measured.not_inspected == len(measured.parts) < 100


async def test_a_verdict_that_never_comes_is_a_fault_with_its_count() -> None:
    client = Answering(silent={3})
    client.line = line = Line(client, due_ms=50, spare_s=0.1)

    with pytest.raises(StationFault, match="1 of 5 verdicts were never heard of"):
        await line.trial(1.0, 5)


class Elements(HTMLParser):
    """All elements of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def measured(rated: Trial, *trials: Trial) -> Measured:
    station = {"station": "<b>press</b> on line 7", "provider": "cpu", "model demo": "revision 1, SHA-256 " + "a" * 64}
    return Measured(machine={"processor": "a & b"}, station=station, rated=rated, trials=trials)


def test_the_page_needs_nothing_from_elsewhere_and_takes_names_as_text() -> None:
    html = page(measured(trial(100), trial(100), trial(50, missed=3)))
    elements = Elements(html)

    assert not [tag for tag, _ in elements.found if tag in ("script", "link", "img", "iframe", "b")]
    assert not [attrs for _, attrs in elements.found if {"src", "href"} & attrs.keys()]
    assert "url(" not in html
    assert "@import" not in html
    assert "<b>press</b> on line 7" in elements.text
    assert "a & b" in elements.text
    assert "$" not in html


def test_the_page_says_what_was_measured() -> None:
    text = Elements(page(measured(trial(100), trial(100), trial(50), trial(25, missed=3)))).text

    assert "Holds at the rated takt of 100 ms: all 100 parts inspected, 99 % heard of within 11.0 ms" in text
    assert re.search(r"50\.00 ms \(1,200 parts a minute\)", text)
    assert "2.00 times the rated pace" in text
    assert "3 not inspected (16 parts are in flight)" in text
    assert "a" * 64 in text


def test_the_histogram_counts_every_part() -> None:
    html = page(measured(trial(100), trial(100)))

    assert sum(int(count) for count in re.findall(r"<title>(\d+) parts</title>", html)) == 100


def test_where_the_camera_sets_the_pace_the_page_says_that_no_takt_was_searched() -> None:
    rated = replace(trial(80), takt_ms=None)
    text = Elements(page(measured(rated))).text

    assert "Holds at the camera's own pace of 80.00 ms" in text
    assert "not searched: the camera sets the pace" in text


@pytest.mark.parametrize("heard_ms", [0.4, 240.0, 9000.0])
def test_the_charts_stay_within_their_frames(heard_ms: float) -> None:
    html = page(measured(trial(100, heard_ms=heard_ms)))
    numbers = [float(number) for number in re.findall(r'[xy]="(-?[\d.]+)"', html)]

    assert numbers
    assert min(numbers) >= 0
    assert max(numbers) <= 340
