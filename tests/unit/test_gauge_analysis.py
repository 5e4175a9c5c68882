"""What a study shows, in words for a quality manager, and what is refused by name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gauge_examples import CROSSED

from lineside.core.errors import ConfigError
from lineside.gauge.analysis import Asked, analyse
from lineside.gauge.attribute import analyse_attribute
from lineside.gauge.crossed import is_attribute
from lineside.gauge.measurement import Measurement
from lineside.gauge.report import write_attribute_report, write_report
from lineside.gauge.rules import Ruling
from lineside.gauge.study_file import read_study, write_study


def rows_of(values, *, references=None, operators=("Ann", "Bob", "Cleo")):
    """The measurements of an array (parts, operators, repeats)."""
    return [
        Measurement(
            part=str(part + 1),
            operator=operators[operator],
            trial=trial + 1,
            value=f"{value:g}" if isinstance(value, float) else str(value),
            reference="" if references is None else str(references[part]),
        )
        for (part, operator, trial), value in np.ndenumerate(np.asarray(values))
    ]


def a_gauge(spread: float):
    """Ten parts that differ by 1, three operators, three repeats that scatter by `spread`."""
    rng = np.random.default_rng(2)
    return np.arange(10.0)[:, None, None] + rng.normal(0, spread, (10, 3, 3))


def test_the_aiag_example_is_answered_by_the_rule_that_it_is_worst_by():
    """28 % would be marginal, but 4 kinds of part are fewer than 5."""
    analysis = analyse(rows_of(CROSSED), Asked())

    assert Ruling.NOT_ACCEPTABLE is analysis.ruling
    assert analysis.answer.startswith("The gauge is not acceptable by AIAG's rules: it tells 4 kinds of part apart")
    assert "28 % of the total variation (10 % to 30 % is marginal)" in analysis.answer
    assert any("part 4 by Bob" in each for each in analysis.more)


@pytest.mark.parametrize(
    ("spread", "tolerance", "ruling"),
    [
        (0.05, None, Ruling.ACCEPTABLE),
        (0.5, None, Ruling.MARGINAL),
        (2.0, None, Ruling.NOT_ACCEPTABLE),
        (0.05, 6.0, Ruling.ACCEPTABLE),
        (0.05, 2.0, Ruling.MARGINAL),
        (0.05, 0.5, Ruling.NOT_ACCEPTABLE),
    ],
)
def test_the_ruling_follows_the_scatter_and_the_tolerance(spread, tolerance, ruling):
    analysis = analyse(rows_of(a_gauge(spread)), Asked(tolerance=tolerance))

    assert ruling is analysis.ruling
    assert f"The gauge is {ruling.words} by AIAG's rules: it " in analysis.answer


def test_a_missing_value_is_refused_by_name_with_its_reason():
    rows = rows_of(CROSSED)
    rows[5] = replace(rows[5], value="", note="NOT_INSPECTED: no frame came")

    with pytest.raises(ConfigError, match=r"part 1 by Bob, trial 3 has no value \(NOT_INSPECTED: no frame came\)"):
        analyse(rows, Asked())


def test_a_part_that_an_operator_measured_less_often_is_refused_or_left_out_by_name():
    rows = [row for row in rows_of(CROSSED) if (row.part, row.operator, row.trial) != ("7", "Cleo", 2)]

    with pytest.raises(ConfigError, match="1 measurements of the study are missing: part 7 by Cleo, trial 2"):
        analyse(rows, Asked())
    without = analyse(rows, Asked(drop_incomplete=True))
    assert 9 == without.study.parts
    assert "Part 7 is left out: part 7 by Cleo, trial 2 was not measured." in without.more


def test_parts_stand_in_the_order_of_their_numbers():
    analysis = analyse(rows_of(CROSSED)[::-1], Asked())

    assert tuple(str(number) for number in range(1, 11)) == analysis.table.parts
    assert CROSSED.tolist() == analysis.table.numbers.tolist()


def test_a_word_among_numbers_is_refused_by_name():
    rows = rows_of(CROSSED)
    rows[40] = replace(rows[40], value="n/a")

    assert not is_attribute(rows)
    with pytest.raises(ConfigError, match="has the value 'n/a'; expected a number"):
        analyse(rows, Asked())


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Asked(tolerance=0.0), "a tolerance of 0"),
        (Asked(confidence=95.0), "a confidence of 95"),
        (Asked(references={"11": 1.0}), "part '11', which is not in the study"),
    ],
)
def test_what_cannot_be_is_refused_by_name(asked, words):
    with pytest.raises(ConfigError, match=words):
        analyse(rows_of(CROSSED), asked)


def test_a_study_in_which_nothing_differs_is_refused():
    with pytest.raises(ConfigError, match="all 18 measurements are 4"):
        analyse(rows_of(np.full((3, 3, 2), 4.0)), Asked())


def test_references_of_the_file_show_the_bias_and_those_of_the_caller_go_before():
    values = a_gauge(0.05) + 0.5
    in_file = analyse(rows_of(values, references=range(10)), Asked())
    given = analyse(rows_of(values, references=range(10)), Asked(references={str(n + 1): n + 0.5 for n in range(10)}))

    assert in_file.mean_bias is not None and given.mean_bias is not None
    assert 0.5 == pytest.approx(in_file.mean_bias.mean, abs=0.02)
    assert in_file.mean_bias.is_significant
    assert 0.0 == pytest.approx(given.mean_bias.mean, abs=0.02)
    assert in_file.line is not None and in_file.line.is_linear


def test_references_of_two_sizes_show_bias_but_no_line():
    analysis = analyse(rows_of(a_gauge(0.05)), Asked(references={"1": 0.0, "2": 1.0}))

    assert [0.0, 1.0] == [each.reference for each in analysis.biases]
    assert analysis.line is None


def test_one_operator_alone_shows_repeatability_and_says_so():
    analysis = analyse(rows_of(a_gauge(0.05)[:, :1]), Asked())

    assert analysis.study.reproducibility is None
    assert any("nothing of reproducibility" in each for each in analysis.more)


def test_wide_bounds_are_told():
    assert any(
        "Within the bounds it may also be not acceptable" in each
        for each in analyse(rows_of(a_gauge(0.7)), Asked()).more
    )


def ratings(*wrong: tuple[int, int, int]):
    """Ten parts, half of them good, rated by three operators three times; those named are rated wrongly."""
    words = np.array([["pass" if part % 2 else "fail"] * 9 for part in range(10)]).reshape(10, 3, 3)
    for place in wrong:
        words[place] = "pass" if words[place] == "fail" else "fail"
    return words


def test_ratings_are_held_against_themselves_each_other_and_the_standard():
    truth = ["pass" if part % 2 else "fail" for part in range(10)]
    rows = rows_of(ratings((0, 1, 0), (1, 1, 0), (2, 1, 1)), references=truth)

    assert is_attribute(rows)
    analysis = analyse_attribute(rows)
    kappas = {each.what: each.value for each in (*analysis.within, *analysis.between, *analysis.against)}
    assert 1.0 == kappas["Ann alone"] == kappas["Ann and Cleo"] == kappas["Cleo and the standard"]
    assert kappas["Bob alone"] < 1.0
    assert 0.8 == pytest.approx(kappas["Bob and the standard"])
    assert analysis.answer.startswith("The ratings are marginal by AIAG's rules; the weakest is Bob alone")


def test_a_standard_of_some_parts_only_is_refused():
    rows = rows_of(ratings(), references=["fail", "pass", *[""] * 8])

    with pytest.raises(ConfigError, match="part 3 has no reference, others have"):
        analyse_attribute(rows)


def test_the_json_tells_the_same_as_the_page(tmp_path: Path):
    write_study(
        tmp_path / "study.csv", rows_of(CROSSED, references=[f"{part:g}" for part in CROSSED.mean(axis=(1, 2))])
    )
    rows = read_study(tmp_path / "study.csv")
    analysis = analyse(rows, Asked(tolerance=8.0, unit="mm"))
    write_report(tmp_path / "study.html", tmp_path / "study.csv", rows, analysis, command="lineside gauge report")
    document = json.loads((tmp_path / "study.json").read_text())

    assert analysis.answer == document["answer"]
    assert 0.302373**2 == pytest.approx(document["components"]["gauge"]["variance"], abs=1e-6)
    assert 4 == document["number_of_distinct_categories"]
    assert 10 == len(document["bias"]["at"])
    page = (tmp_path / "study.html").read_text()
    assert all(
        each.replace("'", "&#39;").replace(" %", "\N{NO-BREAK SPACE}%") in page
        for each in (document["answer"], *document["more"])
    )
    assert {"study.csv", "study.html", "study.json"} == {path.name for path in tmp_path.iterdir()}


def test_a_gauge_that_repeats_exactly_has_a_report_too(tmp_path: Path):
    """Categories without bound are null in the JSON."""
    write_study(tmp_path / "exact.csv", rows_of(np.arange(10.0)[:, None, None] + np.zeros((10, 3, 3))))
    rows = read_study(tmp_path / "exact.csv")
    analysis = analyse(rows, Asked())
    write_report(tmp_path / "exact.html", tmp_path / "exact.csv", rows, analysis, command="")

    assert Ruling.ACCEPTABLE is analysis.ruling
    assert json.loads((tmp_path / "exact.json").read_text())["categories"]["value"] is None


def test_names_from_anywhere_do_no_harm_on_the_page(tmp_path: Path):
    nasty = "<script>alert(1)</script>"
    write_study(tmp_path / "s.csv", rows_of(ratings(), operators=(nasty, "B&B", 'say "so"')))
    rows = read_study(tmp_path / "s.csv")
    write_attribute_report(tmp_path / "s.html", tmp_path / "s.csv", rows, analyse_attribute(rows), command=nasty)

    assert nasty not in (tmp_path / "s.html").read_text()
