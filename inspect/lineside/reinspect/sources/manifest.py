"""A list of pictures: a CSV or Parquet file, or the `split.csv` of a folder of labelled pictures."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter

from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat
from lineside.reinspect import storage
from lineside.reinspect.part import ONLY_VIEW, ImageRef, Part, RawFormat, Truth
from lineside.reinspect.sources.facts import TRUTH_WORDS, TimeInPath, truth_of_word, utc_ns_of
from lineside.reinspect.sources.once import EachOnce
from lineside.reinspect.sources.source import PICTURE_EXTENSIONS, SourceOptions, extension_of, fingerprint_of
from lineside.reinspect.sources.table_file import columns_of, rows_of

__all__ = ["COLUMNS", "SPLIT_FILE", "ManifestSource", "open_manifest", "open_split"]

_TIMES = "ISO 8601, UTC where no zone is named, or ns since 1970"

COLUMNS: Mapping[str, str] = {
    "path": "the picture: relative to the manifest's folder, absolute, or a URL",
    "part_id": "the part; rows of one part follow each other",
    "view": "which of the part's views the picture is",
    "captured": f"when it was taken: {_TIMES}",
    "truth": f"what the part really is: {TRUTH_WORDS}",
    "class": "the class of its defect",
    "mask": "a picture that is white where the defect is, named as `path` is",
    "sha256": "what the picture's file must have",
    "pixel_format": "of a file that holds pixels alone, with width_px and height_px",
    "width_px": "likewise",
    "height_px": "likewise",
    "split": "the set that the row belongs to",
}
"""The columns of a manifest, of which only `path` must be there. `label` may stand for `truth`."""

_LONGEST_PX = 1_000_000

SPLIT_FILE = "split.csv"
_SPLIT_COLUMNS = {"path": "file", "truth": "label"}
_OTHER_NAMES = {"truth": "label"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """One row, understood. `key` is what its part is called."""

    number: int
    key: str
    part_id: str
    view: str
    image: ImageRef
    captured_utc_ns: int
    truth: Truth | None


def open_manifest(place: str, options: SourceOptions) -> ManifestSource:
    """Opens a CSV or Parquet file. Raises: ConfigError when it cannot be read or a column is missing."""
    there = columns_of(place)
    columns = {ours: theirs for ours, theirs in _OTHER_NAMES.items() if ours not in there and theirs in there}
    unknown = options.columns.keys() - COLUMNS.keys()
    if unknown:
        raise ConfigError(
            f"columns names {', '.join(sorted(unknown))}, of which nothing is known here",
            expected=f"some of {', '.join(COLUMNS)}",
        )
    columns |= options.columns
    missing = sorted({columns.get("path", "path"), *options.columns.values()} - set(there))
    if options.split and columns.get("split", "split") not in there:
        missing.append(columns.get("split", "split"))
    if missing:
        raise ConfigError(
            f"{storage.shown(place)} has no column {', '.join(missing)}",
            expected=f"one of its columns: {', '.join(there) or 'none'}",
            remedy="say with columns how the manifest calls it",
        )
    taken = {ours: columns.get(ours, ours) for ours in COLUMNS if columns.get(ours, ours) in there}
    return ManifestSource("manifest", place, taken, options)


def open_split(place: str, options: SourceOptions) -> ManifestSource:
    """Opens a folder with a split.csv, or that file. Raises: ConfigError."""
    file = place if storage.name_of(place).endswith(".csv") else storage.joined(place, SPLIT_FILE)
    opened = open_manifest(file, replace(options, columns=_SPLIT_COLUMNS))
    return ManifestSource("split", place, opened.columns, options, file=file)


class ManifestSource:
    """A `Source` over the rows of one file.

    A part's key is its part_id, or the path as it is written. Rows are read as they are asked for; of each part 8
    bytes are remembered, to find one whose rows do not follow each other.
    """

    def __init__(
        self, kind: str, place: str, columns: Mapping[str, str], options: SourceOptions, *, file: str = ""
    ) -> None:  # fmt: skip
        """Made by `open_manifest` and `open_split`. `columns` are the file's own names by ours."""
        self.kind = kind
        self.columns = columns
        self._file = file or place
        self._folder = storage.folder_of(self._file)
        self._options = options
        self._ignored: Counter[str] = Counter()
        self._times = TimeInPath(options, self._ignored)
        only = f", rows of split {options.split}" if options.split else ""
        self.description = f"the list {storage.shown(self._file)}{only}, with {', '.join(columns)}"
        self.fingerprint = fingerprint_of(kind, place, options)

    @property
    def ignored(self) -> Mapping[str, int]:
        """Rows of other splits."""
        return +self._ignored

    def parts(self) -> Iterator[Part]:
        """In the file's own order. Raises: ConfigError with the numbers of rows."""
        self._ignored.clear()
        once = EachOnce()
        for key, rows in itertools.groupby(self._rows(), key=attrgetter("key")):
            once.add(key)
            yield self._part(key, rows)
        if once.repeated:
            self._refuse_repeated(once)

    def _rows(self) -> Iterator[_Row]:
        for number, values in rows_of(self._file, list(self.columns.values())):
            known = {ours: values[theirs] for ours, theirs in self.columns.items()}
            if self._options.split and known["split"] != self._options.split:
                self._ignored["rows of other splits"] += 1
                continue
            yield self._row(number, known)

    def _row(self, number: int, values: Mapping[str, str]) -> _Row:
        path = values["path"]
        if not path:
            raise self._wrong(number, "names no picture", expected=f"a path in column {self.columns['path']}")
        part_id = values.get("part_id", "")
        return _Row(
            number=number,
            key=part_id or path,
            part_id=part_id or path,
            view=values.get("view", ONLY_VIEW),
            image=ImageRef(url=self._place(path), sha256=self._sha256(number, values), raw=self._raw(number, values)),
            captured_utc_ns=self._captured_utc_ns(number, values),
            truth=self._truth(number, values),
        )

    def _part(self, key: str, rows: Iterable[_Row]) -> Part:
        images: dict[str, ImageRef] = {}
        truth: Truth | None = None
        captured_utc_ns = 0
        for row in rows:
            if row.view in images:
                raise self._wrong(
                    row.number,
                    f"is the second picture of view {row.view!r} of part {storage.shown(key)}",
                    expected="one of each view of a part" + ("" if "view" in self.columns else " in a column view"),
                )
            if truth and row.truth and truth.bad != row.truth.bad:
                raise self._wrong(row.number, f"contradicts the truth of part {storage.shown(key)} in the row before")
            images[row.view] = row.image
            truth = _together(truth, row.truth)
            captured_utc_ns = captured_utc_ns or row.captured_utc_ns
            part_id = row.part_id
        return Part(key=key, part_id=part_id, captured_utc_ns=captured_utc_ns, images=images, truth=truth)

    def _place(self, path: str) -> str:
        if path.startswith("/") or not storage.is_local(path):
            return storage.absolute(path)
        return storage.joined(self._folder, path)

    def _captured_utc_ns(self, number: int, values: Mapping[str, str]) -> int:
        captured = values.get("captured", "")
        if not captured:
            return self._times.utc_ns_of(values["path"])
        try:
            return utc_ns_of(captured)
        except ValueError as error:
            raise self._wrong(number, f"says captured {captured!r}", expected=_TIMES) from error

    def _truth(self, number: int, values: Mapping[str, str]) -> Truth | None:
        word = values.get("truth", "")
        if not word:
            return None
        bad = truth_of_word(word)
        if bad is None:
            raise self._wrong(number, f"says {self.columns['truth']} {word!r}", expected=f"one of {TRUTH_WORDS}")
        mask = values.get("mask", "")
        return Truth(
            bad=bad,
            class_name=values.get("class", "") if bad else "",
            mask=ImageRef(url=self._place(mask)) if bad and mask else None,
        )

    def _sha256(self, number: int, values: Mapping[str, str]) -> str:
        sha256 = values.get("sha256", "").lower()
        if sha256 and (len(sha256) != 64 or set(sha256) - set("0123456789abcdef")):
            raise self._wrong(number, f"says sha256 {sha256!r}", expected="64 hex digits")
        return sha256

    def _raw(self, number: int, values: Mapping[str, str]) -> RawFormat | None:
        name = values.get("pixel_format", "")
        if not name:
            return self._options.raw if extension_of(values["path"]) not in PICTURE_EXTENSIONS else None
        try:
            pixel_format = PixelFormat(name)
            width_px, height_px = _length_px(values.get("width_px", "")), _length_px(values.get("height_px", ""))
        except ValueError as error:
            raise self._wrong(
                number,
                f"says pixel_format {name!r}, width_px {values.get('width_px', '')!r}, "
                f"height_px {values.get('height_px', '')!r}",
                expected=f"a pixel format such as Mono8, and whole numbers from 1 to {_LONGEST_PX}",
            ) from error
        return RawFormat(pixel_format=pixel_format, width_px=width_px, height_px=height_px)

    def _refuse_repeated(self, once: EachOnce) -> None:
        """Goes through the rows again and names the first part whose rows do not follow each other."""
        first: dict[str, int] = {}
        for key, rows in itertools.groupby(self._rows(), key=attrgetter("key")):
            if not once.may_repeat(key):
                continue
            number = next(iter(rows)).number
            if key in first:
                raise self._wrong(
                    number,
                    f"belongs to part {storage.shown(key)}, as row {first[key]} does, with others in between",
                    expected="the rows of a part to follow each other, and each picture to be listed once",
                    remedy="sort the manifest by part",
                )
            first[key] = number

    def _wrong(self, number: int, what: str, *, expected: str = "", remedy: str = "correct the row") -> ConfigError:
        return ConfigError(f"{storage.shown(self._file)}:{number}: {what}", expected=expected, remedy=remedy)


def _length_px(text: str) -> int:
    length_px = int(text)
    if not 1 <= length_px <= _LONGEST_PX:
        raise ValueError(text)
    return length_px


def _together(truth: Truth | None, more: Truth | None) -> Truth | None:
    """What two rows of one part say; a mask or class of the later one counts where the first has none."""
    if truth is None or more is None:
        return truth or more
    return replace(truth, class_name=truth.class_name or more.class_name, mask=truth.mask or more.mask)
