"""What the members `key.json` and `key.cls` of a shard say of their part."""

from __future__ import annotations

import json
from dataclasses import dataclass

from lineside.reinspect.part import ImageRef, Truth
from lineside.reinspect.sources.facts import truth_of_word, utc_ns_of

__all__ = ["PartFacts", "facts_of_class", "facts_of_json"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PartFacts:
    """What is known of a part beside its images; empty, 0 or None where nothing is."""

    part_id: str = ""
    captured_utc_ns: int = 0
    bad: bool | None = None
    class_name: str = ""

    def with_more(self, more: PartFacts) -> PartFacts:
        """These, and the others' where these have none."""
        return PartFacts(
            part_id=self.part_id or more.part_id,
            captured_utc_ns=self.captured_utc_ns or more.captured_utc_ns,
            bad=more.bad if self.bad is None else self.bad,
            class_name=self.class_name or more.class_name,
        )

    def truth(self, mask: ImageRef | None) -> Truth | None:
        """What the part really is, if that is known."""
        if self.bad is None:
            return None
        return Truth(bad=self.bad, class_name=self.class_name if self.bad else "", mask=mask if self.bad else None)


def facts_of_class(data: bytes, *, good_class: str) -> PartFacts | None:
    """A `.cls` member: `good_class`, good or ok for a good part; else the class of its defect.

    None for what says neither: nothing, or a number where no `good_class` is declared.
    """
    word = data.decode("utf-8", "backslashreplace").strip()
    if good_class:
        return PartFacts(bad=word != good_class, class_name="" if word == good_class else word)
    if not word or word.isdigit():
        return None
    bad = truth_of_word(word)
    return PartFacts(bad=True, class_name=word) if bad is None else PartFacts(bad=bad)


def facts_of_json(data: bytes) -> PartFacts | None:
    """A `.json` member: an object with some of part_id, captured, truth (or label) and class, as in a manifest.

    None for what cannot be understood.
    """
    try:
        said = json.loads(data)
        captured = said.get("captured") or 0
        word = str(said.get("truth") or said.get("label") or "")
        facts = PartFacts(
            part_id=str(said.get("part_id") or ""),
            captured_utc_ns=utc_ns_of(str(captured)) if captured else 0,
            bad=truth_of_word(word),
            class_name=str(said.get("class") or ""),
        )
    except (ValueError, AttributeError, RecursionError):
        return None
    return None if word and facts.bad is None else facts
