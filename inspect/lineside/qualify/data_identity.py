"""Which pictures exactly: one hash for all that was judged, and which of them a package has learned from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from lineside.core.errors import PackageError
from lineside.core.identity import sha256_of_file, sha256_of_value
from lineside.qualify.picture import LabelledPicture

__all__ = ["data_listing", "data_sha256", "learned_from", "training_hashes"]

_MADE_OF: Final = "training/split.csv"
_SET_BY: Final = "training/threshold-r*.csv"
"""In packages of `lineside train` and `lineside models threshold`: pictures that were read, their split and hash."""


def data_sha256(pictures: Iterable[tuple[LabelledPicture, str]]) -> str:
    """Of the pictures with their SHA-256: file, truth, class, group, picture and mask, whatever their order."""
    rows = [
        [
            each.name,
            _truth(each),
            each.class_name,
            each.group,
            digest,
            "" if not each.mask else sha256_of_file(each.mask),
        ]
        for each, digest in pictures
    ]
    return sha256_of_value(sorted(rows))


def data_listing(pictures: Iterable[tuple[LabelledPicture, str]]) -> bytes:
    """The same pictures as a CSV file for people and for `training_hashes`."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("file", "split", "label", "class", "group", "sha256"))
    for each, digest in pictures:
        rows.writerow((each.name, each.split, _truth(each), each.class_name, each.group, digest))
    return text.getvalue().encode()


def _truth(picture: LabelledPicture) -> str:
    return "good" if picture.good else "defect"


def training_hashes(package: Path) -> tuple[bool, dict[str, str]]:
    """Whether the package says what it was made of; the split of all pictures that it names, by SHA-256.

    Rendered parts are listed and have no hash: they are no files.

    Raises: PackageError for a record that is none.
    """
    hashes: dict[str, str] = {}
    for record in [*package.glob(_MADE_OF), *package.glob(_SET_BY)]:
        try:
            with record.open(encoding="utf-8", newline="") as file:
                rows = [row for row in csv.DictReader(file) if row["split"] and row.get("sha256")]
                hashes |= {row["sha256"]: row["split"] for row in rows}
        except (UnicodeDecodeError, KeyError, csv.Error) as error:
            raise PackageError(f"{record} cannot be read as a list of pictures: {error}") from error
    return (package / _MADE_OF).is_file(), hashes


def learned_from(
    pictures: Sequence[tuple[LabelledPicture, str]], hashes: dict[str, str], splits: tuple[str, ...]
) -> tuple[str, ...]:
    """Names of those that the package has read as pictures of these splits."""
    return tuple(each.name for each, digest in pictures if hashes.get(digest) in splits)
