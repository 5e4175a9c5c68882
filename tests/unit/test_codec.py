"""A verdict is serialised once; what was said comes back."""

import dataclasses

import pytest

from lineside.core.errors import InvalidRequest
from lineside.core.finding import Box, Defect, Finding
from lineside.core.identity import Identity
from lineside.core.pixel_format import PixelFormat
from lineside.core.reason import Reason
from lineside.core.trigger import Trigger
from lineside.core.verdict import ImageReference, Judgement, Latency, Outcome, Verdict, ViewScore
from lineside.wire.codec import (
    MAX_CONTOUR_POINTS,
    MAX_DEFECTS,
    PIXEL_FORMATS,
    encode_judgement,
    encode_verdict,
    journalled_judgement_bytes,
    judgement_bytes,
    verdict_from_bytes,
    wire_pixel_format,
)
from lineside.wire.v1 import inspection_pb2 as pb

MODEL = Identity(id="demo-plate", revision=3, sha256="a" * 64)
RECIPE = Identity(id="plate", revision=7, sha256="b" * 64)
CALIBRATION = Identity(id="station-1", revision=1, sha256="c" * 64)
PLANE = Identity(id="station-1/top.plane", revision=2, sha256="d" * 64)


def a_defect(number: int = 0, contour_points: int = 4) -> Defect:
    return Defect(
        view="top",
        finding=Finding(
            class_name="scratch",
            score=0.93,
            box=Box(x_px=10.5 + number, y_px=20.25, width_px=30.0, height_px=4.0),
            area_px=88.0,
            length_px=31.5,
            contour_px=tuple((float(i), float(i * 2)) for i in range(contour_points)),
        ),
        region="face",
        limit="no long scratches",
        area_mm2=1.25,
        length_mm=None,
        width_mm=0.0,
        diameter_mm=1.26,
        area_uncertainty_mm2=0.05,
        length_uncertainty_mm=None,
        width_uncertainty_mm=0.01,
        diameter_uncertainty_mm=0.02,
    )


def a_verdict(**changes: object) -> Verdict:
    judgement = Judgement(
        outcome=Outcome.FAIL,
        reason=Reason.DEFECTS,
        detail="1 scratch beyond the limit",
        defects=(a_defect(),),
        defects_total=1,
        view_scores=(ViewScore(view="top", score=0.93, threshold=0.5),),
        review=True,
        models=(MODEL,),
        provider="cpu",
        infer_ns=4_000_000,
        total_ns=5_000_000,
    )
    verdict = Verdict(
        sequence=12,
        boot_id="boot",
        line_id="line-1",
        station_id="station-1",
        trigger=Trigger(
            number=13,
            part_id="P-13",
            received_utc_ns=1_700_000_000_000_000_000,
            received_mono_ns=0,
            due_mono_ns=200_000_000,
            encoder_count=-5,
            simulated=True,
        ),
        part_id="P-13",
        judgement=judgement,
        captured_utc_ns=1_700_000_000_001_000_000,
        decided_utc_ns=1_700_000_000_020_000_000,
        decided_mono_ns=20_000_000,
        latency=Latency(
            capture_ns=1_000_000, queue_ns=2_000_000, inspect_ns=5_000_000, infer_ns=4_000_000, decide_ns=20_000_000
        ),
        recipe=RECIPE,
        calibration=CALIBRATION,
        calibration_files=(PLANE,),
        config_fingerprint="d" * 64,
        simulated=True,
        images=(ImageReference(view="top", image_id="img-13-top", kept=True),),
    )
    return dataclasses.replace(verdict, **changes)  # type: ignore[arg-type]


def test_every_field_of_a_verdict_comes_back() -> None:
    assert a_verdict() == verdict_from_bytes(encode_verdict(a_verdict()))


def test_every_field_of_the_wire_verdict_is_filled() -> None:
    """A field that the codec forgets would be zero for ever; this verdict has a value for each."""
    message = pb.Verdict.FromString(encode_verdict(a_verdict()))

    assert {field.name for field in pb.Verdict.DESCRIPTOR.fields} == {field.name for field, _ in message.ListFields()}


def test_an_absent_encoder_count_and_absent_sizes_are_not_zero() -> None:
    verdict = a_verdict(trigger=dataclasses.replace(a_verdict().trigger, encoder_count=None))
    message = pb.Verdict.FromString(encode_verdict(verdict))

    assert not message.HasField("encoder_count")
    assert message.defects[0].HasField("area_mm2")
    assert not message.defects[0].HasField("length_mm")


def test_monotonic_times_travel_as_differences() -> None:
    boot_ns = 987_654_321_000
    trigger = dataclasses.replace(a_verdict().trigger, received_mono_ns=boot_ns, due_mono_ns=boot_ns + 200_000_000)
    shifted = a_verdict(trigger=trigger, decided_mono_ns=boot_ns + 20_000_000)

    assert encode_verdict(a_verdict()) == encode_verdict(shifted)


def test_a_ruined_part_lists_the_first_hundred_defects_and_tells_the_total() -> None:
    defects = tuple(a_defect(number, contour_points=5_000) for number in range(MAX_DEFECTS + 50))
    payload = encode_verdict(a_verdict(judgement=dataclasses.replace(a_verdict().judgement, defects=defects)))
    message = pb.Verdict.FromString(payload)

    assert (len(message.defects), message.defects_total) == (MAX_DEFECTS, MAX_DEFECTS + 50)
    assert [defect.box.x_px for defect in message.defects[:2]] == [10.5, 11.5]
    assert all(MAX_CONTOUR_POINTS >= len(defect.contour) > MAX_CONTOUR_POINTS // 2 for defect in message.defects)
    assert len(payload) < 500_000


def test_a_part_id_that_is_not_unicode_is_told_all_the_same() -> None:
    name_from_disk = b"plate-\xff.png".decode("utf-8", "surrogateescape")
    message = pb.Verdict.FromString(encode_verdict(a_verdict(part_id=name_from_disk)))

    assert message.part_id == "plate-\\udcff.png"


def test_a_judgement_on_demand_carries_all_that_was_found() -> None:
    message = encode_judgement(a_verdict().judgement, recipe=RECIPE, calibration=CALIBRATION)

    assert message.outcome == pb.OUTCOME_FAIL
    assert {field.name for field in message.DESCRIPTOR.fields} == {field.name for field, _ in message.ListFields()}


def test_bytes_that_are_no_verdict_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="no verdict"):
        verdict_from_bytes(b"\xff\xff\xff")


def test_codes_of_a_newer_station_are_read_as_unknown_which_means_reject() -> None:
    message = pb.Verdict(outcome=77, reason=78)  # type: ignore[arg-type]
    verdict = verdict_from_bytes(message.SerializeToString())

    assert (verdict.outcome, verdict.reason) == (Outcome.UNSPECIFIED, Reason.NONE)


def test_outcomes_and_reasons_have_one_numbering_in_core_and_on_the_wire() -> None:
    assert {f"OUTCOME_{outcome.name}": int(outcome) for outcome in Outcome} == dict(pb.Outcome.items())
    reasons = {f"REASON_{reason.name}": int(reason) for reason in Reason if reason is not Reason.NONE}
    assert reasons | {"REASON_UNSPECIFIED": int(Reason.NONE)} == dict(pb.Reason.items())


@pytest.mark.parametrize("pixel_format", PixelFormat)
def test_every_pixel_format_travels_or_is_refused_by_name(pixel_format: PixelFormat) -> None:
    if pixel_format.device_only:
        with pytest.raises(InvalidRequest, match=pixel_format.value):
            wire_pixel_format(pixel_format)
    else:
        assert pixel_format is PIXEL_FORMATS[wire_pixel_format(pixel_format)]


def test_the_answer_alone_is_the_same_bytes_from_the_inspector_and_from_the_journal() -> None:
    verdict = a_verdict()
    judgement = dataclasses.replace(
        verdict.judgement,
        defects=tuple(a_defect(number, contour_points=300) for number in range(MAX_DEFECTS + 5)),
        defects_total=MAX_DEFECTS + 5,
        detail="a \udcff that no Unicode text can hold",
    )

    journalled = journalled_judgement_bytes(encode_verdict(dataclasses.replace(verdict, judgement=judgement)))

    assert judgement_bytes(judgement) == journalled


def test_the_answer_alone_says_nothing_of_who_answered_and_when() -> None:
    other = a_verdict(sequence=99, boot_id="later", recipe=MODEL, calibration=MODEL, decided_utc_ns=5, simulated=False)
    other = dataclasses.replace(
        other, judgement=dataclasses.replace(other.judgement, models=(), provider="cuda", infer_ns=1, total_ns=2)
    )

    assert judgement_bytes(a_verdict().judgement) == journalled_judgement_bytes(encode_verdict(other))


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": Outcome.PASS},
        {"reason": Reason.MODEL_ERROR},
        {"detail": "other words"},
        {"defects": (a_defect(1),)},
        {"defects_total": 2},
        {"view_scores": (ViewScore(view="top", score=0.9300000000000002, threshold=0.5),)},
        {"review": False},
    ],
)
def test_each_field_of_the_answer_tells(change: dict[str, object]) -> None:
    judgement = a_verdict().judgement

    assert judgement_bytes(judgement) != judgement_bytes(dataclasses.replace(judgement, **change))  # type: ignore[arg-type]


def test_bytes_that_are_no_verdict_have_no_answer() -> None:
    with pytest.raises(InvalidRequest, match="are no verdict"):
        journalled_judgement_bytes(b"\xff" * 20)
