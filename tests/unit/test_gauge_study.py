"""A study before and while it is measured: plan, file, sitting."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from lineside.core.errors import ConfigError, StationFault
from lineside.core.verdict import Outcome
from lineside.gauge.measurand import Measurand, Quantity, Reading, Seen, SeenFinding
from lineside.gauge.measurement import Measurement
from lineside.gauge.plan import make_plan
from lineside.gauge.sitting import Sitting, Step
from lineside.gauge.study_file import read_study, write_study


def a_plan(**changes):
    asked = {"parts": ["1", "2", "3"], "operators": ["Ann", "Bob"], "repeats": 2, "seed": 7, "measured": "score"}
    return make_plan(**asked | changes)


class Gauge:
    """Answers with what it was given, in order."""

    def __init__(self, *readings: Reading | Exception) -> None:
        self.readings = list(readings)
        self.measured: list[Measurement] = []

    def measure(self, wanted: Measurement) -> Reading:
        self.measured.append(wanted)
        reading = self.readings.pop(0) if self.readings else Reading(value="1.5", judged_by="recipe:1")
        if isinstance(reading, Exception):
            raise reading
        return reading


def test_every_operator_measures_every_part_once_in_every_repeat():
    plan = a_plan(parts=[str(part) for part in range(10)], operators=["Ann", "Bob", "Cleo"], repeats=3)

    assert {1} == set(Counter((row.part, row.operator, row.trial) for row in plan).values())
    assert 90 == len(plan)
    assert sorted(plan, key=lambda row: row.trial) == list(plan), "a repeat is over before the next begins"
    assert list(range(1, 91)) == [row.order for row in plan]


def test_the_seed_makes_the_same_order_again_and_another_one_another():
    assert a_plan(seed=7) == a_plan(seed=7)
    assert a_plan(seed=7) != a_plan(seed=8)


def test_the_order_is_left_to_chance_for_every_operator():
    """Over many seeds each part comes first about as often."""
    first = Counter(a_plan(seed=seed)[0].part for seed in range(600))

    assert {"1", "2", "3"} == set(first)
    assert min(first.values()) > 150


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"parts": ["1"]}, "at least two parts"),
        ({"operators": []}, "at least two parts, one operator"),
        ({"repeats": 1}, "two repeats"),
        ({"parts": ["1", "1"]}, "'1' is there twice"),
        ({"operators": ["Ann", " "]}, "without a name"),
        ({"references": {"9": "1.0"}}, "part '9', which is not in the study"),
        ({"parts": [str(part) for part in range(6000)]}, "24000 measurements"),
    ],
)
def test_a_plan_that_is_no_study_is_refused_by_name(changes, words):
    with pytest.raises(ConfigError, match=words):
        a_plan(**changes)


def test_a_study_reads_back_as_it_was_written(tmp_path: Path):
    rows = [
        replace(row, note='nothing found; "quoted", comma', value="")
        if row.order == 2
        else replace(row, value="-1.25e-3")
        for row in a_plan(references={"1": "2.5"})
    ]
    write_study(tmp_path / "study.csv", rows)

    assert tuple(rows) == read_study(tmp_path / "study.csv")
    assert ["study.csv"] == [path.name for path in tmp_path.iterdir()], "nothing else is left there"


def test_a_study_from_elsewhere_may_have_semicolons_decimal_commas_and_other_columns(tmp_path: Path):
    path = tmp_path / "elsewhere.csv"
    path.write_text(
        "\ufeffPart;Operator;Trial;Value;Reference;Comment\nA;Ann;1;2,51;2,5;warm\n;;;;;\nA;Ann;2;2,49;2,5;\n"
    )

    rows = read_study(path)

    assert [("2.51", "2.5"), ("2.49", "2.5")] == [(row.value, row.reference) for row in rows]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("part,trial,value\n1,1,2\n", "no column operator"),
        ("", "no column part, operator, trial, value"),
        ("part,operator,trial,value\n", "has 0 measurements"),
        ("part,operator,trial,value\n1,Ann,first,2\n", "line 2: trial 'first'"),
        ("part,operator,trial,value\n1,Ann,0,2\n", "line 2: trial '0'"),
        ("part,operator,trial,value\n,Ann,1,2\n", "line 2: no part"),
        ("part,operator,trial,value\n1,Ann,1,2\n1,Ann,1,3\n", "part 1 by Ann, trial 1 2 times"),
        ('part,operator,trial,value\n1,"Ann,1,2\n', "unexpected end of data"),
    ],
)
def test_a_file_that_is_no_study_is_refused_with_its_line(tmp_path: Path, text: str, words: str):
    path = tmp_path / "study.csv"
    path.write_text(text)

    with pytest.raises(ConfigError, match=words):
        read_study(path)


def test_a_file_that_is_not_there_or_no_text_is_told_as_that(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_study(tmp_path / "absent.csv")
    (tmp_path / "study.csv").write_bytes(b"part,operator\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_study(tmp_path / "study.csv")


def test_each_measurement_is_on_disk_before_the_next_is_asked_for(tmp_path: Path):
    path = tmp_path / "study.csv"
    on_disk: list[int] = []

    def asked(row: Measurement) -> Step:
        on_disk.append(sum(each.is_there for each in read_study(path)) if path.exists() else 0)
        return Step.MEASURE

    assert Sitting(path, a_plan(), Gauge()).run(asked)
    assert list(range(12)) == on_disk


def test_a_sitting_that_breaks_off_goes_on_where_it_was(tmp_path: Path):
    path = tmp_path / "study.csv"
    fallen = Gauge(*[Reading(value=str(number)) for number in range(5)], StationFault("gone"))
    with pytest.raises(StationFault):
        Sitting(path, a_plan(), fallen).run(lambda row: Step.MEASURE)
    again = Gauge()

    assert Sitting(path, read_study(path), again).run(lambda row: Step.MEASURE)
    assert list(range(6, 13)) == [row.order for row in again.measured]
    assert ["0", "1", "2", "3", "4"] == [row.value for row in read_study(path)][:5]


def test_a_missing_value_is_named_and_never_a_zero(tmp_path: Path):
    path = tmp_path / "study.csv"
    gauge = Gauge(Reading(value=None, note="NOT_INSPECTED: no frame came"))
    steps = iter([Step.MEASURE, Step.SKIP, *[Step.MEASURE] * 11])
    sitting = Sitting(path, a_plan(), gauge)

    assert sitting.run(lambda row: next(steps))
    assert 11 == sitting.done
    first = read_study(path)[0]
    assert ("", "NOT_INSPECTED: no frame came") == (first.value, first.note)
    assert [first] == sitting.missing


def test_a_part_without_a_value_can_be_measured_again_at_once(tmp_path: Path):
    gauge = Gauge(Reading(value=None, note="nothing found"), Reading(value="2.5"))
    sitting = Sitting(tmp_path / "study.csv", a_plan(), gauge)

    sitting.run(lambda row: Step.STOP if sitting.done else Step.MEASURE)

    assert ("2.5", "") == (sitting.rows[0].value, sitting.rows[0].note)


def test_another_recipe_in_mid_study_is_refused_and_what_is_there_stays(tmp_path: Path):
    path = tmp_path / "study.csv"
    gauge = Gauge(Reading(value="1", judged_by="plate:aa"), Reading(value="2", judged_by="plate:bb"))

    with pytest.raises(ConfigError, match="judged by plate:bb; expected plate:aa"):
        Sitting(path, a_plan(), gauge).run(lambda row: Step.MEASURE)
    assert ["1"] == [row.value for row in read_study(path) if row.is_there]


def test_a_file_that_cannot_be_written_is_told_by_name(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot be written"):
        write_study(tmp_path / "absent" / "study.csv", a_plan())


def finding(length_mm: float | None = 2.0, *, limit: str = "bore", region: str = "all") -> SeenFinding:
    sizes = {Quantity.LENGTH_PX: 20.0} | ({} if length_mm is None else {Quantity.LENGTH_MM: length_mm})
    return SeenFinding(view="face", class_name="hole", region=region, limit=limit, sizes=sizes)


def seen(*findings: SeenFinding, outcome: Outcome = Outcome.FAIL, **more) -> Seen:
    return Seen(outcome=outcome, why="hole 2 mm in face", findings=findings, scores={"face": 0.75}, **more)


def test_the_size_of_the_finding_that_is_asked_for_is_the_value():
    of_bore = Measurand(quantity=Quantity.LENGTH_MM, limit="bore")

    assert "2" == of_bore.of(seen(finding(), finding(9.0, limit="scratch"))).value
    assert Reading(value="3", note="the largest of 2") == of_bore.of(seen(finding(), finding(3.0)))


def test_what_is_not_there_is_no_value_and_says_why():
    of_bore = Measurand(quantity=Quantity.LENGTH_MM, limit="bore")

    assert "nothing found; 1 other findings" == of_bore.of(seen(finding(limit="scratch"))).note
    assert "findings within the limits are not told" in of_bore.of(seen(only_defects=True)).note
    gone = of_bore.of(Seen(outcome=Outcome.NOT_INSPECTED, why="no frame came"))
    assert (None, "NOT_INSPECTED: no frame came") == (gone.value, gone.note)


def test_a_size_in_mm_without_a_scale_is_a_wrong_declaration():
    with pytest.raises(ConfigError, match="without a scale"):
        Measurand(quantity=Quantity.LENGTH_MM).of(seen(finding(None)))


def test_the_score_and_the_outcome_are_values_too():
    assert "0.75" == Measurand(quantity=Quantity.SCORE).of(seen()).value
    assert "FAIL" == Measurand(quantity=Quantity.OUTCOME).of(seen()).value
    with pytest.raises(ConfigError, match="the score of view back"):
        Measurand(quantity=Quantity.SCORE, view="back").of(seen())


def test_what_is_measured_reads_back_from_its_words():
    for measurand in (
        Measurand(quantity=Quantity.SCORE),
        Measurand(quantity=Quantity.LENGTH_MM, limit="mark on the face", class_name="a b", region="r", view="v"),
    ):
        assert measurand == Measurand.of_words(measurand.words)
    with pytest.raises(ConfigError, match="measures 'weight'"):
        Measurand.of_words("weight")
