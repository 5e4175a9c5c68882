"""Golden parts: pictures of agreed truth that an inspector must judge rightly before it may judge the line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lineside.core.errors import ConfigError
from lineside.core.image_in import ImageIn
from lineside.core.recipe import Recipe
from lineside.core.verdict import Judgement, Outcome

__all__ = ["GoldenPart", "read_golden_parts", "wrongly_judged"]

_PICTURES = {".png", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg"}


@dataclass(frozen=True, kw_only=True, slots=True)
class GoldenPart:
    """One part of agreed truth. `files` is a picture for each view of the recipe."""

    name: str
    good: bool
    files: Mapping[str, Path]

    def images(self, recipe: Recipe) -> list[ImageIn]:
        """Its pictures as the recipe wants them. Blocks on the disk. Raises: OSError."""
        return [
            ImageIn(data=path.read_bytes(), pixel_format=recipe.views[view].pixel_format, encoded=True, view=view)
            for view, path in self.files.items()
        ]


def read_golden_parts(folder: Path, recipe: Recipe) -> tuple[GoldenPart, ...]:
    """The golden parts in `folder/good` and `folder/bad`, bad ones first; none where the folder does not exist.

    With one view each picture is a part; with several, each sub-folder is one, with a picture named as each view.
    Raises: ConfigError when a part lacks a view, or when the folder holds none.
    """
    parts: list[GoldenPart] = []
    for truth in ("bad", "good"):
        shelf = folder / truth
        for entry in sorted(shelf.iterdir()) if shelf.is_dir() else ():
            if len(recipe.views) == 1 and entry.suffix.lower() in _PICTURES:
                files = {next(iter(recipe.views)): entry}
            elif len(recipe.views) > 1 and entry.is_dir():
                files = {path.stem: path for path in sorted(entry.iterdir()) if path.suffix.lower() in _PICTURES}
            else:
                continue
            if set(files) != set(recipe.views):
                raise ConfigError(
                    f"golden part {entry} has pictures of {', '.join(sorted(files)) or 'nothing'}",
                    expected=f"one named as each view of {recipe.identity.id}: {', '.join(sorted(recipe.views))}",
                    remedy="add or rename the pictures",
                )
            parts.append(GoldenPart(name=f"{truth}/{entry.name}", good=truth == "good", files=files))
    if folder.is_dir() and not parts:
        one = len(recipe.views) == 1
        raise ConfigError(
            f"{folder} holds no golden part of recipe {recipe.identity.id}",
            expected=f"{'pictures' if one else 'a folder of pictures for each part'} in good/ and bad/",
            remedy="put them there, or remove the folder",
        )
    return tuple(parts)


def wrongly_judged(judged: Sequence[tuple[GoldenPart, Judgement]]) -> list[str]:
    """One sentence for each golden part that did not get the outcome it must have."""
    return [
        f"golden part {part.name} was judged {judgement.summary}"
        for part, judgement in judged
        if judgement.outcome is not (Outcome.PASS if part.good else Outcome.FAIL)
    ]
