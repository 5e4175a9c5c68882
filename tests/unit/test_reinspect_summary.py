"""The summary says of the rows what a plain count in Python says, in one pass, however they are cut into row groups."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from lineside.core.errors import ReinspectionError
from lineside.reinspect.row import ImageRow, ModelRow, Row, State, table_of
from lineside.reinspect.summary import RunFacts, Summary, summarise
from lineside.reinspect.summary.document import PartList, PartNote, summary_schema

RUN = RunFacts(command="lineside reinspect", source="archive/", wall_s=2.0, workers=2, engine="local")
A, B = "A: plate r1", "B: plate r2"
DAY_NS = 24 * 3600 * 10**9


def row(key: str, candidate: str = A, *, passes: bool = True, **facts: object) -> Row:
    judged = {
        "state": State.JUDGED,
        "outcome": "PASS" if passes else "FAIL",
        "score": 0.5 if passes else 1.5,
        "images": (ImageRow(view="face", url=f"/a/{key}.png", sha256="0" * 64),),
    }
    return Row(part_key=key, candidate=candidate, **{**judged, **facts})  # type: ignore[arg-type]


def random_rows(parts: int, seed: int) -> list[Row]:
    """Two candidates over parts with and without truth and original verdicts, some of them not to be judged."""
    chance = random.Random(seed)
    rows = []
    for number in range(parts):
        bad = chance.choice([None, None, False, False, False, True])
        shared = {
            "part_key": f"part {number:05d}",
            "part_id": f"id {number}",
            "captured_utc_ns": chance.choice([0, 1_760_000_000 * 10**9 + chance.randrange(40 * DAY_NS)]),
            "truth_bad": bad,
            "truth_class": chance.choice(["scratch", "dent"]) if bad else "",
            "original_outcome": chance.choice(["", "PASS", "PASS", "FAIL", "NOT_INSPECTED"]),
        }
        state = chance.choices(list(State), [0.9, 0.06, 0.04])[0]
        for candidate in (A, B):
            if state is not State.JUDGED:
                error = f"file of {chance.randrange(9999)} bytes is cut short" if state is State.UNREADABLE else "shed"
                rows.append(Row(candidate=candidate, state=state, error=error, **shared))  # type: ignore[arg-type]
                continue
            outcome = chance.choices(
                ["PASS", "FAIL", "NOT_INSPECTED"], [0.1 if bad else 0.95, 0.9 if bad else 0.1, 0.02]
            )[0]
            reproduces = chance.choice([None, True, False]) if shared["original_outcome"] else None
            rows.append(
                Row(
                    candidate=candidate,
                    state=state,
                    outcome=outcome,
                    detail="scratch 3.2 mm in face" if outcome == "FAIL" else "",
                    score=None
                    if outcome == "NOT_INSPECTED"
                    else chance.uniform(1, 3)
                    if outcome == "FAIL"
                    else chance.random(),
                    defects_total=int(outcome == "FAIL"),
                    review=chance.random() < 0.1,
                    reproduces=reproduces,
                    difference=f"model {chance.choice(['abcdef0123456789', '00112233445566aa'])}"
                    if reproduces is False
                    else "",
                    recipe_sha256="a" * 64,
                    models=(ModelRow(id="plate", revision=1, sha256=chance.choice(["1", "2"]) * 64),),
                    provider="cpu",
                    images=(ImageRow(view="face", url="x", sha256=""),) * chance.choice([1, 2]),
                    read_ms=1.0,
                    decode_ms=2.0,
                    infer_ms=3.0,
                    judge_ms=5.0,
                    **shared,  # type: ignore[arg-type]
                )
            )
    return rows


def written(folder: Path, rows: Sequence[Row], row_group_size: int = 1000) -> Path:
    path = folder / "rows.parquet"
    pq.write_table(table_of(rows), path, row_group_size=row_group_size)
    return path


def summary_of(folder: Path, rows: Sequence[Row], run: RunFacts = RUN, row_group_size: int = 1000) -> Summary:
    return summarise(written(folder, rows, row_group_size), run)


def verdict(each: Row) -> str:
    return each.outcome if each.state is State.JUDGED else each.state.value


def passes(each: Row) -> bool:
    return verdict(each) == "PASS"


def rejects(each: Row) -> bool:
    return verdict(each) in ("FAIL", "NOT_INSPECTED")


@pytest.mark.parametrize(("parts", "row_group_size"), [(3000, 777), (40, 1), (1, 5)])
def test_every_figure_is_that_of_a_plain_count(tmp_path: Path, parts: int, row_group_size: int) -> None:
    rows = random_rows(parts, seed=parts)
    summary = summary_of(tmp_path, rows, row_group_size=row_group_size)
    by_candidate = [[each for each in rows if each.candidate == label] for label in (A, B)]

    assert parts == summary.parts
    for told, mine in zip(summary.candidates, by_candidate, strict=True):
        assert Counter(map(verdict, mine)) == told.verdicts
        assert sum(each.review for each in mine) == told.review
        compared = [each for each in mine if each.reproduces is not None]
        assert (told.reproduction is None) is (not compared)
        if told.reproduction:
            assert sum(bool(each.reproduces) for each in mine) == told.reproduction.identical
            assert sum(each.reproduces is False for each in mine) == told.reproduction.different
            assert sum(cause.count for cause in told.reproduction.causes) == told.reproduction.different
        judged = [each for each in mine if each.state is State.JUDGED]
        assert Counter(f"{each.models[0].id} {each.models[0].sha256}" for each in judged) == {
            each.models[0]: each.parts for each in told.identities
        }
        if told.drift:
            assert sum(each.captured_utc_ns > 0 for each in judged) == sum(each.judged for each in told.drift.periods)
            assert sum(each.captured_utc_ns == 0 for each in judged) == told.drift.untimed
    first = by_candidate[0]
    assert sum(each.state is State.UNREADABLE for each in first) == summary.unreadable
    assert sum(each.state is State.NOT_KEPT for each in first) == summary.not_kept
    assert summary.unreadable == sum(reason.count for reason in summary.unreadable_reasons)
    assert sum(len(each.images) for each in first if each.state is State.JUDGED) == summary.throughput.images
    assert sum(each.read_ms for each in first) / 1000 == pytest.approx(summary.throughput.read_s)
    assert sum(each.judge_ms - each.infer_ms for each in rows) / 1000 == pytest.approx(summary.throughput.decide_s)


def test_truth_figures_are_those_of_a_plain_count(tmp_path: Path) -> None:
    rows = random_rows(2000, seed=1)
    summary = summary_of(tmp_path, rows)

    for told in summary.candidates:
        mine = [each for each in rows if each.candidate == told.label]
        bad = [each for each in mine if each.truth_bad and each.state is State.JUDGED]
        good = [each for each in mine if each.truth_bad is False and each.state is State.JUDGED]
        truth = told.truth
        assert truth is not None
        assert (sum(map(passes, bad)), len(bad)) == (truth.escapes.count, truth.escapes.of)
        assert (sum(map(rejects, good)), len(good)) == (truth.overkill.count, truth.overkill.of)
        assert sum(each.truth_bad is not None and each.state is not State.JUDGED for each in mine) == truth.not_judged
        for each in truth.by_class:
            of_class = [one for one in bad if one.truth_class == each.class_name]
            assert (sum(map(passes, of_class)), len(of_class)) == (each.escapes.count, each.escapes.of)
        assert truth.escapes.low <= (truth.escapes.rate or 0) <= truth.escapes.high


def test_changes_both_ways_are_those_of_a_plain_count(tmp_path: Path) -> None:
    rows = random_rows(2000, seed=2)
    summary = summary_of(tmp_path, rows)
    a_rows, b_rows = rows[0::2], rows[1::2]
    told = {(each.changes.before, each.changes.after): each for each in summary.comparisons}

    assert {("the station", "A"), ("the station", "B"), ("A", "B")} == told.keys()
    a_to_b = told["A", "B"]
    assert (
        sum(passes(a) and rejects(b) for a, b in zip(a_rows, b_rows, strict=True))
        == a_to_b.changes.newly_rejected.total
    )
    assert (
        sum(rejects(a) and passes(b) for a, b in zip(a_rows, b_rows, strict=True)) == a_to_b.changes.newly_passed.total
    )
    known = [(a, b) for a, b in zip(a_rows, b_rows, strict=True) if a.truth_bad is not None and a.state is State.JUDGED]
    right = [(rejects(a) == a.truth_bad, rejects(b) == b.truth_bad) for a, b in known]
    assert (right.count((True, False)), right.count((False, True)), len(right)) == (
        a_to_b.significance.only_before,
        a_to_b.significance.only_after,
        a_to_b.significance.of,
    )
    station = told["the station", "B"]
    escaped = [b for b in b_rows if b.truth_bad and b.original_outcome == "PASS" and b.state is State.JUDGED]
    assert station.escapes_caught is not None
    assert (sum(map(rejects, escaped)), len(escaped)) == (station.escapes_caught.count, station.escapes_caught.of)
    table = Counter((b.original_outcome, verdict(b)) for b in b_rows if b.original_outcome and b.state is State.JUDGED)
    assert dict(table) == {
        (before, after): n for before, line in station.changes.table.items() for after, n in line.items()
    }


def ranked(parts: PartList, who: int) -> list[float | None]:
    return [note.judged[who].score for note in parts.parts]


def test_the_listed_parts_are_the_most_telling_ones_however_many_there_are(tmp_path: Path) -> None:
    rows = random_rows(3000, seed=3)
    summary = summarise(written(tmp_path, rows, 500), RUN, listed_parts=5)
    told = summary.candidates[1].truth
    assert told is not None
    escapes = sorted(each.score or 9 for each in rows if each.candidate == B and each.truth_bad and passes(each))
    overkill = [each.score for each in rows if each.candidate == B and each.truth_bad is False and rejects(each)]

    assert escapes[:5] == ranked(told.escaped, 1)
    assert sorted((score for score in overkill if score), reverse=True)[:5] == ranked(told.overkilled, 1)
    assert all(note.truth == "bad" for note in summary.comparisons[-1].changes.newly_rejected.parts)


def test_a_listed_part_carries_what_every_candidate_said_of_it(tmp_path: Path) -> None:
    facts = {"truth_bad": True, "truth_class": "dent", "original_outcome": "PASS", "part_id": "7-A"}
    rows = [row("p", A, **facts), row("p", B, passes=False, detail="dent 2 mm in face", defects_total=3, **facts)]
    note = summary_of(tmp_path, rows).comparisons[-1].changes.newly_rejected.parts[0]

    assert ("p", "7-A", "bad", "dent", "PASS") == (
        note.part_key,
        note.part_id,
        note.truth,
        note.truth_class,
        note.original,
    )
    assert [("PASS", "", 0.5, 0), ("FAIL", "dent 2 mm in face", 1.5, 3)] == [
        (each.verdict, each.why, each.score, each.defects_total) for each in note.judged
    ]


def test_quantiles_over_time_are_within_the_stated_part_of_the_true_ones(tmp_path: Path) -> None:
    scores = np.random.default_rng(5).lognormal(-1.0, 0.4, 4000)
    rows = [
        row(f"{number}", score=float(score), captured_utc_ns=1_760_000_000 * 10**9 + number % 20 * DAY_NS)
        for number, score in enumerate(scores)
    ]
    drift = summary_of(tmp_path, rows).candidates[0].drift
    assert drift is not None

    assert 20 == len(drift.periods)
    for day, period in enumerate(drift.periods):
        truth = np.quantile(scores[day::20], [0.05, 0.5, 0.95], method="inverted_cdf")
        assert np.array([period.q05, period.q50, period.q95], float) == pytest.approx(truth, rel=0.011)
    assert "No steady drift" in drift.words


def test_scores_that_rise_are_told_of(tmp_path: Path) -> None:
    chance = random.Random(8)
    rows = [
        row(
            f"{number}", score=chance.gauss(0.3 + day / 100, 0.05), captured_utc_ns=1_760_000_000 * 10**9 + day * DAY_NS
        )
        for day in range(30)
        for number in range(day * 40, day * 40 + 40)
    ]
    drift = summary_of(tmp_path, rows).candidates[0].drift
    assert drift is not None

    assert drift.slope_per_day == pytest.approx(0.01, rel=0.2)
    assert drift.words.startswith("The median score rises steadily: by 0.")


def test_a_long_time_is_told_in_longer_periods(tmp_path: Path) -> None:
    rows = [row(f"{number}", captured_utc_ns=10**18 + number * 3600 * 10**9) for number in range(24 * 900)]
    drift = summary_of(tmp_path, rows).candidates[0].drift
    assert drift is not None

    assert "week" == drift.period
    assert len(rows) == sum(period.judged for period in drift.periods)
    assert [period.to_utc_ns for period in drift.periods[:-1]] == [period.from_utc_ns for period in drift.periods[1:]]


def test_few_parts_make_no_trend(tmp_path: Path) -> None:
    rows = [row(f"{number}", captured_utc_ns=10**18 + number * 10**9) for number in range(50)]
    drift = summary_of(tmp_path, rows).candidates[0].drift

    assert drift is not None
    assert drift.words.startswith("Too short to tell")
    assert drift.slope_per_day is None


def test_equal_causes_count_together_whatever_numbers_and_names_they_hold(tmp_path: Path) -> None:
    rows = [
        row(f"{number}", state=State.UNREADABLE, score=None, outcome="", error=f"/a/b{number}.png: {number} bytes")
        for number in range(9)
    ]
    reasons = summary_of(tmp_path, rows).unreadable_reasons

    assert [("… … bytes", 9)] == [(each.reason, each.count) for each in reasons]
    assert "0: /a/b0.png: 0 bytes" == reasons[0].examples[0]
    assert 5 == len(reasons[0].examples)


def test_the_same_answer_again_is_said_beside_the_answer(tmp_path: Path) -> None:
    rows = [row(f"{n}", original_outcome="PASS", reproduces=n > 0, difference="" if n else "score") for n in range(3)]

    assert (
        "A came to the same answer again, byte for byte, for 2 of 3 original judgements."
        in summary_of(tmp_path, rows).more
    )


def test_what_only_one_candidate_could_not_read_is_said_of_it_alone(tmp_path: Path) -> None:
    facts = {
        "state": State.UNREADABLE,
        "score": None,
        "outcome": "",
        "error": "frame of 10x20 px; expected BGR8 of 40x30 px",
    }
    summary = summary_of(tmp_path, [row("p", A, **facts), row("p", B), row("q", A), row("q", B)])

    assert "1 part could not be read as A needs it: in none of its rates." in summary.more
    assert (2, 1) == (summary.throughput.images, summary.unreadable)
    assert ["frame of … px; expected BGR8 of … px"] == [each.reason for each in summary.unreadable_reasons]


def answer(folder: Path, *rows: Row) -> str:
    return summary_of(folder, rows).answer


def test_the_answer_comes_first_and_says_what_would_have_been(tmp_path: Path) -> None:
    escapes = [row(f"e{n}", B, passes=n >= 7, truth_bad=True, original_outcome="PASS") for n in range(9)]
    good = [row(f"g{n}", B, passes=n >= 8, truth_bad=False, original_outcome="PASS") for n in range(2000)]

    assert answer(tmp_path, *escapes, *good) == (
        "B would have caught 7 of the station's 9 escapes (95 % bounds 39 % to 98 %), at 0.4 points more overkill"
        " (95 % bounds +0.091 to +0.71 points)."
    )


def test_without_original_verdicts_the_last_candidate_is_held_against_the_first(tmp_path: Path) -> None:
    rows = [row(f"{n}", label, passes=n != 3 or label == A, truth_bad=n == 3) for n in range(6) for label in (A, B)]

    assert answer(tmp_path, *rows).startswith("B would have caught 1 of A's 1 escapes (95 % bounds at least 2.5 %), at")


def test_without_truth_the_answer_counts_changes(tmp_path: Path) -> None:
    rows = [row(f"{n}", label, passes=n != 3 or label == A) for n in range(6) for label in (A, B)]
    summary = summary_of(tmp_path, rows)

    assert summary.answer == "Of 6 parts, B rejects 1 that A passed, and passes 0 that A rejected."
    assert any("Nobody has said which parts are good" in each for each in summary.more)


def test_one_candidate_alone_is_told_with_its_bounds(tmp_path: Path) -> None:
    rows = [row(f"{n}", "new", passes=n > 3, truth_bad=n < 5) for n in range(10)]

    assert answer(tmp_path, *rows) == (
        "New lets 1 of 5 bad parts through (95 % bounds 0.5 % to 72 %) and rejects 0 of 5 good ones"
        " (95 % bounds at most 53 %)."
    )
    assert answer(tmp_path, row("x", "new")) == "New passes 1 of 1 judged parts and rejects 0."
    assert answer(tmp_path) == "There was nothing to inspect."


def test_what_was_not_judged_is_said_beside_the_answer(tmp_path: Path) -> None:
    rows = [row("a"), row("b", state=State.UNREADABLE, outcome=""), row("c", state=State.NOT_KEPT, outcome="")]
    more = summary_of(tmp_path, rows, RUN.model_copy(update={"parts_planned": 5})).more

    assert "The run is not finished: 2 of 5 parts are still to come." in more
    assert "1 part could not be read and is in no rate." in more
    assert "Of 1 part the archive kept no image: nothing can be said of them." in more


def test_what_was_not_looked_at_is_said_beside_the_answer(tmp_path: Path) -> None:
    unplanned = {"left_out": {"outcome": 3, "sample": 1200}, "ignored": {"hidden files": 2}}
    more = summary_of(tmp_path, [row("a")], RUN.model_copy(update=unplanned)).more

    assert "The selection leaves out 1,203 parts: sample (1,200), outcome (3)." in more
    assert "Not looked at: hidden files (2)." in more


def test_the_document_comes_back_from_json_as_it_was(tmp_path: Path) -> None:
    summary = summary_of(tmp_path, random_rows(300, seed=9))
    text = summary.to_json()

    assert summary == Summary.model_validate_json(text)
    assert 1 == json.loads(text)["schema_version"]
    assert text == summarise(tmp_path / "rows.parquet", RUN).to_json()


def test_the_committed_schema_is_fresh() -> None:
    committed = Path(__file__).parents[2] / "docs" / "schemas" / "summary.schema.json"

    assert summary_schema() == committed.read_text(), "run `lineside schema summary > docs/schemas/summary.schema.json`"


def test_every_list_is_as_long_as_was_asked_for(tmp_path: Path) -> None:
    rows = [row(f"{n}", truth_bad=True, original_outcome="FAIL") for n in range(100)]
    summary = summarise(written(tmp_path, rows), RUN, listed_parts=7)
    truth = summary.candidates[0].truth
    assert truth is not None

    assert (100, 7) == (truth.escaped.total, len(truth.escaped.parts))
    assert [f"{n}" for n in range(7)] == [note.part_key for note in truth.escaped.parts]
    assert PartNote in {type(note) for note in summary.comparisons[0].changes.newly_passed.parts}


def test_a_part_without_a_row_of_each_candidate_is_refused(tmp_path: Path) -> None:
    whole = [row("p", A), row("p", B), row("q", A), row("q", B)]
    for rows in (
        whole[:3],
        [whole[0], whole[1], whole[3], whole[2]],
        [*whole[:2], replace(whole[2], part_key="z"), whole[3]],
    ):
        with pytest.raises(ReinspectionError, match="are not whole"):
            summary_of(tmp_path, rows)


def test_a_file_that_is_no_parquet_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"not parquet at all")

    with pytest.raises(ReinspectionError, match=r"rows\.parquet cannot be read"):
        summarise(path, RUN)
