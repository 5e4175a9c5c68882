"""Labelled pictures to train on, and the split that keeps `test` away from every trainer."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final, Literal, get_args

from lineside.core.errors import ConfigError
from lineside.core.identity import sha256_of_file
from lineside.train.training_images import PICTURE_SUFFIXES

__all__ = ["SPLIT_FILE", "Dataset", "LabelledPicture", "Split", "SplitOrder", "TrainingSet", "read_dataset"]

Split = Literal["train", "val", "test", "other"]
"""`other` is for pictures that are kept with the rest and belong to none of the three."""

SPLIT_FILE: Final = "split.csv"

_COLUMNS: Final = ("file", "split", "label", "class", "mask", "group")
_NEEDED: Final = ("file", "split", "label")
_MAX_TOLD: Final = 10
"""Faults of a list that are told at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledPicture:
    """One picture file and what people say of it.

    `name` is its path below the data folder, with slashes. `class_name` is empty for good parts. Pictures of one
    `group` show the same part, or the same place of it, and are never torn apart by a split.
    """

    name: str
    path: Path
    split: Split
    good: bool
    class_name: str = ""
    mask: Path | None = None
    group: str

    def sha256(self) -> str:
        """The SHA-256 of the file as it is now; reads it."""
        return sha256_of_file(self.path)


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitOrder:
    """How a split is made where the data brings none: shares of the groups of each class, drawn with `seed`.

    `group_pattern` is a regular expression; what its first bracket (else all of it) matches in a file's name is the
    group. Without one, each picture is a group; files with the same bytes are one group in any case.
    """

    seed: int = 0
    val_share: float = 0.2
    test_share: float = 0.2
    group_pattern: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingSet:
    """All that a trainer may read: the pictures of train and val. One of another split cannot be in it.

    Raises (on making): ConfigError for a picture of another split.
    """

    train: tuple[LabelledPicture, ...]
    val: tuple[LabelledPicture, ...]

    def __post_init__(self) -> None:
        for split, pictures in (("train", self.train), ("val", self.val)):
            for picture in pictures:
                if picture.split != split:
                    raise ConfigError(
                        f"{picture.name} is of the split {picture.split}",
                        expected=f"pictures of {split}: a trainer sees no others",
                    )

    @property
    def good(self) -> tuple[LabelledPicture, ...]:
        """The good pictures of train."""
        return tuple(picture for picture in self.train if picture.good)


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """Every labelled picture below `folder`, in the order of the list or of their names. `split_by` is told to people.

    A trainer gets `for_training()` and nothing else.
    """

    folder: Path
    pictures: tuple[LabelledPicture, ...]
    split_by: str

    def of(self, split: Split) -> tuple[LabelledPicture, ...]:
        """The pictures of one split."""
        return tuple(picture for picture in self.pictures if picture.split == split)

    def for_training(self) -> TrainingSet:
        """What a trainer may see."""
        return TrainingSet(train=self.of("train"), val=self.of("val"))

    def listing(self) -> bytes:
        """The split as a CSV file like `split.csv` with the SHA-256 of each picture of train and val.

        Pictures of test and other are named only: their files are not opened.
        """
        text = io.StringIO(newline="")
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow((*_COLUMNS, "sha256"))
        for picture in self.pictures:
            mask = "" if picture.mask is None else picture.mask.relative_to(self.folder).as_posix()
            seen = picture.split in ("train", "val")
            rows.writerow(
                (
                    picture.name,
                    picture.split,
                    "good" if picture.good else "defect",
                    picture.class_name,
                    mask,
                    picture.group,
                    picture.sha256() if seen else "",
                )
            )
        return text.getvalue().encode()


def read_dataset(folder: Path, order: SplitOrder | None = None, *, good_needed: bool = True) -> Dataset:
    """Reads `folder/split.csv` where there is one, else the folders `good/`, `defect/<class>/` and `masks/`.

    A mask has the name of its picture below `defect/`, with any picture suffix. A folder without good/ and defect/ is
    all good. No picture is decoded. Unless good pictures are needed, defect/ may stand alone.

    Raises: ConfigError with every fault, lines of the list included.
    """
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder}", expected=f"a folder with {SPLIT_FILE}, or with good/")
    if (folder / SPLIT_FILE).is_file():
        return Dataset(folder=folder, pictures=tuple(_listed(folder)), split_by=SPLIT_FILE)
    order = order or SplitOrder()
    pictures = _grouped(list(_in_folders(folder, good_needed=good_needed)), order)
    shares = f"{1 - order.val_share - order.test_share:g} / {order.val_share:g} / {order.test_share:g}"
    return Dataset(
        folder=folder,
        pictures=tuple(_split(pictures, order)),
        split_by=f"groups of each class drawn with seed {order.seed}, {shares} to train, val and test",
    )


# A list.


def _listed(folder: Path) -> list[LabelledPicture]:
    path = folder / SPLIT_FILE
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows = [(reader.line_num, row) for row in reader]
            columns = tuple(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(
            f"{path} cannot be read: {error}", expected=f"a CSV file with {', '.join(_COLUMNS)}"
        ) from error
    if missing := [column for column in _NEEDED if column not in columns]:
        raise ConfigError(
            f"{path}:1: columns {', '.join(columns) or 'none'}", expected=f"{', '.join(missing)} among them"
        )
    pictures: list[LabelledPicture] = []
    faults: list[str] = []
    lines: dict[str, int] = {}
    for line, row in rows:
        found = _row(folder, row)
        if isinstance(found, str):
            faults.append(f"line {line}: {found}")
        elif found.name in lines:
            faults.append(f"line {line}: {found.name} is listed in line {lines[found.name]} already")
        else:
            lines[found.name] = line
            pictures.append(found)
    faults += _torn_apart(pictures, lines)
    if faults:
        more = f"; and {len(faults) - _MAX_TOLD} more" if len(faults) > _MAX_TOLD else ""
        raise ConfigError(
            f"{path}: {'; '.join(faults[:_MAX_TOLD])}{more}",
            expected="files below the folder, each once, split train, val, test or other, label good or defect",
            remedy="correct the list",
        )
    if not pictures:
        raise ConfigError(f"{path} lists no picture", expected="one row for each")
    return pictures


def _row(folder: Path, row: Mapping[str | None, str | None]) -> LabelledPicture | str:
    """The picture of one row, or what is wrong with it."""
    if None in row or None in row.values():
        return "more or fewer values than columns"
    value = {str(key): (text or "").strip() for key, text in row.items()}
    for key in ("file", "mask"):
        text = value.get(key, "")
        if PurePosixPath(text).is_absolute() or ".." in PurePosixPath(text).parts:
            return f"{key} '{text}' lies outside the folder"
        if text and not (folder / text).is_file():
            return f"there is no {key} '{text}'"
    if not value["file"]:
        return "no file"
    split = next((known for known in get_args(Split) if known == value["split"]), None)
    if split is None:
        return f"split '{value['split']}'"
    if value["label"] not in ("good", "defect"):
        return f"label '{value['label']}'"
    good, mask = value["label"] == "good", value.get("mask", "")
    if good and (mask or value.get("class")):
        return "a good part with a class or a mask"
    return LabelledPicture(
        name=value["file"],
        path=folder / value["file"],
        split=split,
        good=good,
        class_name="" if good else value.get("class") or "defect",
        mask=folder / mask if mask else None,
        group=value.get("group") or value["file"],
    )


def _torn_apart(pictures: Iterable[LabelledPicture], lines: Mapping[str, int]) -> Iterator[str]:
    first: dict[str, LabelledPicture] = {}
    for picture in pictures:
        other = first.setdefault(picture.group, picture)
        if other.split != picture.split:
            yield (
                f"line {lines[picture.name]}: group '{picture.group}' in {picture.split}, "
                f"and in {other.split} in line {lines[other.name]}"
            )


# Folders.


def _in_folders(folder: Path, *, good_needed: bool) -> Iterator[LabelledPicture]:
    """Every picture as one of train, its own group; the split comes afterwards."""
    good, defect = folder / "good", folder / "defect"
    if not good.is_dir():
        if defect.is_dir() and good_needed:
            raise ConfigError(f"{folder} has defect/ and no good/", expected="pictures of good parts in good/")
        good = good if defect.is_dir() else folder
    found = not good_needed and defect.is_dir()
    for path in _pictures_below(good, deep=good != folder):
        found = True
        name = path.relative_to(folder).as_posix()
        yield LabelledPicture(name=name, path=path, split="train", good=True, group=name)
    if not found:
        raise _nothing_in(good)
    masks = {path.relative_to(folder / "masks").with_suffix(""): path for path in _pictures_below(folder / "masks")}
    for path in _pictures_below(defect):
        inside, name = path.relative_to(defect), path.relative_to(folder).as_posix()
        yield LabelledPicture(
            name=name,
            path=path,
            split="train",
            good=False,
            class_name=inside.parts[0] if len(inside.parts) > 1 else "defect",
            mask=masks.pop(inside.with_suffix(""), None),
            group=name,
        )
    if masks:
        raise ConfigError(
            f"masks without a picture: {', '.join(sorted(map(str, masks.values()))[:_MAX_TOLD])}",
            expected="for each mask a picture of the same name below defect/",
            remedy="rename or remove them",
        )


def _nothing_in(folder: Path) -> ConfigError:
    """With what there is instead: people name their folders otherwise."""
    files = f"files ending in {', '.join(PICTURE_SUFFIXES)}"
    if inside := sorted(path.name for path in folder.iterdir() if path.is_dir()):
        return ConfigError(
            f"no picture in {folder} itself; it has the folders {', '.join(inside[:_MAX_TOLD])}",
            expected=f"{files}, good ones in good/ and bad ones in defect/<class>/, or a {SPLIT_FILE} that lists them",
            remedy="rename the folders, or write the list",
        )
    return ConfigError(f"no picture in {folder}", expected=files)


def _pictures_below(folder: Path, *, deep: bool = True) -> list[Path]:
    found = folder.rglob("*") if deep else folder.glob("*")
    return sorted(path for path in found if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file())


def _grouped(pictures: Sequence[LabelledPicture], order: SplitOrder) -> list[LabelledPicture]:
    """With their groups by the pattern; files of the same bytes share one."""
    try:
        pattern = re.compile(order.group_pattern)
    except re.error as error:
        raise ConfigError(f"group pattern '{order.group_pattern}': {error}", expected="a regular expression") from error
    groups: dict[str, str] = {}
    grouped = []
    for picture in pictures:
        group = picture.group
        if order.group_pattern:
            match = pattern.search(picture.path.name)
            if match is None:
                raise ConfigError(
                    f"{picture.name}: no match for the group pattern '{order.group_pattern}'",
                    expected="a pattern that every file name matches",
                )
            group = match[1] if pattern.groups else match[0]
        grouped.append(replace(picture, group=groups.setdefault(picture.sha256(), group)))
    return grouped


def _split(pictures: Sequence[LabelledPicture], order: SplitOrder) -> Iterator[LabelledPicture]:
    """Each group goes to one split; the groups of each class are dealt by themselves, so that none runs out of one."""
    if not 0 <= order.val_share + order.test_share < 1 or min(order.val_share, order.test_share) < 0:
        raise ConfigError(
            f"shares {order.val_share:g} for val and {order.test_share:g} for test", expected="less than 1 together"
        )
    class_of: dict[str, str] = {}
    for picture in pictures:
        # A group with a defect counts as one of defects.
        class_of[picture.group] = max(class_of.get(picture.group, ""), picture.class_name)
    splits: dict[str, Split] = {}
    for class_name in sorted(set(class_of.values())):
        groups = [group for group, known in class_of.items() if known == class_name]
        groups.sort(key=lambda group: hashlib.sha256(f"{order.seed} {group}".encode()).digest())
        test, val = (round(len(groups) * share) for share in (order.test_share, order.val_share))
        for place, group in enumerate(groups):
            splits[group] = "test" if place < test else "val" if place < test + val else "train"
    for picture in pictures:
        yield replace(picture, split=splits[picture.group])
