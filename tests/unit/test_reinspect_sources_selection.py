"""Which parts are wanted, how many are left out by which rule, and that a sample is the same everywhere."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from lineside.core.errors import ConfigError
from lineside.core.identity import Identity
from lineside.core.reason import Reason
from lineside.core.trigger import Trigger
from lineside.core.verdict import Judgement, Latency, Outcome, Verdict
from lineside.reinspect.part import OriginalVerdict, Part
from lineside.reinspect.selection import Selection
from lineside.wire.codec import encode_verdict

IDENTITY = Identity(id="plate")


def judged(number: int, outcome: Outcome, *, captured_utc_ns: int = 0, decided_utc_ns: int = 0) -> Part:
    """A part of a station's archive: sequence `number`, trigger 100 later."""
    trigger = Trigger(number=number + 100, part_id="", received_utc_ns=1, received_mono_ns=1, due_mono_ns=9)
    verdict = Verdict(
        sequence=number,
        boot_id="boot",
        line_id="line",
        station_id="station",
        trigger=trigger,
        part_id=f"P{number}",
        judgement=Judgement(outcome=outcome, reason=Reason.NONE),
        captured_utc_ns=captured_utc_ns,
        decided_utc_ns=decided_utc_ns,
        decided_mono_ns=5,
        latency=Latency(),
        recipe=IDENTITY,
        calibration=IDENTITY,
        config_fingerprint="",
        simulated=True,
    )
    original = OriginalVerdict(sequence=number, trigger_number=trigger.number, payload=encode_verdict(verdict))
    return Part(key=str(number), part_id=f"P{number}", captured_utc_ns=captured_utc_ns, images={}, original=original)


def plain(*keys: object) -> list[Part]:
    return [Part(key=str(key), part_id=f"P{key}", images={}) for key in keys]


def keys(parts: Iterable[Part]) -> list[str]:
    return [part.key for part in parts]


STATION = [judged(number, Outcome(1 + number % 3)) for number in range(1, 13)]


def test_without_rules_every_part_is_wanted() -> None:
    selected = Selection().select(plain(3, 1, 2))

    assert ["3", "1", "2"] == keys(selected)
    assert (3, {}) == (selected.wanted, selected.left_out)


def test_parts_are_passed_on_as_they_are_found() -> None:
    def endless() -> Iterable[Part]:
        number = 0
        while True:
            number += 1
            yield from plain(number)

    wanted = iter(Selection(part_ids="P*7").select(endless()))

    assert ["7", "17"] == [next(wanted).key, next(wanted).key]


def test_a_time_range_holds_its_beginning_and_not_its_end() -> None:
    parts = [judged(number, Outcome.PASS, captured_utc_ns=number * 10) for number in range(1, 5)]
    parts.append(judged(9, Outcome.NOT_INSPECTED, decided_utc_ns=25))
    parts += plain("unknown")

    selected = Selection(from_utc_ns=20, to_utc_ns=40).select(parts)

    assert ["2", "3", "9"] == keys(selected)
    assert {"time": 2, "time unknown": 1} == selected.left_out
    assert ["4"] == keys(Selection(from_utc_ns=40).select(parts))
    assert ["1"] == keys(Selection(to_utc_ns=20).select(parts))


@pytest.mark.parametrize(
    ("selection", "found"),
    [
        (Selection(part_ids="P1?"), ["10", "11", "12"]),
        (Selection(first_part_id="P9", last_part_id="P11"), ["9", "10", "11"]),
        (Selection(first_part_id="P11"), ["11", "12"]),
        (Selection(first_sequence=3, last_sequence=4), ["3", "4"]),
        (Selection(last_sequence=2), ["1", "2"]),
        (Selection(first_trigger=111), ["11", "12"]),
        (Selection(only_rejects=True, last_sequence=5), ["1", "2", "4", "5"]),
        (Selection(outcomes=(Outcome.FAIL,), last_sequence=5), ["1", "4"]),
        (Selection(outcomes=(Outcome.FAIL, Outcome.PASS), last_sequence=5), ["1", "3", "4"]),
    ],
)
def test_each_rule_keeps_what_it_says(selection: Selection, found: list[str]) -> None:
    selected = selection.select(STATION)

    assert found == keys(selected)
    assert len(STATION) == selected.wanted + sum(selected.left_out.values())
    assert found == [part.key for part in STATION if selection.wants(part)]


def test_a_part_is_left_out_by_the_first_rule_that_it_breaks() -> None:
    selected = Selection(first_sequence=4, only_rejects=True).select([*STATION[:6], *plain("x")])

    assert ["4", "5"] == keys(selected)
    assert {"sequence": 4, "passed": 1} == selected.left_out


def test_parts_without_a_verdict_are_told_where_rejects_are_asked_for() -> None:
    damaged = Part(key="d", images={}, original=OriginalVerdict(sequence=1, trigger_number=1, payload=b"\xff"))
    selected = Selection(only_rejects=True).select([damaged, *plain("x")])

    assert [] == keys(selected)
    assert {"no original verdict": 2} == selected.left_out


def test_a_sample_is_the_same_in_every_order_and_another_with_another_seed() -> None:
    parts = plain(*range(5000))
    shuffled = random.Random(3).sample(parts, len(parts))

    for selection in (Selection(sample_share=0.2), Selection(sample_count=1000)):
        taken = keys(selection.select(parts))
        assert set(taken) == set(keys(selection.select(shuffled)))
        assert taken == sorted(taken, key=int)
    assert 900 < len(keys(Selection(sample_share=0.2).select(parts))) < 1100
    counted = Selection(sample_count=1000).select(parts)
    assert (1000, {"sample": 4000}) == (len(keys(counted)), counted.left_out)
    assert keys(Selection(sample_share=0.2).select(parts)) != keys(
        Selection(sample_share=0.2, sample_seed=1).select(parts)
    )


def test_the_very_parts_of_a_sample_are_held_fast() -> None:
    assert ["3", "9", "14"] == keys(Selection(sample_share=0.2).select(plain(*range(15))))
    assert ["4", "8", "13"] == keys(Selection(sample_count=3, sample_seed=7).select(plain(*range(15))))
    assert keys(Selection(sample_share=1.0).select(plain(1, 2))) == ["1", "2"]


def test_more_parts_asked_for_than_there_are_gives_all() -> None:
    assert ["1", "2"] == keys(Selection(sample_count=10).select(plain(1, 2)))


def test_a_sample_is_taken_of_what_the_other_rules_leave() -> None:
    selected = Selection(sample_count=2, only_rejects=True).select(STATION)

    assert 2 == len(keys(selected))
    assert {"passed": 4, "sample": 6} == selected.left_out


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"sample_share": 0.1, "sample_count": 5}, "both by share and by count"),
        ({"sample_share": 0.0}, "a sample of 0 of all parts"),
        ({"sample_share": 1.5}, "a sample of 1.5 of all parts"),
        ({"sample_count": 0}, "a sample of 0 parts"),
        ({"from_utc_ns": 5, "to_utc_ns": 5}, "the last time wanted is before the first"),
        ({"first_sequence": 5, "last_sequence": 4}, "the last sequence wanted is before the first"),
        ({"first_trigger": 5, "last_trigger": 4}, "the last trigger wanted is before the first"),
        ({"first_part_id": "P10", "last_part_id": "P9"}, "the last part id wanted is before the first"),
    ],
)
def test_rules_that_nothing_could_keep_are_refused(rules: dict[str, float], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Selection(**rules)  # type: ignore[arg-type]
