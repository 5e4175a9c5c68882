"""Does an archived part get the same answer again? If not: which hash, which provider, which field is another."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from itertools import islice

from lineside.core.identity import Identity
from lineside.core.verdict import Judgement, Outcome, Verdict
from lineside.wire.codec import journalled_judgement_bytes, verdict_from_bytes

__all__ = ["Comparison", "Original", "compare", "compare_missing", "identity_in_words"]

_MOST_FIELDS = 8
"""Differing fields that are told of one part; how many more there are is told too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """`reproduces` says whether the answer is the same, byte for byte; None where there is none to compare with.

    `difference` names what is another than it was: recipe, calibration, models and provider first, each "from → to",
    then the answer's fields. With all four the same, the answer must be too.
    """

    reproduces: bool | None = None
    difference: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Original:
    """What the station said: the verdict as journalled, and its answer alone (see `wire.codec.judgement_bytes`)."""

    verdict: Verdict
    answer: bytes

    @classmethod
    def of(cls, payload: bytes) -> Original:
        """Raises: InvalidRequest when the bytes are no verdict."""
        return cls(verdict=verdict_from_bytes(payload), answer=journalled_judgement_bytes(payload))

    @property
    def was_judged(self) -> bool:
        """Whether an inspector gave this answer. Where the station had to answer without one (due time, queue full,
        restart, …) the verdict names no model.
        """
        return bool(self.verdict.judgement.models)


def compare(
    original: Original, judgement: Judgement, answer: bytes, *, recipe: Identity, calibration: Identity
) -> Comparison:
    """Holds a new judgement, whose bytes are `answer`, against what the station said."""
    if not original.was_judged:
        return _never_judged(original)
    then = original.verdict
    differing = list(_judged_by(then, recipe, calibration, judgement.models, judgement.provider))
    same = answer == original.answer
    if not same:
        differing += _answers(original.answer, answer)
    return Comparison(reproduces=same, difference="; ".join(differing))


def compare_missing(
    original: Original, views: Collection[str], *, recipe: Identity, calibration: Identity, models: tuple[Identity, ...]
) -> Comparison:
    """Holds a part of which these views have no image against what the station said.

    A view that never came (the verdict names no image of it) is still missing: that reproduces NOT_INSPECTED. One that
    was seen and is not kept leaves nothing to compare.
    """
    if not original.was_judged:
        return _never_judged(original)
    then = original.verdict
    seen = {image.view for image in then.images}
    if then.outcome is not Outcome.NOT_INSPECTED or seen.intersection(views):
        return Comparison()
    differing = _judged_by(then, recipe, calibration, models, then.judgement.provider)
    return Comparison(reproduces=True, difference="; ".join(differing))


def identity_in_words(identity: Identity) -> str:
    """Id, revision and the hash's first digits: "plate r3 (0f3a91bc22d4)"."""
    revision = f" r{identity.revision}" if identity.revision else ""
    return f"{identity.id}{revision} ({identity.sha256[:12]})"


def _never_judged(original: Original) -> Comparison:
    verdict = original.verdict
    why = verdict.judgement.detail or verdict.reason.sentence
    return Comparison(difference=f"never judged by the station: {verdict.outcome.name} {verdict.reason.name}, {why}")


def _judged_by(
    then: Verdict, recipe: Identity, calibration: Identity, models: tuple[Identity, ...], provider: str
) -> Iterator[str]:
    pairs: tuple[tuple[str, tuple[Identity, ...], tuple[Identity, ...]], ...] = (
        ("recipe", (then.recipe,), (recipe,)),
        ("calibration", (then.calibration,), (calibration,)),
        ("model", then.judgement.models, models),
    )
    for what, was, now in pairs:
        if [each.sha256 for each in was] != [each.sha256 for each in now]:
            yield f"{what} {_listed(was)} → {_listed(now)}"
    if then.judgement.provider != provider:
        yield f"provider {then.judgement.provider} → {provider}"


def _listed(identities: Iterable[Identity]) -> str:
    return ", ".join(map(identity_in_words, identities))


def _answers(then: bytes, now: bytes) -> list[str]:
    """The fields in which two answers differ, each "name was → is"."""
    found = _fields("", verdict_from_bytes(then).judgement, verdict_from_bytes(now).judgement)
    told = list(islice(found, _MOST_FIELDS))
    more = sum(1 for _ in found)
    return [*told, f"and {more} more fields"] if more else told


def _fields(path: str, was: object, now: object) -> Iterator[str]:
    if was == now:
        return
    if is_dataclass(was) and type(was) is type(now):
        for field in fields(was):
            name = f"{path}.{field.name}" if path else field.name
            yield from _fields(name, getattr(was, field.name), getattr(now, field.name))
    elif isinstance(was, tuple) and isinstance(now, tuple) and len(was) == len(now):
        for index, (before, after) in enumerate(zip(was, now, strict=True)):
            yield from _fields(f"{path}[{index}]", before, after)
    elif isinstance(was, tuple) and isinstance(now, tuple):
        yield f"{path} {len(was)} of them → {len(now)}"
    else:
        yield f"{path} {_told(was)} → {_told(now)}"


def _told(value: object) -> str:
    match value:
        case enum.Enum():
            return value.name
        case str():
            return f'"{value}"'
        case _:
            return repr(value)
