"""Brace patterns as shells and WebDataset write them: `shard-{000..119}.tar`, `{a,b}.tar`."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from lineside.core.errors import ConfigError

__all__ = ["expanded"]

_BRACES = re.compile(r"\{([^{}]*)\}")
_MOST = 1_000_000
"""Names that a range may stand for; more is a slip of the pen."""

_RANGE = re.compile(r"(\d+)\.\.(\d+)")


def expanded(pattern: str) -> Iterator[str]:
    """Every name that the pattern stands for, the last braces counting fastest. Raises: ConfigError for a bad one."""
    pieces = _BRACES.split(pattern)
    between, choices = pieces[::2], [_choices(braces, pattern) for braces in pieces[1::2]]
    for chosen in itertools.product(*choices):
        yield "".join(itertools.chain.from_iterable(zip(between, (*chosen, ""), strict=True)))


def _choices(braces: str, pattern: str) -> Sequence[str]:
    limits = _RANGE.fullmatch(braces)
    if limits is not None:
        first, last = limits.groups()
        if int(first) <= int(last) <= int(first) + _MOST:
            width = len(first) if first.startswith("0") else 0
            return [f"{number:0{width}d}" for number in range(int(first), int(last) + 1)]
    elif "," in braces:
        return braces.split(",")
    raise ConfigError(
        f"{pattern}: {{{braces}}} stands for nothing", expected="a range such as {000..119}, or words such as {a,b}"
    )
