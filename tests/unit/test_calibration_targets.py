"""Targets are printed to scale: the files are measured, not trusted."""

import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pypdfium2
import pytest
from numpy.typing import NDArray

from lineside.calibrate.sheet import MARKER_SHARE, marker_dictionary, sheet_of
from lineside.calibrate.sheet_pdf import pdf_of
from lineside.calibrate.sheet_png import pixels_of, png_of
from lineside.calibrate.target import PAPERS_MM, Paper, Target, TargetKind, default_target, read_target
from lineside.cli import app
from lineside.core.errors import ConfigError

PX_PER_MM = 10.0
"""Whole pixels for every paper here: PDFium stretches a page to a whole number of them."""


def from_pdf(target: Target) -> NDArray[np.uint8]:
    document = pypdfium2.PdfDocument(pdf_of(sheet_of(target)))
    try:
        picture = document[0].render(scale=PX_PER_MM * 25.4 / 72 * (1 - 1e-6)).to_numpy()
        return np.ascontiguousarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    finally:
        document.close()


def from_pixels(target: Target) -> NDArray[np.uint8]:
    return pixels_of(sheet_of(target), PX_PER_MM)


def edges_mm(line: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Places in mm where a line of pixels turns from white to black or back, to a fraction of a pixel."""
    dark = line < 128
    before = np.flatnonzero(dark[1:] != dark[:-1])
    first, second = line[before].astype(float), line[before + 1].astype(float)
    return (before + 0.5 + (first - 127.5) / (first - second)) / PX_PER_MM


@pytest.mark.parametrize("drawn", [from_pdf, from_pixels])
@pytest.mark.parametrize("paper", ["a5", "letter"])
def test_a_checkerboard_measures_what_it_says(paper: Paper, drawn: Callable[[Target], NDArray[np.uint8]]) -> None:
    target = default_target(id="t", kind="checkerboard", paper=paper)
    sheet, picture = sheet_of(target), drawn(target)
    x_mm, y_mm = sheet.pattern_at_mm
    pitch, (width_mm, height_mm) = target.table.pitch_mm, target.size_mm

    assert np.allclose(np.array(picture.shape[::-1]) / PX_PER_MM, PAPERS_MM[paper], atol=1 / PX_PER_MM)
    row = picture[round((y_mm + pitch / 2) * PX_PER_MM), round((x_mm - 3) * PX_PER_MM) :]
    across = edges_mm(row) + round((x_mm - 3) * PX_PER_MM) / PX_PER_MM
    assert np.allclose(across, x_mm + np.arange(len(across)) * pitch, atol=0.02)
    assert len(across) in (target.table.columns, target.table.columns + 1)
    ruler_y = y_mm + height_mm + 6.7
    ticks = edges_mm(picture[round(ruler_y * PX_PER_MM)]).reshape(-1, 2).mean(axis=1)
    assert np.allclose(ticks, x_mm + np.arange(target.rulers_mm[0] + 1), atol=0.04)
    ticks = edges_mm(picture[:, round((x_mm - 6.7) * PX_PER_MM)]).reshape(-1, 2).mean(axis=1)
    assert np.allclose(ticks, y_mm + np.arange(target.rulers_mm[1] + 1), atol=0.04)
    assert width_mm >= target.rulers_mm[0]


@pytest.mark.parametrize("drawn", [from_pdf, from_pixels])
def test_the_board_of_opencv_is_found_where_the_target_says(drawn: Callable[[Target], NDArray[np.uint8]]) -> None:
    target = default_target(id="t", kind="charuco", paper="a5", revision=3)
    table, x_mm = target.table, np.array(sheet_of(target).pattern_at_mm)
    markers = np.arange(table.first_marker, table.first_marker + table.columns * table.rows // 2)
    board = cv2.aruco.CharucoBoard(
        (table.columns, table.rows), table.pitch_mm, table.pitch_mm * MARKER_SHARE, marker_dictionary(), markers
    )

    corners, ids, _, _ = cv2.aruco.CharucoDetector(board).detectBoard(drawn(target))

    assert np.array_equal(ids.ravel(), np.arange(len(target.points_mm)))
    assert np.allclose((corners.reshape(-1, 2) + 0.5) / PX_PER_MM, target.points_mm + x_mm, atol=0.03)


@pytest.mark.parametrize("drawn", [from_pdf, from_pixels])
def test_dots_lie_where_the_target_says(drawn: Callable[[Target], NDArray[np.uint8]]) -> None:
    target = default_target(id="t", kind="dots", paper="a5")
    picture = drawn(target)
    places = (target.points_mm + sheet_of(target).pattern_at_mm) * PX_PER_MM - 0.5

    for x, y in places[:: len(places) // 7]:
        left, top = int(x) - 34, int(y) - 34
        ink = 255.0 - picture[top : top + 69, left : left + 69]
        rows, columns = np.mgrid[:69, :69]
        centre = (left + (ink * columns).sum() / ink.sum(), top + (ink * rows).sum() / ink.sum())
        assert np.allclose(centre, (x, y), atol=0.1)
        assert np.isclose(ink.sum() / 255, np.pi * (target.table.pitch_mm / 4 * PX_PER_MM) ** 2, rtol=0.01)


@pytest.mark.parametrize("kind", ["charuco", "checkerboard", "dots"])
def test_id_and_revision_stand_in_the_picture(kind: TargetKind) -> None:
    target = default_target(id="press-4", kind=kind, paper="a4", revision=7)

    corner = from_pixels(target)[: round(28 * PX_PER_MM), -round(50 * PX_PER_MM) :]
    text, _, _ = cv2.QRCodeDetector().detectAndDecode(corner)

    assert text == f"lineside target press-4 revision 7 {target.identity.sha256[:16]}"
    assert any("press-4 revision 7" in line.text for line in sheet_of(target).texts)


def test_a_png_states_its_scale() -> None:
    data = png_of(sheet_of(default_target(id="t", kind="dots", paper="a5")), 300)

    at = data.index(b"pHYs") + 4
    assert struct.unpack(">IIB", data[at : at + 9]) == (11811, 11811, 1)
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE).shape == (1748, 2480)


def test_the_same_target_is_the_same_pdf_and_asks_not_to_be_scaled() -> None:
    target = default_target(id="t", kind="charuco", paper="a3")

    assert pdf_of(sheet_of(target)) == pdf_of(sheet_of(target))
    assert b"/PrintScaling /None" in pdf_of(sheet_of(target))


def test_the_command_writes_what_can_be_read_again_and_replaces_nothing(tmp_path: Path) -> None:
    words = ["calibrate", "target", "press-4", "--paper", "a5", "--dpi", "72", "-o", str(tmp_path)]
    app("calibrate")(words, standalone_mode=False)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["press-4.pdf", "press-4.png", "press-4.toml"]
    assert (
        read_target(tmp_path / "press-4.toml").identity
        == default_target(id="press-4", kind="charuco", paper="a5").identity
    )
    with pytest.raises(ConfigError, match="exists"):
        app("calibrate")(words, standalone_mode=False)


@pytest.mark.parametrize(("pitch_mm", "word"), [(100.0, "Input should be"), (1.0, "codes below|markers")])
def test_a_target_that_cannot_be_is_refused(pitch_mm: float, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        default_target(id="t", kind="charuco", paper="a5", pitch_mm=pitch_mm)
