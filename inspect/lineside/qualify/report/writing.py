"""Writes a qualification: a page for people, and the same as JSON for programs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from lineside.core.errors import ConfigError
from lineside.page.template import environment
from lineside.qualify.document import Qualification
from lineside.qualify.judging import Judge
from lineside.qualify.picture import LabelledPicture
from lineside.qualify.report import charts, grid
from lineside.qualify.report.pictures import Card, card_of
from lineside.statistics.proportions import parts_to_show
from lineside.statistics.wording import figure, percent

__all__ = ["write_qualification"]

_SHOWN_RATES = (0.001, 0.01, 0.05)
_NOTHING = "\N{EN DASH}"


def write_qualification(
    out: Path, document: Qualification, judge: Judge, pictures: Sequence[LabelledPicture]
) -> tuple[Path, Path]:
    """Writes `out` (.html) and the JSON beside it, each whole or not at all, and returns both paths.

    Blocks: the worst parts are judged again for their heat maps. Raises: ConfigError where nothing can be written.
    """
    by_name = {each.name: each for each in pictures}
    writer = environment("lineside.qualify.report")
    writer.filters |= {"figures": _figures, "share": _share, "three": _three, "ms": lambda value: f"{value:.1f}"}
    page = writer.get_template("page.html.j2").render(
        document=document,
        escapes=_cards(document, document.worst_escapes, judge, by_name),
        overkills=_cards(document, document.worst_overkill, judge, by_name),
        charts=charts,
        grid=grid,
        needed=[(rate, parts_to_show(rate, confidence=document.confidence)) for rate in _SHOWN_RATES],
    )
    _write(out, page)
    _write(out.with_suffix(".json"), document.to_json())
    return out, out.with_suffix(".json")


def _cards(
    document: Qualification, names: Sequence[str], judge: Judge, by_name: Mapping[str, LabelledPicture]
) -> list[Card]:
    results = {each.name: each for each in document.pictures}
    return [
        card_of(
            judge,
            by_name[name],
            outcome=results[name].outcome,
            score=results[name].score,
            why=results[name].why,
        )
        for name in names
    ]


def _figures(value: float | None, count: int = 3) -> str:
    return _NOTHING if value is None else figure(value, figures=count)


def _share(value: float | None) -> str:
    return _NOTHING if value is None else percent(value)


def _three(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.3f}"


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise ConfigError(f"{path} cannot be written ({error.strerror})", expected="a folder to write to") from error
