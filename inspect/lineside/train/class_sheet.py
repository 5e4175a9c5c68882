"""What was taken for what, as a picture for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["CONFUSION_RECORD", "confusion_of", "confusion_picture", "encoded_confusion"]

CONFUSION_RECORD: Final = "training/confusion.png"
"""Where the picture lies in a package."""

_CELL_PX: Final = 64
_NAME_PX: Final = 300
_HEAD_PX: Final = 210
_FOOT_PX: Final = 40
_PAPER, _INK, _WHITE = (250, 250, 250), (40, 40, 40), (255, 255, 255)
_RIGHT, _WRONG = (90, 150, 60), (60, 70, 200)
_DARK: Final = 0.55
_LONGEST_NAME: Final = 34

Counts = NDArray[np.intp]


def confusion_of(truth: Sequence[int], told: Sequence[int], classes: int) -> Counts:
    """(classes, classes): how many pictures of the class of the row were taken for that of the column."""
    counts = np.zeros((classes, classes), np.intp)
    np.add.at(counts, (np.asarray(truth, np.intp), np.asarray(told, np.intp)), 1)
    return counts


def confusion_picture(counts: Counts, classes: Sequence[str]) -> NDArray[np.uint8]:
    """BGR: rows are what people say, columns what the network says; green is right, red is wrong."""
    side = len(classes) * _CELL_PX
    sheet = np.full((_HEAD_PX + side + _FOOT_PX, _NAME_PX + side + _CELL_PX, 3), _PAPER, np.uint8)
    head = np.full((side, _HEAD_PX, 3), _PAPER, np.uint8)  # written lying, then stood up
    for index, name in enumerate(classes):
        middle = index * _CELL_PX + _CELL_PX // 2 + 5
        _write(sheet, _short(name), (12, _HEAD_PX + middle))
        _write(head, _short(name), (6, middle), 0.42)
    sheet[:_HEAD_PX, _NAME_PX : _NAME_PX + side] = _stood_up(head)
    _write(sheet, "people say (rows)", (12, _HEAD_PX - 32))
    _write(sheet, "the network says (columns)", (12, _HEAD_PX - 12))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for row in range(len(classes)):
        for column in range(len(classes)):
            _draw_cell(sheet, (row, column), int(counts[row, column]), float(shares[row, column]))
    total, right = int(counts.sum()), int(np.trace(counts))
    _write(sheet, f"{right} of {total} pictures told rightly", (12, _HEAD_PX + side + 26))
    return sheet


def encoded_confusion(counts: Counts, classes: Sequence[str]) -> bytes:
    """The picture as a PNG file."""
    return bytes(cv2.imencode(".png", confusion_picture(counts, classes))[1].tobytes())


def _draw_cell(sheet: NDArray[np.uint8], at: tuple[int, int], count: int, share: float) -> None:
    top, left = _HEAD_PX + at[0] * _CELL_PX, _NAME_PX + at[1] * _CELL_PX
    strength = share if at[0] == at[1] else min(1.0, 2 * share + 0.15 * (count > 0))
    colour = np.array(_RIGHT if at[0] == at[1] else _WRONG)
    shade = np.array(_WHITE) + strength * (colour - np.array(_WHITE))
    corners = (left + 1, top + 1), (left + _CELL_PX - 2, top + _CELL_PX - 2)
    cv2.rectangle(sheet, *corners, [float(each) for each in shade], -1)
    if count:
        text, ink = str(count), _WHITE if strength > _DARK else _INK
        (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 1)
        place = (left + (_CELL_PX - width) // 2, top + (_CELL_PX + height) // 2)
        cv2.putText(sheet, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, ink, 1, cv2.LINE_AA)


def _stood_up(head: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Text that is read from below, its lines from left to right."""
    return np.asarray(cv2.rotate(head, cv2.ROTATE_90_COUNTERCLOCKWISE), np.uint8)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 2]}.."


def _write(sheet: NDArray[np.uint8], text: str, place: tuple[int, int], size: float = 0.45) -> None:
    cv2.putText(sheet, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, _INK, 1, cv2.LINE_AA)
