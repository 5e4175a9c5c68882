"""Is a qualification enough to release a package? If not, what is missing, in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lineside.core.errors import ConfigError
from lineside.core.identity import Identity
from lineside.qualify.document import PartFigure, Qualification, read_qualification
from lineside.statistics.proportions import Rate, at_most, parts_to_show
from lineside.statistics.wording import percent

__all__ = ["Asked", "Found", "missing", "qualifications_in", "shown"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a release asks for: upper bounds of rates, one-sided, at the confidence."""

    max_escape: float
    max_overkill: float | None = None
    confidence: float = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Qualifications of one package: of this very revision, the newest first; stale ones; and files that are none."""

    current: tuple[tuple[Path, Qualification], ...]
    stale: tuple[tuple[Path, Qualification], ...]
    broken: tuple[str, ...]


def qualifications_in(paths: Sequence[Path], package: Identity) -> Found:
    """Sorts them by whether they are of this package, of another revision of it, or unreadable."""
    current, stale, broken = [], [], []
    for path in paths:
        try:
            document = read_qualification(path)
        except ConfigError as error:
            broken.append(str(error))
            continue
        if document.by.package_sha256 == package.sha256:
            current.append((path, document))
        elif document.by.package_id == package.id:
            stale.append((path, document))
    current.sort(key=lambda each: each[1].made.utc, reverse=True)
    return Found(current=tuple(current), stale=tuple(stale), broken=tuple(broken))


def shown(figure: PartFigure, confidence: float) -> Rate:
    """The upper bound of the rate by part."""
    return at_most(figure.parts.count, figure.parts.of, confidence=confidence)


def missing(document: Qualification, asked: Asked) -> list[str]:
    """What this qualification lacks for the release; nothing where it is enough."""
    return list(_missing(document, asked))


def _missing(document: Qualification, asked: Asked) -> Iterator[str]:
    data = document.data
    if data.split not in ("test", "all"):
        yield f"it is of the split {data.split}; a release needs test, or a set of its own (--split all)"
    if data.seen_in_training:
        yield (
            f"pictures that helped to make or to set the package: {len(data.seen_in_training)}, the first "
            f"{data.seen_in_training[0]}; leave them out"
        )
    if document.not_judged:
        yield (
            f"pictures that could not be judged: {len(document.not_judged)}, the first {document.not_judged[0].name}; "
            "correct the data, or take them out of it"
        )
    yield from _too_much("escapes", "bad", document.escapes, asked.max_escape, asked.confidence)
    if asked.max_overkill is not None:
        yield from _too_much("overkill", "good", document.overkill, asked.max_overkill, asked.confidence)


def _too_much(name: str, kind: str, figure: PartFigure, rate: float, confidence: float) -> Iterator[str]:
    bound = shown(figure, confidence)
    if bound.high <= rate:
        return
    needed = parts_to_show(rate, allowed=bound.count, confidence=confidence)
    parts = f"{kind} parts without one" if not bound.count else f"{kind} parts with no more than these {bound.count:,}"
    yield (
        f"{name}: {bound.count:,} of {bound.of:,} {kind} parts show at most {percent(bound.high, up=True)} at "
        f"{percent(confidence)} confidence, and {percent(rate)} is asked for; that takes {needed:,} {parts}"
    )
