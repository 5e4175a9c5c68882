"""What the station said then, held against what comes out now: the same bytes, or by name what differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from archive_project import make_project, picture
from judged_parts import archived, kept, open_judge, plate

from lineside.assemble import open_inspector
from lineside.core.identity import Identity
from lineside.core.reason import Reason
from lineside.core.trigger import Trigger
from lineside.core.verdict import ImageReference, Judgement, Latency, Outcome, Verdict
from lineside.journal import image_format
from lineside.reinspect.candidate import Candidate, candidate_of
from lineside.reinspect.part import OriginalVerdict, Part
from lineside.reinspect.row import Row, State
from lineside.wire.codec import encode_verdict, journalled_judgement_bytes


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def verdict_of(judgement: Judgement, candidate: Candidate, *, views: Sequence[str] = ("face",)) -> Verdict:
    return Verdict(
        sequence=9,
        boot_id="b",
        line_id="l",
        station_id="one",
        trigger=Trigger(number=4, part_id="P-1", received_utc_ns=1, received_mono_ns=0, due_mono_ns=10**9),
        part_id="P-1",
        judgement=judgement,
        captured_utc_ns=77,
        decided_utc_ns=99,
        decided_mono_ns=10**6,
        latency=Latency(),
        recipe=candidate.recipe.identity,
        calibration=candidate.calibration.identity,
        config_fingerprint="f",
        simulated=False,
        images=tuple(ImageReference(view=view, image_id=view, kept=True) for view in views),
    )


def judged_live(candidate: Candidate, pixels: Any) -> Judgement:
    """What a station's inspector makes of the frame."""
    inspector = open_inspector(
        candidate.recipe, candidate.calibration, candidate.packages, providers=("cpu",), intra_op_threads=1
    )
    frame, _ = image_format.decode(archived(pixels))
    return inspector.judge({"face": frame})


def again(candidate: Candidate, verdict: Verdict, **part: Any) -> Row:
    original = OriginalVerdict(sequence=9, trigger_number=4, payload=encode_verdict(verdict))
    (row,) = open_judge(candidate).chunk([Part(key="9", original=original, **part)])
    return row


@pytest.mark.parametrize("spots", [0, 2])
def test_the_same_hashes_give_the_same_bytes(project: Path, tmp_path: Path, spots: int) -> None:
    candidate = plate(project)
    verdict = verdict_of(judged_live(candidate, picture(spots)), candidate)

    row = again(candidate, verdict, images=kept(tmp_path, picture(spots)))

    assert (row.reproduces, row.difference) == (True, "")
    assert journalled_judgement_bytes(encode_verdict(verdict)) == row.judgement
    assert (row.original_outcome, row.original_sequence, row.original_trigger_number) == (row.outcome, 9, 4)
    assert row.original_reason == ("DEFECTS" if spots else "")


def test_what_is_another_than_it_was_is_named_hashes_first_then_fields(project: Path, tmp_path: Path) -> None:
    candidate = plate(project)
    judgement = judged_live(candidate, picture(2))
    verdict = verdict_of(replace(judgement, provider="cuda"), candidate)
    recipe = project / "models" / "recipes" / "plate.toml"
    recipe.write_text(recipe.read_text().replace("revision = 1", "revision = 2") + "max_count = 2\n")

    row = again(plate(project), verdict, images=kept(tmp_path, picture(2)))

    assert row.reproduces is False
    assert "recipe plate r1 (" in row.difference
    assert " → plate r2 (" in row.difference
    assert "calibration" not in row.difference
    assert "model" not in row.difference
    assert "provider cuda → cpu; outcome FAIL → PASS; reason DEFECTS → NONE" in row.difference


def test_a_difference_without_another_hash_is_named_by_its_field(project: Path, tmp_path: Path) -> None:
    candidate = plate(project)
    judgement = judged_live(candidate, picture(1))
    finding = replace(judgement.defects[0].finding, score=0.5)
    altered = replace(judgement, defects=(replace(judgement.defects[0], finding=finding),))

    row = again(candidate, verdict_of(altered, candidate), images=kept(tmp_path, picture(1)))

    assert row.reproduces is False
    assert row.difference.startswith("defects[0].finding.score 0.5 → 0.94")


@pytest.mark.parametrize("reason", [Reason.DUE_TIME, Reason.QUEUE_FULL, Reason.STATION_RESTARTED, Reason.DEVICE_LOST])
def test_what_the_station_never_judged_is_said_by_name_and_is_no_difference(
    project: Path, tmp_path: Path, reason: Reason
) -> None:
    candidate = plate(project)
    verdict = verdict_of(Judgement.not_inspected(reason), candidate)

    row = again(candidate, verdict, images=kept(tmp_path, picture(2)))

    assert row.reproduces is None
    assert row.difference == f"never judged by the station: NOT_INSPECTED {reason.name}, {reason.sentence}"
    assert (row.outcome, row.original_outcome, row.original_reason) == ("FAIL", "NOT_INSPECTED", reason.name)


def test_a_view_that_never_came_is_reproduced_while_it_is_missing(project: Path) -> None:
    candidate = plate(project)
    inspector = open_inspector(
        candidate.recipe, candidate.calibration, candidate.packages, providers=("cpu",), intra_op_threads=1
    )
    lost = verdict_of(inspector.judge({}), candidate, views=())
    shed = verdict_of(judged_live(candidate, picture()), candidate)
    missing = {"face": "there is no frame"}

    row, other = (again(candidate, verdict, images={}, missing=missing) for verdict in (lost, shed))

    assert (row.state, row.reproduces, row.difference) == (State.NOT_KEPT, True, "")
    assert (other.state, other.reproduces, other.difference) == (State.NOT_KEPT, None, "")


def test_a_package_alone_claims_nothing_of_an_image_that_was_seen_and_is_not_kept(project: Path) -> None:
    package = candidate_of(project / "models" / "tiny")
    damaged = replace(judged_live(plate(project), picture()), outcome=Outcome.NOT_INSPECTED, reason=Reason.MODEL_ERROR)

    row = again(package, verdict_of(damaged, package), images={}, missing={"face": "it was given up"})

    assert (row.state, row.reproduces, row.detail) == (State.NOT_KEPT, None, "face: it was given up")


def test_a_verdict_that_cannot_be_read_is_said_and_its_part_is_judged(project: Path, tmp_path: Path) -> None:
    original = OriginalVerdict(sequence=9, trigger_number=4, payload=b"\xff\xff")

    (row,) = open_judge(plate(project)).chunk([Part(key="9", original=original, images=kept(tmp_path, picture(1)))])

    assert (row.outcome, row.reproduces) == ("FAIL", None)
    assert "the journalled verdict cannot be read" in row.difference
    assert row.original_sequence == 9


def test_another_model_is_named_from_what_to_what(project: Path, tmp_path: Path) -> None:
    candidate = plate(project)
    judgement = judged_live(candidate, picture(1))
    then = replace(judgement, models=(Identity(id="tiny", revision=7, sha256="0" * 64),))

    row = again(candidate, verdict_of(then, candidate), images=kept(tmp_path, picture(1)))

    assert row.reproduces is True, "the answer itself is the same"
    assert row.difference == f"model tiny r7 (000000000000) → tiny r1 ({candidate.models['face'].sha256[:12]})"
