"""Core verdicts and judgements as wire messages, and back. A verdict is serialised here, once, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from google.protobuf.message import DecodeError

from lineside.core.errors import InvalidRequest
from lineside.core.finding import Box, Defect, Finding
from lineside.core.identity import Identity
from lineside.core.pixel_format import PixelFormat
from lineside.core.reason import Reason
from lineside.core.trigger import Trigger
from lineside.core.verdict import ImageReference, Judgement, Latency, Outcome, Verdict, ViewScore
from lineside.wire.v1 import inspection_pb2 as pb

__all__ = [
    "MAX_CONTOUR_POINTS",
    "MAX_DEFECTS",
    "PIXEL_FORMATS",
    "encode_judgement",
    "encode_verdict",
    "identity_message",
    "journalled_judgement_bytes",
    "judgement_bytes",
    "verdict_from_bytes",
    "wire_pixel_format",
]

MAX_DEFECTS = 100
"""Defects listed in one verdict, so that a ruined part stays below 0.5 MB; `defects_total` tells how many it had."""

MAX_CONTOUR_POINTS = 128
"""Points per outline; longer outlines keep every n-th point."""

PIXEL_FORMATS: dict[int, PixelFormat] = {
    pb.PIXEL_FORMAT_MONO8: PixelFormat.MONO8,
    pb.PIXEL_FORMAT_MONO10: PixelFormat.MONO10,
    pb.PIXEL_FORMAT_MONO12: PixelFormat.MONO12,
    pb.PIXEL_FORMAT_MONO16: PixelFormat.MONO16,
    pb.PIXEL_FORMAT_RGB8: PixelFormat.RGB8,
    pb.PIXEL_FORMAT_BGR8: PixelFormat.BGR8,
}
"""Wire number to core name. Formats that only cameras speak are not on the wire."""

_WIRE_PIXEL_FORMATS = {core: cast(pb.PixelFormat, number) for number, core in PIXEL_FORMATS.items()}

_SIZES_MM = (
    *("area_mm2", "length_mm", "width_mm", "diameter_mm"),
    *("area_uncertainty_mm2", "length_uncertainty_mm", "width_uncertainty_mm", "diameter_uncertainty_mm"),
)
"""Fields of a defect, in the core as on the wire, that are absent where nothing turns pixels into millimetres."""

_OUTCOMES = {int(outcome): outcome for outcome in Outcome}
_REASONS = {int(reason): reason for reason in Reason}


def encode_verdict(verdict: Verdict) -> bytes:
    """The verdict as a serialised `lineside.wire.v1.Verdict`: the same verdict gives the same bytes.

    At most `MAX_DEFECTS` defects are listed, in the judgement's order. Text that is not Unicode (file names may hold
    any bytes) is written with backslash escapes, so that no part id can keep its verdict from being told.
    """
    trigger, judgement, latency = verdict.trigger, verdict.judgement, verdict.latency
    message = pb.Verdict(
        sequence=verdict.sequence,
        boot_id=verdict.boot_id,
        line_id=verdict.line_id,
        station_id=verdict.station_id,
        trigger_number=trigger.number,
        part_id=_unicode(verdict.part_id),
        outcome=_outcome(judgement),
        reason=_reason(judgement),
        detail=_unicode(judgement.detail),
        review=judgement.review,
        triggered_utc_ns=trigger.received_utc_ns,
        captured_utc_ns=verdict.captured_utc_ns,
        decided_utc_ns=verdict.decided_utc_ns,
        latency=pb.Latency(
            capture_ns=latency.capture_ns,
            queue_ns=latency.queue_ns,
            inspect_ns=latency.inspect_ns,
            infer_ns=latency.infer_ns,
            decide_ns=latency.decide_ns,
        ),
        due_ns=trigger.due_mono_ns - trigger.received_mono_ns,
        slack_ns=verdict.slack_ns,
        encoder_count=trigger.encoder_count,
        models=_identities(judgement.models),
        recipe=identity_message(verdict.recipe),
        calibration=identity_message(verdict.calibration),
        calibration_files=_identities(verdict.calibration_files),
        config_fingerprint=verdict.config_fingerprint,
        provider=judgement.provider,
        simulated=verdict.simulated,
        defects_total=max(judgement.defects_total, len(judgement.defects)),
        view_scores=_view_scores(judgement.view_scores),
        images=[
            pb.ImageReference(view=image.view, image_id=image.image_id, kept=image.kept) for image in verdict.images
        ],
    )
    if judgement.defects:
        message.defects.extend(_defects(judgement.defects))
    return message.SerializeToString(deterministic=True)


def encode_judgement(judgement: Judgement, *, recipe: Identity, calibration: Identity) -> pb.InspectImageResponse:
    """What the inspector makes of images sent on demand, as the answer to InspectImage."""
    return pb.InspectImageResponse(
        outcome=_outcome(judgement),
        reason=_reason(judgement),
        detail=_unicode(judgement.detail),
        defects=_defects(judgement.defects),
        defects_total=max(judgement.defects_total, len(judgement.defects)),
        view_scores=_view_scores(judgement.view_scores),
        review=judgement.review,
        models=_identities(judgement.models),
        recipe=identity_message(recipe),
        calibration=identity_message(calibration),
        provider=judgement.provider,
        infer_ns=judgement.infer_ns,
        total_ns=judgement.total_ns,
    )


def judgement_bytes(judgement: Judgement) -> bytes:
    """The answer alone, as a serialised `Verdict` that holds outcome, reason, detail, defects, view scores and review.

    This is what the same pixels, package, recipe and calibration must give again, byte for byte. Who answered (models,
    provider) and how long it took is not in it.
    """
    return pb.Verdict(
        outcome=_outcome(judgement),
        reason=_reason(judgement),
        detail=_unicode(judgement.detail),
        defects=_defects(judgement.defects),
        defects_total=max(judgement.defects_total, len(judgement.defects)),
        view_scores=_view_scores(judgement.view_scores),
        review=judgement.review,
    ).SerializeToString(deterministic=True)


def journalled_judgement_bytes(payload: bytes) -> bytes:
    """The same of a verdict as `encode_verdict` made it. Raises: InvalidRequest when the bytes are no verdict."""
    verdict = _parsed(payload)
    return pb.Verdict(
        outcome=verdict.outcome,
        reason=verdict.reason,
        detail=verdict.detail,
        defects=verdict.defects,
        defects_total=verdict.defects_total,
        view_scores=verdict.view_scores,
        review=verdict.review,
    ).SerializeToString(deterministic=True)


def identity_message(identity: Identity) -> pb.Identity:
    """An identity on the wire."""
    return pb.Identity(id=identity.id, revision=identity.revision, sha256=identity.sha256)


def wire_pixel_format(pixel_format: PixelFormat) -> pb.PixelFormat:
    """The wire number of a pixel format. Raises: InvalidRequest for formats that only cameras speak."""
    try:
        return _WIRE_PIXEL_FORMATS[pixel_format]
    except KeyError:
        raise InvalidRequest(
            f"{pixel_format} does not travel on the wire",
            expected=", ".join(PIXEL_FORMATS.values()),
            remedy="convert the pixels before sending them",
        ) from None


def verdict_from_bytes(payload: bytes) -> Verdict:
    """A core verdict out of a serialised one, for replay and comparison.

    Monotonic times come back counted from the trigger (`received_mono_ns` is 0), which keeps every difference. Only
    the listed defects come back, and how many there were. Reason codes of a newer station become `Reason.NONE`;
    unknown outcomes UNSPECIFIED.

    Raises: InvalidRequest when the bytes are no verdict.
    """
    message = _parsed(payload)
    return Verdict(
        sequence=message.sequence,
        boot_id=message.boot_id,
        line_id=message.line_id,
        station_id=message.station_id,
        trigger=Trigger(
            number=message.trigger_number,
            part_id=message.part_id,
            received_utc_ns=message.triggered_utc_ns,
            received_mono_ns=0,
            due_mono_ns=message.due_ns,
            encoder_count=message.encoder_count if message.HasField("encoder_count") else None,
            simulated=message.simulated,
        ),
        part_id=message.part_id,
        judgement=Judgement(
            outcome=_OUTCOMES.get(message.outcome, Outcome.UNSPECIFIED),
            reason=_REASONS.get(message.reason, Reason.NONE),
            detail=message.detail,
            defects=tuple(_core_defect(defect) for defect in message.defects),
            defects_total=message.defects_total,
            view_scores=tuple(
                ViewScore(view=view.view, score=view.score, threshold=view.threshold) for view in message.view_scores
            ),
            review=message.review,
            models=tuple(_core_identity(model) for model in message.models),
            provider=message.provider,
            infer_ns=message.latency.infer_ns,
            total_ns=message.latency.inspect_ns,
        ),
        captured_utc_ns=message.captured_utc_ns,
        decided_utc_ns=message.decided_utc_ns,
        decided_mono_ns=message.due_ns - message.slack_ns,
        latency=Latency(
            capture_ns=message.latency.capture_ns,
            queue_ns=message.latency.queue_ns,
            inspect_ns=message.latency.inspect_ns,
            infer_ns=message.latency.infer_ns,
            decide_ns=message.latency.decide_ns,
        ),
        recipe=_core_identity(message.recipe),
        calibration=_core_identity(message.calibration),
        calibration_files=tuple(_core_identity(file) for file in message.calibration_files),
        config_fingerprint=message.config_fingerprint,
        simulated=message.simulated,
        images=tuple(
            ImageReference(view=image.view, image_id=image.image_id, kept=image.kept) for image in message.images
        ),
    )


def _parsed(payload: bytes) -> pb.Verdict:
    try:
        return pb.Verdict.FromString(payload)
    except DecodeError as error:
        raise InvalidRequest(
            f"{len(payload)} bytes are no verdict ({error})",
            expected="a serialised lineside.wire.v1.Verdict",
            remedy="read it from a journal or a stream of this version",
        ) from error


def _unicode(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _outcome(judgement: Judgement) -> pb.Outcome:
    return cast(pb.Outcome, judgement.outcome)  # one numbering: core.Outcome is the wire's, held by a test


def _reason(judgement: Judgement) -> pb.Reason:
    return cast(pb.Reason, judgement.reason)


def _identities(identities: Iterable[Identity]) -> list[pb.Identity]:
    return [identity_message(identity) for identity in identities]


def _view_scores(view_scores: Iterable[ViewScore]) -> list[pb.ViewScore]:
    return [pb.ViewScore(view=view.view, score=view.score, threshold=view.threshold) for view in view_scores]


def _defects(defects: Sequence[Defect]) -> list[pb.Defect]:
    return [_defect(defect) for defect in defects[:MAX_DEFECTS]]


def _defect(defect: Defect) -> pb.Defect:
    finding, box = defect.finding, defect.finding.box
    every_nth = -(-len(finding.contour_px) // MAX_CONTOUR_POINTS) or 1
    return pb.Defect(
        view=defect.view,
        class_name=finding.class_name,
        score=finding.score,
        box=pb.Box(x_px=box.x_px, y_px=box.y_px, width_px=box.width_px, height_px=box.height_px),
        area_px=finding.area_px,
        length_px=finding.length_px,
        **{size: getattr(defect, size) for size in _SIZES_MM},
        region=defect.region,
        limit=defect.limit,
        contour=[pb.Point(x_px=x, y_px=y) for x, y in finding.contour_px[::every_nth]],
    )


def _core_identity(message: pb.Identity) -> Identity:
    return Identity(id=message.id, revision=message.revision, sha256=message.sha256)


def _core_defect(message: pb.Defect) -> Defect:
    box = message.box
    return Defect(
        view=message.view,
        finding=Finding(
            class_name=message.class_name,
            score=message.score,
            box=Box(x_px=box.x_px, y_px=box.y_px, width_px=box.width_px, height_px=box.height_px),
            area_px=message.area_px,
            length_px=message.length_px,
            contour_px=tuple((point.x_px, point.y_px) for point in message.contour),
        ),
        region=message.region,
        limit=message.limit,
        **{told.name: size for told, size in message.ListFields() if told.name in _SIZES_MM},
    )
