"""Which parts of an archive are looked at again, and how many are left out by which rule."""

from __future__ import annotations

import heapq
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from lineside.core.errors import ConfigError, InvalidRequest
from lineside.core.verdict import Outcome, Verdict
from lineside.reinspect.part import OriginalVerdict, Part
from lineside.reinspect.sources.once import key_hash
from lineside.wire.codec import verdict_from_bytes

__all__ = ["Selected", "Selection"]

_HASHES: Final = 1 << 64
_SAMPLE: Final = "sample"


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Rules that a part must all keep to be wanted. Without any, every part is.

    Times are UTC ns, from the first on and before the second; 0 is no bound. They are the exposure's; where no frame
    came, the verdict's. `part_ids` is a glob; `first_part_id` and `last_part_id` are bounds, both within, in an order
    in which P9 comes before P10. Sequences and triggers are those of the original verdict, bounds within, 0 no bound.
    `only_rejects` wants all that the station did not pass, `outcomes` those of its outcomes. `sample_share` is a share
    from 0 to 1 of the parts that keep all other rules, `sample_count` a number of them: the same parts on every
    machine and in every order, by a hash of their keys and `sample_seed`.
    """

    from_utc_ns: int = 0
    to_utc_ns: int = 0
    part_ids: str = ""
    first_part_id: str = ""
    last_part_id: str = ""
    first_sequence: int = 0
    last_sequence: int = 0
    first_trigger: int = 0
    last_trigger: int = 0
    only_rejects: bool = False
    outcomes: tuple[Outcome, ...] = ()
    sample_share: float | None = None
    sample_count: int | None = None
    sample_seed: int = 0

    def __post_init__(self) -> None:
        """Raises: ConfigError for rules that nothing could keep."""
        if self.sample_share is not None and self.sample_count is not None:
            raise ConfigError("a sample is asked for both by share and by count", expected="one of them")
        if self.sample_share is not None and not 0 < self.sample_share <= 1:
            raise ConfigError(f"a sample of {self.sample_share:g} of all parts", expected="above 0, at most 1")
        if self.sample_count is not None and self.sample_count < 1:
            raise ConfigError(f"a sample of {self.sample_count} parts", expected="at least 1")
        reversed_bounds = {
            "time": bool(self.to_utc_ns) and self.from_utc_ns >= self.to_utc_ns,
            "sequence": bool(self.last_sequence) and self.first_sequence > self.last_sequence,
            "trigger": bool(self.last_trigger) and self.first_trigger > self.last_trigger,
            "part id": bool(self.last_part_id) and _natural(self.first_part_id) > _natural(self.last_part_id),
        }
        for what, wrong in reversed_bounds.items():
            if wrong:
                raise ConfigError(f"the last {what} wanted is before the first", expected="the earlier one first")

    def wants(self, part: Part) -> bool:
        """Whether the part keeps all rules; of `sample_count`, which needs all parts, only `select` knows."""
        return not self.against(part)

    def against(self, part: Part) -> str:
        """The first rule that the part does not keep, in a few words; "" for a part that is wanted."""
        return next((rule for rule, kept in self._rules() if not kept(part)), "")

    def select(self, parts: Iterable[Part]) -> Selected:
        """The parts that are wanted, in their own order, each passed on as it is found.

        With `sample_count` that many parts are held, and the first is passed on when all have been seen.
        """
        return Selected(self, parts)

    def _rules(self) -> Iterator[tuple[str, Callable[[Part], bool]]]:
        if self.part_ids:
            yield "part id", lambda part: fnmatchcase(part.part_id, self.part_ids)
        if self.first_part_id or self.last_part_id:
            yield "part id", self._within_part_ids
        if self.first_sequence or self.last_sequence:
            yield "sequence", lambda part: _within(_sequence(part), self.first_sequence, self.last_sequence)
        if self.first_trigger or self.last_trigger:
            yield "trigger", lambda part: _within(_trigger(part), self.first_trigger, self.last_trigger)
        if self.only_rejects or self.outcomes:
            yield "no original verdict", lambda part: _verdict(part.original) is not None
        if self.only_rejects:
            yield "passed", lambda part: _outcome(part) is not Outcome.PASS
        if self.outcomes:
            yield "outcome", lambda part: _outcome(part) in self.outcomes
        if self.from_utc_ns or self.to_utc_ns:
            yield "time unknown", lambda part: _utc_ns(part) != 0
            yield "time", lambda part: _within(_utc_ns(part), self.from_utc_ns, self.to_utc_ns and self.to_utc_ns - 1)
        if self.sample_share is not None:
            bound = round(self.sample_share * _HASHES)
            yield _SAMPLE, lambda part: key_hash(part.key, seed=self.sample_seed) < bound

    def _within_part_ids(self, part: Part) -> bool:
        part_id = _natural(part.part_id)
        return _natural(self.first_part_id) <= part_id and (
            not self.last_part_id or part_id <= _natural(self.last_part_id)
        )


class Selected(Iterable[Part]):
    """The wanted parts of an archive. Goes through it once; then `wanted` and `left_out` are complete."""

    def __init__(self, selection: Selection, parts: Iterable[Part]) -> None:
        """Made by `Selection.select`."""
        self._selection = selection
        self._parts = parts
        self._left_out: Counter[str] = Counter()
        self.wanted = 0
        """Parts that were passed on, so far."""

    @property
    def left_out(self) -> Mapping[str, int]:
        """Parts that are not wanted, by the first rule that they do not keep, so far."""
        return self._left_out

    def __iter__(self) -> Iterator[Part]:
        kept = self._keeping()
        count = self._selection.sample_count
        for part in kept if count is None else self._sample(kept, count):
            self.wanted += 1
            yield part

    def _keeping(self) -> Iterator[Part]:
        for part in self._parts:
            rule = self._selection.against(part)
            if rule:
                self._left_out[rule] += 1
            else:
                yield part

    def _sample(self, parts: Iterator[Part], count: int) -> Iterator[Part]:
        """Those with the smallest hashes, in their own order."""
        seed, number = self._selection.sample_seed, itertools.count()
        hashed = ((key_hash(part.key, seed=seed), next(number), part) for part in parts)
        smallest = heapq.nsmallest(count, hashed, key=lambda each: each[0])
        self._left_out[_SAMPLE] += next(number) - len(smallest)
        for _, _, part in sorted(smallest, key=lambda each: each[1]):
            yield part


def _within(number: int, first: int, last: int) -> bool:
    return number > 0 and first <= number and (not last or number <= last)


def _sequence(part: Part) -> int:
    return part.original.sequence if part.original else 0


def _trigger(part: Part) -> int:
    return part.original.trigger_number if part.original else 0


def _verdict(original: OriginalVerdict | None) -> Verdict | None:
    try:
        return verdict_from_bytes(original.payload) if original else None
    except InvalidRequest:
        return None


def _outcome(part: Part) -> Outcome:
    verdict = _verdict(part.original)
    return verdict.outcome if verdict else Outcome.UNSPECIFIED


def _utc_ns(part: Part) -> int:
    if part.captured_utc_ns:
        return part.captured_utc_ns
    verdict = _verdict(part.original)
    return verdict.decided_utc_ns if verdict else 0


def _natural(part_id: str) -> list[tuple[int, int, str]]:
    """Orders P9 before P10."""
    return [(0, int(chunk), chunk) if chunk.isdecimal() else (1, 0, chunk) for chunk in re.split(r"([0-9]+)", part_id)]
