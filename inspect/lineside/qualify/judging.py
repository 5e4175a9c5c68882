"""One picture after the other through the station's own inspector, with what the model saw beside the judgement."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.cameras.fit import Fit, fitted
from lineside.cameras.pixels import to_house
from lineside.core.calibration import Calibration
from lineside.core.errors import ConfigError, FrameError
from lineside.core.finding import Detection
from lineside.core.frame import Frame
from lineside.core.identity import Identity
from lineside.core.pixel_format import PixelFormat
from lineside.core.recipe import ANY, Recipe, ViewRecipe
from lineside.core.verdict import Outcome
from lineside.imaging.blobs import highest_score
from lineside.imaging.picture_file import as_declared, decode_pixels
from lineside.imaging.regions import RegionMasks
from lineside.inspector import Inspector
from lineside.qualify.picture import Looked

__all__ = ["Judge", "JudgeOrder", "ReadPicture", "of_one_view"]

_SIZES_KEPT: Final = 16
"""Sizes of picture for which an inspector is kept: a folder may mix a few."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeOrder:
    """Who judges, and what picture files are declared to be.

    `recipe` has one view. With `any_size` it stands for a package alone, which takes frames of any size. `files_hold`
    is what the files are where that is not what the recipe wants; `fit` what becomes of pictures of another size.
    """

    label: str
    recipe: Recipe
    calibration: Calibration
    any_size: bool = False
    files_hold: PixelFormat | None = None
    fit: Fit = "refuse"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ReadPicture:
    """A frame as the inspector gets it, its file's size, and how long decoding took."""

    frame: Frame
    file_bytes: int
    decode_ns: int
    stored_px: tuple[int, int]


class Judge:
    """Judges single pictures by one recipe. Used by one thread."""

    def __init__(self, order: JudgeOrder, inspector: Inspector) -> None:
        """`inspector` is that of the order's recipe, opened."""
        self.order = order
        ((self._name, self.view),) = order.recipe.views.items()
        self._detector = inspector.detectors[self._name]
        self._inspectors: dict[tuple[int, int], tuple[Inspector, RegionMasks]] = {}

    @property
    def model(self) -> Identity:
        """The package that looks."""
        return self._detector.identity

    @property
    def provider(self) -> str:
        """What runs it."""
        return self._detector.provider

    @property
    def threshold(self) -> float:
        """The package's own."""
        return self._detector.threshold

    @property
    def decides_by_score(self) -> bool:
        """Whether the threshold alone decides: every limit looks everywhere at any finding, and allows none."""
        return all(
            limit.class_name == ANY
            and limit.region == ANY
            and limit.min_score in (None, self.threshold)
            and not limit.has_size
            and not limit.max_count
            for limit in self.order.recipe.limits
        )

    def read(self, path: Path) -> ReadPicture:
        """The picture as the station would see it. Raises: FrameError for what is not as declared."""
        begun_ns = time.perf_counter_ns()
        try:
            data = np.fromfile(path, np.uint8)
        except OSError as error:
            raise FrameError(f"cannot be read ({error.strerror})", expected="a picture file") from error
        stored = decode_pixels(data)
        wanted, held = self.view.pixel_format, self.order.files_hold
        if held is None:
            pixels = as_declared(stored, wanted)
        else:  # a file's own order of colours is the decoder's affair
            pixels = to_house(stored, PixelFormat.BGR8 if held is PixelFormat.RGB8 else held, wanted)
        if not self.order.any_size or self.order.fit != "refuse":
            pixels = fitted(pixels, (self.view.width_px, self.view.height_px), self.order.fit)
        return ReadPicture(
            frame=self.frame_of(pixels),
            file_bytes=data.size,
            decode_ns=time.perf_counter_ns() - begun_ns,
            stored_px=(stored.shape[1], stored.shape[0]),
        )

    def mask(self, path: Path, stored_px: tuple[int, int]) -> NDArray[np.bool_]:
        """Where the defect is, (h, w) in pixels of the frame; a mask has its picture's own size. Raises: FrameError."""
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if mask is None:
            raise FrameError(f"mask {path.name} cannot be read", expected="an 8-bit PNG")
        if mask.shape != (stored_px[1], stored_px[0]):
            raise FrameError(
                f"mask {path.name} has {mask.shape[1]} x {mask.shape[0]} px",
                expected=f"the picture's {stored_px[0]} x {stored_px[1]} px",
            )
        if not self.order.any_size or self.order.fit != "refuse":
            mask = fitted(mask, (self.view.width_px, self.view.height_px), self.order.fit)
        return np.asarray(mask > 127)

    def frame_of(self, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> Frame:
        """Pixels in the view's format as a frame of it."""
        return Frame(
            view=self._name,
            pixels=pixels,
            pixel_format=self.view.pixel_format,
            frame_id=0,
            captured_utc_ns=0,
            captured_mono_ns=0,
            camera_serial="",
        )

    def look(self, frame: Frame) -> Looked:
        """What the station would say of a part that looks like this. Blocks."""
        inspector, regions = self._inspector_for((frame.width_px, frame.height_px))
        seen = inspector.see({self._name: frame})
        judgement = inspector.decide(seen)
        detection = None if judgement.outcome is Outcome.NOT_INSPECTED else seen.detections[self._name]
        score = float("inf") if detection is None else _score(detection, regions)
        return Looked(frame=frame, judgement=judgement, detection=detection, score=score)

    def _inspector_for(self, size_px: tuple[int, int]) -> tuple[Inspector, RegionMasks]:
        recipe = self.order.recipe
        if not self.order.any_size:
            size_px = (self.view.width_px, self.view.height_px)
        if size_px not in self._inspectors:
            if len(self._inspectors) >= _SIZES_KEPT:
                self._inspectors.pop(next(iter(self._inspectors)))
            view = _of_size(self.view, size_px)
            sized = replace(recipe, views={self._name: view})
            inspector = Inspector(sized, self.order.calibration, {self._name: self._detector})
            self._inspectors[size_px] = (inspector, RegionMasks(view))
        return self._inspectors[size_px]


def of_one_view(recipe: Recipe, view: str) -> Recipe:
    """The recipe as it holds for one view: a picture shows no more. "" is the only one that there is.

    Raises: ConfigError where that is none, or one of several.
    """
    chosen = view or (next(iter(recipe.views)) if len(recipe.views) == 1 else "")
    if chosen not in recipe.views:
        raise ConfigError(
            f"recipe {recipe.identity.id} has the views {', '.join(recipe.views)}" + (f", not {view}" if view else ""),
            expected="one of them: a picture shows one",
            remedy="name it with --view, and qualify the others with their own pictures",
        )
    kept = recipe.views[chosen]
    regions = {ANY, *(region.name for region in kept.regions)}
    limits = tuple(each for each in recipe.limits if each.view in (ANY, chosen) and each.region in regions)
    return replace(recipe, views={chosen: kept}, limits=limits)


def _of_size(view: ViewRecipe, size_px: tuple[int, int]) -> ViewRecipe:
    return replace(view, width_px=size_px[0], height_px=size_px[1])


def _score(detection: Detection, regions: RegionMasks) -> float:
    """The highest score of what any limit could look at; the model's own score may be another, and decides nothing."""
    inside = [finding.score for finding in detection.findings if regions.hold(ANY, finding)]
    inside += [highest_score(each, regions.on_map(ANY, each)) for each in detection.maps]
    return max(inside, default=0.0)
