"""What an archive says of a part in words: whether it was good, and when it was taken."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from typing import Final

from lineside.core.errors import ConfigError
from lineside.reinspect.part import Truth
from lineside.reinspect.sources.source import SourceOptions

__all__ = ["TRUTH_WORDS", "TimeInPath", "truth_of_folders", "truth_of_word", "utc_ns_of"]

_BAD_WORDS: Final = {"good": False, "ok": False, "bad": True, "defect": True}

TRUTH_WORDS: Final = ", ".join(_BAD_WORDS)
"""The words for what a part really is, in any case."""

_LONGEST_YEAR_NS = 10**17
"""Whole numbers below it would be times before March 1973: seconds or milliseconds taken for nanoseconds."""

_END_OF_TIME_NS = 1 << 63


def truth_of_word(word: str) -> bool | None:
    """Whether the word says that the part is bad; None for a word that says nothing."""
    return _BAD_WORDS.get(word.strip().lower())


def truth_of_folders(path: str) -> Truth | None:
    """What the names of the folders on the path say, the outermost first; below a bad one the next names the class."""
    folders = path.split("/")[:-1]
    for index, folder in enumerate(folders):
        bad = truth_of_word(folder)
        if bad is not None:
            below = folders[index + 1 : index + 2]
            return Truth(bad=bad, class_name=below[0] if bad and below else "")
    return None


def utc_ns_of(text: str) -> int:
    """A time as people or programs write it, in UTC ns: ISO 8601, UTC where it names no zone, or a number of ns.

    Raises: ValueError for anything else, also for numbers that can only be seconds or milliseconds.
    """
    text = text.strip()
    if re.fullmatch(r"\d{9,}", text):
        if int(text) < _LONGEST_YEAR_NS:
            raise ValueError(f"{text} is no time in nanoseconds")
        return _within_range(int(text))
    return utc_ns_of_datetime(datetime.fromisoformat(text))


def utc_ns_of_datetime(when: datetime) -> int:
    """The same for a datetime: UTC where it has no zone. Raises: ValueError for one beyond the year 2262."""
    whole = when if when.tzinfo else when.replace(tzinfo=UTC)
    # Not through a float: it has no room for the nanoseconds of our century.
    return _within_range(int(whole.replace(microsecond=0).timestamp()) * 1_000_000_000 + whole.microsecond * 1000)


def _within_range(utc_ns: int) -> int:
    if utc_ns >= _END_OF_TIME_NS:
        raise ValueError(f"{utc_ns} ns are beyond what 64 bits hold")
    return utc_ns


class TimeInPath:
    """When a picture was taken, as its path says: `time_pattern` and `time_format` of the options."""

    def __init__(self, options: SourceOptions, ignored: Counter[str]) -> None:
        """Paths that tell no time are counted in `ignored`. Raises: ConfigError when an option is missing or wrong."""
        if bool(options.time_pattern) != bool(options.time_format):
            raise ConfigError(
                "a time in the path needs both time_pattern and time_format",
                expected=r"such as '_(?P<time>\d{12})_' and '%y%m%d%H%M%S'",
            )
        self._pattern = pattern_with(options.time_pattern, ("time",), name="time_pattern")
        self._format = options.time_format
        self._ignored = ignored

    def utc_ns_of(self, path: str) -> int:
        """The time that the path tells; 0 where it tells none."""
        if not self._format:
            return 0
        found = self._pattern.search(path)
        try:
            if found is not None:
                return utc_ns_of_datetime(datetime.strptime(found["time"], self._format))
        except ValueError:
            pass  # counted as any other that tells none
        self._ignored["paths that tell no time"] += 1
        return 0


def pattern_with(pattern: str, groups: tuple[str, ...], *, name: str) -> re.Pattern[str]:
    """The regular expression of an option, which must have these groups unless it is empty. Raises: ConfigError."""
    expected = "a regular expression with " + " and ".join(f"(?P<{group}>…)" for group in groups)
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"{name} {pattern!r} is no regular expression: {error}", expected=expected) from error
    if pattern and not set(groups) <= compiled.groupindex.keys():
        raise ConfigError(f"{name} is {pattern!r}", expected=expected)
    return compiled
