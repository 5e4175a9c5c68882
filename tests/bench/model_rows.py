"""Rows of `bench_models` as tables in Markdown: the mean over the seeds, and between which values they lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Row = dict[str, Any]

_DETECTORS = (
    "pictures, trainer", "seeds", "good + bad", "AUROC", "AP", "best F1", "pixel AUROC", "pixel F1",
    "escapes at 1 % overkill",
    "at 5 %", "as set: escapes", "overkill", "not inspected", "ms", "MB", "trained in s",
)  # fmt: skip
_CLASSIFIERS = ("pictures, trainer", "seeds", "pictures", "accuracy", "mean over classes", "ms", "MB", "trained in s")


def markdown(rows: Sequence[Row]) -> str:
    """Two tables; the second for classifiers."""
    parts = []
    for heading, cells, kind in ((_DETECTORS, _detector, "auroc"), (_CLASSIFIERS, _classifier, "accuracy")):
        of_kind = [row for row in rows if kind in row]
        names = list(dict.fromkeys(row["case"] for row in of_kind))
        lines = [cells([row for row in of_kind if row["case"] == name]) for name in names]
        if lines:
            parts.append("\n".join([_line(*heading), "|" + "---|" * len(heading), *lines]))
    return "\n\n".join(parts) or "nothing measured yet"


def _detector(rows: Sequence[Row]) -> str:
    first = rows[0]
    return _line(
        first["case"].replace("-", ", "),
        ", ".join(str(row["seed"]) for row in rows),
        f"{first['good']} + {first['bad']}",
        _over(rows, lambda row: row["auroc"], 3),
        _over(rows, lambda row: row["average_precision"], 3),
        _over(rows, lambda row: row["image_f1"], 2),
        _over(rows, lambda row: row["pixel_auroc"], 3),
        _over(rows, lambda row: row["pixel_f1"], 2),
        _over(rows, lambda row: row["escapes_at"]["0.01"], 2),
        _over(rows, lambda row: row["escapes_at"]["0.05"], 2),
        _over(rows, lambda row: row["escapes"], 2),
        _over(rows, lambda row: row["overkill"], 2),
        _over(rows, lambda row: float(row["not_inspected"]), 0),
        *_sizes(rows),
    )


def _classifier(rows: Sequence[Row]) -> str:
    return _line(
        rows[0]["case"].replace("-", ", "),
        ", ".join(str(row["seed"]) for row in rows),
        str(rows[0]["pictures"]),
        _over(rows, lambda row: row["accuracy"], 3),
        _over(rows, lambda row: row["class_accuracy"], 3),
        *_sizes(rows),
    )


def _sizes(rows: Sequence[Row]) -> tuple[str, ...]:
    return (
        f"{min(row['frame_ms'] for row in rows):.0f}",
        f"{rows[0]['graph_mb']:.1f}",
        _over(rows, lambda row: row["trained_s"], 0),
    )


def _over(rows: Sequence[Row], value: Callable[[Row], float | None], digits: int) -> str:
    values = [found for row in rows if (found := value(row)) is not None]
    if not values:
        return "none"
    low, high = min(values), max(values)
    mean = f"{sum(values) / len(values):.{digits}f}"
    apart = f"{low:.{digits}f}" != f"{high:.{digits}f}"
    return f"{mean} ({low:.{digits}f} to {high:.{digits}f})" if apart else mean


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
