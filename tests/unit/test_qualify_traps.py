"""What gives the label away without the part is told; what is chance is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lineside.core.frame import Frame
from lineside.core.pixel_format import PixelFormat
from lineside.core.verdict import Outcome
from lineside.qualify.document import Trap
from lineside.qualify.picture import Judged
from lineside.qualify.traps import Clues, clues_of, traps_of

REAL = Path(__file__).parents[3] / "shared" / "data"


def frame(pixels: NDArray[np.uint8]) -> Frame:
    return Frame(
        view="top",
        pixels=pixels,
        pixel_format=PixelFormat.MONO8 if pixels.ndim == 2 else PixelFormat.BGR8,
        frame_id=0,
        captured_utc_ns=0,
        captured_mono_ns=0,
        camera_serial="",
    )


def judged(name: str, *, good: bool, group: str = "") -> Judged:
    return Judged(
        name=name,
        group=group or name,
        good=good,
        class_name="",
        sha256="",
        outcome=Outcome.PASS,
        detail="",
        score=0.0,
        decode_ns=0,
        infer_ns=0,
        inspect_ns=0,
    )


def told(
    make: Callable[[np.random.Generator, bool], tuple[NDArray[np.uint8], int, str]], count: int = 40
) -> dict[str, Trap]:
    """Traps of `count` pictures, every second one good. `make` gives pixels, bytes of the file and its name."""
    rng = np.random.default_rng(1)
    parts, clues = [], {}
    for index in range(count):
        good = index % 2 == 0
        pixels, file_bytes, name = make(rng, good)
        parts.append(judged(f"{index} {name}", good=good))
        clues[parts[-1].name] = clues_of(frame(pixels), file_bytes, name)
    return {trap.name: trap for trap in traps_of(parts, clues, 0.95)}


def grey(rng: np.random.Generator) -> NDArray[np.uint8]:
    return np.asarray(rng.normal(100, 20, (64, 96)).clip(0, 255), np.uint8)


def test_a_border_that_knows_the_label_is_told() -> None:
    def make(rng: np.random.Generator, good: bool) -> tuple[NDArray[np.uint8], int, str]:
        pixels = grey(rng)
        if not good:
            pixels[:3] = pixels[-3:] = 115  # bad parts were photographed on another table
        return pixels, 1000, "a.png"

    traps = told(make)
    assert traps["border"].told
    assert traps["border"].auroc is not None and traps["border"].auroc.value > 0.9
    assert "outer 5 % of the picture alone tells good from bad: AUROC" in traps["border"].words
    assert not traps["file size"].told


def test_the_size_of_files_and_their_order_are_told() -> None:
    clock = iter(range(10_000))

    def make(rng: np.random.Generator, good: bool) -> tuple[NDArray[np.uint8], int, str]:
        day = 20260101 if good else 20260102
        return grey(rng), int(rng.normal(1000 if good else 1100, 30)), f"{day}{next(clock):06}_7.png"

    traps = told(make)
    assert traps["file size"].told and traps["order"].told
    assert not traps["border"].told and not traps["brightness"].told


def test_a_lamp_that_knows_the_label_is_told() -> None:
    def make(rng: np.random.Generator, good: bool) -> tuple[NDArray[np.uint8], int, str]:
        return np.asarray((grey(rng) * (1.0 if good else 0.9)).clip(0, 255), np.uint8), 1000, "a.png"

    assert told(make)["brightness"].told


@pytest.mark.parametrize("count", [20, 60])
def test_chance_alone_is_hardly_ever_told(count: int) -> None:
    """Five suspects at 99 % each: at most some 5 % of such sets."""
    rng, sets, alarms = np.random.default_rng(2), 100, 0
    for _ in range(sets):
        parts = [judged(str(index), good=index % 2 == 0) for index in range(count)]
        clues = {
            each.name: Clues(
                border=rng.normal(size=8),
                border_brightness=rng.normal(),
                brightness=rng.normal(),
                file_bytes=rng.normal(),
                order=rng.normal(),
            )
            for each in parts
        }
        alarms += any(trap.told for trap in traps_of(parts, clues, 0.95))

    assert alarms <= 10


def test_names_without_numbers_have_no_order_and_two_parts_no_traps() -> None:
    assert clues_of(frame(np.zeros((8, 8), np.uint8)), 1, "good7/part.png").order is None
    assert traps_of([], {}, 0.95) == ()


@pytest.mark.parametrize(("data", "least"), [("cookie", 0.9), ("ballscrew", 0.85)])
def test_the_border_of_real_pictures_that_is_known_to_tell_is_found(data: str, least: float) -> None:
    if not (REAL / data).is_dir():
        pytest.skip(f"needs the real pictures in {REAL / data}")
    from lineside.train.dataset import read_dataset

    parts, clues = [], {}
    for each in read_dataset(REAL / data).of("test"):
        pixels = cv2.imread(str(each.path))
        parts.append(judged(each.name, good=each.good, group=each.group))
        clues[each.name] = clues_of(frame(np.asarray(pixels, np.uint8)), each.path.stat().st_size, each.name)
    (border,) = (trap for trap in traps_of(parts, clues, 0.95) if trap.name == "border")

    assert border.told
    assert border.auroc is not None and border.auroc.value > least
