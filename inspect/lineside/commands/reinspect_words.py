"""The words of `lineside reinspect`: times, samples, packages and pixel formats as they are typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat
from lineside.core.recipe import ANY
from lineside.core.verdict import Outcome
from lineside.reinspect.candidate import Candidate, candidate_of, lettered
from lineside.reinspect.drawing import Drawing
from lineside.reinspect.part import RawFormat

__all__ = [
    "drawing_of",
    "outcomes_of",
    "pairs_of",
    "raw_format_of",
    "sample_of",
    "span_of",
    "the_candidates",
    "truth_of",
    "utc_ns_of",
]


def the_candidates(
    *,
    against: Sequence[Path],
    stations: Sequence[Path],
    recipes: Sequence[Path],
    packages: Sequence[str],
    instead: Sequence[str],
    scales: Path | None,
) -> tuple[Candidate, ...]:
    """All candidates, those `against` which the others are held first. `instead` changes the packages of the others.

    Raises: ConfigError with every problem.
    """
    if not (against or stations or recipes or packages):
        raise ConfigError("nobody is to judge", expected="--station, --recipe or --package, once or several times")
    changed = {view: _package(name) for view, name in pairs_of(instead, default=ANY).items()}
    return lettered(
        [
            *(candidate_of(place, scales=_scales_for(place, scales)) for place in against),
            *(candidate_of(place, packages=changed) for place in stations),
            *(candidate_of(place, packages=changed, scales=scales) for place in recipes),
            *(candidate_of(_package(name)) for name in packages),
        ]
    )


def _scales_for(place: Path, scales: Path | None) -> Path | None:
    """Only a recipe file needs the scales of a station; what `against` names may be anything."""
    return scales if place.parent.name == "recipes" else None


def _package(name: str) -> Path:
    """A package by its folder, or by its name in models/."""
    return Path(name) if Path(name).is_dir() else Path("models") / name


def pairs_of(words: Sequence[str], *, default: str = "") -> Mapping[str, str]:
    """NAME=VALUE words; a word without a name has the default one. Raises: ConfigError for a name given twice."""
    pairs: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            name, value = default, word
        if not name or name in pairs:
            raise ConfigError(f"{word!r}", expected="NAME=VALUE, each name once")
        pairs[name] = value
    return pairs


def utc_ns_of(word: str) -> int:
    """A time such as 2026-11-22 or 2026-11-22T06:00:00+01:00; UTC where it does not say. 0 for an empty word."""
    if not word:
        return 0
    try:
        time = datetime.fromisoformat(word)
    except ValueError as error:
        raise ConfigError(
            f"{word!r} is no time", expected="such as 2026-11-22 or 2026-11-22T06:00:00+01:00; UTC if it does not say"
        ) from error
    since_1970 = (time if time.tzinfo else time.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since_1970.days * 86_400 + since_1970.seconds) * 10**9 + since_1970.microseconds * 1000


def span_of(word: str, what: str) -> tuple[int, int]:
    """Numbers such as 100..200, 100.. or ..200, bounds within; (0, 0) for an empty word. Raises: ConfigError."""
    if not word:
        return 0, 0
    first, dots, last = word.partition("..")
    if not dots or not all(each == "" or each.isdecimal() for each in (first, last)):
        raise ConfigError(f"--{what} {word}", expected="FIRST..LAST, FIRST.. or ..LAST")
    return int(first or 0), int(last or 0)


def sample_of(word: str) -> tuple[float | None, int | None]:
    """A share such as 5% or 0.05, or a number of parts such as 500. Raises: ConfigError."""
    if not word:
        return None, None
    try:
        if word.endswith("%"):
            return float(word[:-1]) / 100, None
        return (None, int(word)) if word.isdecimal() else (float(word), None)
    except ValueError as error:
        raise ConfigError(f"--sample {word}", expected="a share such as 5% or 0.05, or a number such as 500") from error


def raw_format_of(word: str) -> RawFormat | None:
    """Pixels and nothing else, declared as in Mono8:1280x1024. Raises: ConfigError."""
    if not word:
        return None
    name, _, size = word.partition(":")
    width, _, height = size.lower().partition("x")
    if name not in set(PixelFormat) or not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise ConfigError(f"--raw {word}", expected="FORMAT:WIDTHxHEIGHT in px, such as Mono8:1280x1024")
    return RawFormat(pixel_format=PixelFormat(name), width_px=int(width), height_px=int(height))


def outcomes_of(words: Sequence[str]) -> tuple[Outcome, ...]:
    """Outcomes by name, in any case. Raises: ConfigError."""
    known = {outcome.name: outcome for outcome in Outcome if outcome}
    named = [word.upper().replace("-", "_") for word in words]
    if strange := [word for word in named if word not in known]:
        raise ConfigError(f"there is no outcome {', '.join(strange)}", expected=f"one of {', '.join(known)}")
    return tuple(known[word] for word in named)


def truth_of(word: str) -> Literal["", "folders"]:
    """Where the truth comes from, where the source does not say so itself. Raises: ConfigError."""
    match word:
        case "" | "folders":
            return word
        case _:
            raise ConfigError(f"--truth {word}", expected="folders; a manifest and split.csv tell it by themselves")


def drawing_of(words: Sequence[str], at_most: int) -> Drawing:
    """What is to be drawn: rejects, all, or some outcomes; nothing without a word. Raises: ConfigError."""
    if "all" in words:
        return Drawing(at_most=at_most)
    outcomes = [name for word in words for name in (("fail", "not_inspected") if word == "rejects" else (word,))]
    return Drawing(at_most=at_most if outcomes else 0, outcomes=tuple(each.name for each in outcomes_of(outcomes)))
