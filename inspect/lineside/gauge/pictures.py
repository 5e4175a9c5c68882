"""Measures by a recipe from picture files: FOLDER/<operator or placement>/<part>/<one file for each trial>."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lineside.core.errors import ConfigError, FrameError
from lineside.core.finding import Defect
from lineside.core.frame import Frame
from lineside.core.identity import Identity
from lineside.core.recipe import Recipe, ViewRecipe
from lineside.core.verdict import Outcome
from lineside.gauge.measurand import Measurand, Quantity, Reading, Seen, SeenFinding
from lineside.gauge.measurement import Measurement
from lineside.imaging.picture_file import decode_picture
from lineside.inspector import Inspector

__all__ = ["PictureGauge", "plan_of_folder"]

_ENDINGS = (".png", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg")


def plan_of_folder(folder: Path, *, measured: str) -> tuple[tuple[Measurement, ...], tuple[Path, ...]]:
    """A measurement for each picture, with its file: the trials of a part are its files in the order of their names.

    Raises: ConfigError where the folder has no such pictures.
    """
    found = []
    for operator in _folders(folder):
        for part in _folders(operator):
            files = sorted(file for file in part.iterdir() if file.suffix.lower() in _ENDINGS)
            found += [(operator.name, part.name, trial, file) for trial, file in enumerate(files, start=1)]
    if not found:
        raise ConfigError(
            f"{folder} holds no pictures of a study",
            expected="a folder for each operator or placement, in it one for each part, in it a picture for each trial",
        )
    rows = [
        Measurement(order=order, operator=operator, part=part, trial=trial, measured=measured)
        for order, (operator, part, trial, _) in enumerate(found, start=1)
    ]
    return tuple(rows), tuple(file for *_, file in found)


class PictureGauge:
    """The station's own inspector over files. All findings are told, also those within the limits."""

    def __init__(self, inspector: Inspector, recipe: Recipe, calibration: Identity, measurand: Measurand) -> None:
        """Raises: ConfigError for a recipe of several views: a picture shows one."""
        if len(recipe.views) != 1:
            raise ConfigError(
                f"recipe {recipe.identity.id} has the views {', '.join(recipe.views)}",
                expected="one view for a study from pictures",
                remedy="measure by a running station",
            )
        self._inspector = inspector
        self._recipe = recipe
        self._view: ViewRecipe = next(iter(recipe.views.values()))
        self._measurand = measurand
        identities = [recipe.identity, calibration, *inspector.models]
        self._judged_by = " ".join(f"{each.id}:{each.sha256[:12]}" for each in identities)
        self._files: dict[tuple[str, str, int], Path] = {}

    def open(self, rows: Sequence[Measurement], files: Sequence[Path]) -> None:
        """Which file each measurement is of."""
        self._files = {_key(row): file for row, file in zip(rows, files, strict=True)}

    def measure(self, wanted: Measurement) -> Reading:
        """Blocks. A picture that cannot be read, or a file that is gone, is a missing value with its reason.

        Raises: ConfigError as `Measurand.of`.
        """
        file = self._files.get(_key(wanted))
        if file is None:
            return Reading(value=None, note="no picture of it", judged_by=self._judged_by)
        try:
            frame = self._frame(file)
        except FrameError as error:
            return Reading(value=None, note=str(error), judged_by=self._judged_by)
        return self._measurand.of(self._seen(frame))

    def _frame(self, file: Path) -> Frame:
        try:
            data = np.frombuffer(file.read_bytes(), np.uint8)
        except OSError as error:
            raise FrameError(f"{file.name} cannot be read ({error.strerror})") from error
        if not data.size:
            raise FrameError(f"{file.name} is empty", expected="a picture")
        size_px = (self._view.width_px, self._view.height_px)
        pixels = decode_picture(data, self._view.pixel_format, size_px=size_px)
        return Frame(
            view=self._view.view,
            pixels=pixels,
            pixel_format=self._view.pixel_format,
            frame_id=0,
            captured_utc_ns=0,
            captured_mono_ns=0,
            camera_serial="",
        )

    def _seen(self, frame: Frame) -> Seen:
        view = self._view.view
        judgement = self._inspector.judge({view: frame})
        told = Seen(outcome=judgement.outcome, why=judgement.detail, judged_by=self._judged_by)
        if judgement.outcome is Outcome.NOT_INSPECTED:
            return told
        detections = {view: self._inspector.look(view, frame)}
        measured = [defect for limit in self._recipe.limits for defect in self._inspector.measured(limit, detections)]
        return replace(
            told,
            findings=[_finding(defect) for defect in measured],
            scores={each.view: each.score for each in judgement.view_scores},
        )


def _key(row: Measurement) -> tuple[str, str, int]:
    return row.operator, row.part, row.trial


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(each for each in folder.iterdir() if each.is_dir())
    except OSError as error:
        raise ConfigError(f"{folder} cannot be read ({error.strerror})", expected="a folder of pictures") from error


def _finding(defect: Defect) -> SeenFinding:
    found = defect.finding
    sizes: dict[str, float] = {
        Quantity.LENGTH_PX: found.length_px,
        Quantity.AREA_PX: found.area_px,
        Quantity.WIDTH_PX: found.box.width_px,
        Quantity.HEIGHT_PX: found.box.height_px,
    }
    if defect.length_mm is not None:
        sizes[Quantity.LENGTH_MM] = defect.length_mm
    if defect.area_mm2 is not None:
        sizes[Quantity.AREA_MM2] = defect.area_mm2
    return SeenFinding(
        view=defect.view, class_name=found.class_name, region=defect.region, limit=defect.limit, sizes=sizes
    )
