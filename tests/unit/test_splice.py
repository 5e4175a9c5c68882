"""A spliced message is the same message to whoever parses it."""

from hypothesis import given
from hypothesis import strategies as st

from lineside.wire.splice import spliced
from lineside.wire.v1 import inspection_pb2 as pb


@given(st.lists(st.text(max_size=300)), st.integers(min_value=0, max_value=2**63 - 1))
def test_verdicts_spliced_into_a_stream_message_are_parsed_like_any_other(details: list[str], last: int) -> None:
    verdicts = [pb.Verdict(sequence=number, detail=detail) for number, detail in enumerate(details, start=1)]
    rest = pb.StreamVerdictsResponse(last_sequence=last, boot_id="boot")

    by_hand = b"".join(spliced(1, verdict.SerializeToString()) for verdict in verdicts) + rest.SerializeToString()

    rest.verdicts.extend(verdicts)
    assert pb.StreamVerdictsResponse.FromString(by_hand) == rest


def test_a_long_payload_has_a_long_length() -> None:
    verdict = pb.Verdict(sequence=1, detail="x" * 3_000_000)
    field_number = pb.TriggerInspectionResponse.VERDICT_FIELD_NUMBER
    message = pb.TriggerInspectionResponse.FromString(spliced(field_number, verdict.SerializeToString()))

    assert message == pb.TriggerInspectionResponse(verdict=verdict)
