"""The seam between an archive and a run, and the options that say how an archive is to be understood."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from lineside.core.identity import sha256_of_value
from lineside.reinspect.part import Part, RawFormat

__all__ = [
    "AS_IT_SAYS",
    "PICTURE_EXTENSIONS",
    "RAW_EXTENSIONS",
    "Source",
    "SourceOptions",
    "extension_of",
    "fingerprint_of",
]

PICTURE_EXTENSIONS = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jp2", ".bmp", ".dib", ".tif", ".tiff"),
    *(".webp", ".gif", ".pbm", ".pgm", ".ppm", ".pnm"),
)
"""Endings of names, in any case, that stand for a picture."""

RAW_EXTENSIONS = (".raw", ".bin")
"""Endings that stand for pixels and nothing else, where a raw format is declared."""


class Source(Protocol):
    """An archive, open for listing."""

    @property
    def kind(self) -> str:
        """The name of its row in the table of sources."""
        ...

    @property
    def description(self) -> str:
        """What the place was taken for, in a few words for a person."""
        ...

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that the listing depends on beside the archive's content: kind, place, options."""
        ...

    @property
    def ignored(self) -> Mapping[str, int]:
        """How many things of the archive are no part of it, by what they are; complete once `parts` has ended."""
        ...

    def parts(self) -> Iterator[Part]:
        """Every part once, found as it is asked for, in the same order at every listing; each key is there once.

        What is damaged or forbidden is a part all the same, whose image cannot be read. Blocks.
        Raises: ConfigError when the archive contradicts itself or what was declared, JournalFault.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceOptions:
    """How an archive is to be understood, where it does not say so itself. Each kind takes some, and refuses the rest.

    `truth="folders"` takes the truth from the names of folders: good, ok; bad, defect, or defect/<class>.
    `split` keeps the rows of a manifest or split.csv whose column `split` says so.
    `view_pattern` is a regular expression for a whole file name (without its folder) with the groups `part` and `view`.
    `view_folders` says that the folders directly below the place are the views, with the same paths in each.
    `columns` are a manifest's own names of columns, by the name which they have here.
    `extensions` are the endings of names to take, instead of the usual.
    `raw` declares files of pixels alone: those with other endings than pictures'.
    `good_class` is the class in a shard's `.cls` that means a good part, where it is not "good" or "ok".
    `time_pattern` is a regular expression with the group `time`, looked for in the path; `time_format` says how to read
    it (as `datetime.strptime`, in UTC). `time_modified` takes a file's time of modification for the exposure's.
    """

    truth: Literal["", "folders"] = ""
    split: str = ""
    view_pattern: str = ""
    view_folders: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    extensions: tuple[str, ...] = ()
    raw: RawFormat | None = None
    good_class: str = ""
    time_pattern: str = ""
    time_format: str = ""
    time_modified: bool = False

    @property
    def given(self) -> frozenset[str]:
        """Names of the options that are not as they are by default."""
        return frozenset(
            each.name for each in dataclasses.fields(self) if getattr(self, each.name) != getattr(AS_IT_SAYS, each.name)
        )


AS_IT_SAYS = SourceOptions()
"""No options: the archive says itself how it is to be understood."""


def fingerprint_of(kind: str, place: str, options: SourceOptions) -> str:
    """The fingerprint of a source: kind, place and options."""
    return sha256_of_value({"kind": kind, "place": place, "options": dataclasses.asdict(options)})


def extension_of(name: str) -> str:
    """What a file's name ends in, in lower case: ".png"; "" where it has no ending."""
    stem, dot, extension = name.rpartition("/")[2].rpartition(".")
    return f".{extension.lower()}" if dot and stem else ""
