"""Where a frame lies in the graph's input, and the way back from there into frame pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lineside.core.finding import Box, ScoreMap
from lineside.imaging.pose import Grid, Pose

__all__ = ["LocatedPlacement", "Placement"]

_EDGE_POINTS: Final = 9
"""Points of a box each way, to find where it lies when it is bent around a round part."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Where a frame of `frame_width_px` x `frame_height_px` lies in an input of `width_px` x `height_px`.

    It fills `content_width_px` x `content_height_px` from (`left_px`, `top_px`) on, all in pixels of the input; around
    it is padding. Coordinates are of edges: x = 0 is the left edge of the first pixel, in the frame as in the input.
    """

    frame_width_px: int
    frame_height_px: int
    width_px: int
    height_px: int
    left_px: int
    top_px: int
    content_width_px: int
    content_height_px: int

    @property
    def step_x(self) -> float:
        """Frame pixels per input pixel, across."""
        return self.frame_width_px / self.content_width_px

    @property
    def step_y(self) -> float:
        """Frame pixels per input pixel, down."""
        return self.frame_height_px / self.content_height_px

    @property
    def whole_frame(self) -> Box:
        return Box(x_px=0.0, y_px=0.0, width_px=float(self.frame_width_px), height_px=float(self.frame_height_px))

    def box(self, x1: float, y1: float, x2: float, y2: float) -> Box:
        """The box between two corners in input pixels, in frame pixels, cut at the frame's edge but never dropped."""
        left, right = (min(max((x - self.left_px) * self.step_x, 0.0), float(self.frame_width_px)) for x in (x1, x2))
        top, bottom = (min(max((y - self.top_px) * self.step_y, 0.0), float(self.frame_height_px)) for y in (y1, y2))
        return Box(x_px=left, y_px=top, width_px=right - left, height_px=bottom - top)

    def points(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """`points` (n, 2), x and y in input pixels, in frame pixels, cut at the frame's edge."""
        placed = (points - (self.left_px, self.top_px)) * (self.step_x, self.step_y)
        return np.clip(placed, 0.0, (self.frame_width_px, self.frame_height_px))

    def score_map(self, class_name: str, values: NDArray[np.float32]) -> ScoreMap:
        """`values` (h, w) over the whole input as a map over the frame: without the cells that see padding only."""
        cell_x, cell_y = self.width_px / values.shape[1], self.height_px / values.shape[0]
        first_column, first_row = math.floor(self.left_px / cell_x), math.floor(self.top_px / cell_y)
        columns = slice(first_column, math.ceil((self.left_px + self.content_width_px) / cell_x))
        rows = slice(first_row, math.ceil((self.top_px + self.content_height_px) / cell_y))
        return ScoreMap(
            class_name=class_name,
            values=np.ascontiguousarray(values[rows, columns]),
            left_px=(first_column * cell_x - self.left_px) * self.step_x,
            top_px=(first_row * cell_y - self.top_px) * self.step_y,
            step_x_px=cell_x * self.step_x,
            step_y_px=cell_y * self.step_y,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class LocatedPlacement(Placement):
    """Where a located part lies in the input, and where in the frame of a camera.

    The base's frame is the picture of the located part; `pose` leads from there into the camera's frame, and all
    answers are in pixels of that one.
    """

    camera_width_px: int
    camera_height_px: int
    pose: Pose

    @property
    def whole_frame(self) -> Box:
        return Box(x_px=0.0, y_px=0.0, width_px=float(self.camera_width_px), height_px=float(self.camera_height_px))

    def box(self, x1: float, y1: float, x2: float, y2: float) -> Box:
        """The upright box around the turned or bent one, cut at the frame's edge but never dropped."""
        part = Placement.box(self, x1, y1, x2, y2)
        across, down = (np.linspace(0, side, _EDGE_POINTS) for side in (part.width_px, part.height_px))
        x, y = (each.ravel() for each in np.meshgrid(part.x_px + across, part.y_px + down))
        placed = self.pose.in_frame(np.column_stack([x, y]))
        (left, top), (right, bottom) = (
            np.clip(edge, 0, (self.camera_width_px, self.camera_height_px))
            for edge in (placed.min(axis=0), placed.max(axis=0))
        )
        return Box(x_px=float(left), y_px=float(top), width_px=float(right - left), height_px=float(bottom - top))

    def points(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turned or bent back with the part, cut at the frame's edge."""
        placed = self.pose.in_frame(Placement.points(self, points))
        return np.clip(placed, 0.0, (self.camera_width_px, self.camera_height_px))

    def score_map(self, class_name: str, values: NDArray[np.float32]) -> ScoreMap:
        """`values` (h, w) over the whole input, turned back over the camera's frame; 0 where the part is not.

        Its grid is about as fine as the map's own, so that areas and lengths are those in the frame.
        """
        part = Placement.score_map(self, class_name, values)
        columns, rows = (
            max(1, round(side / step))
            for side, step in ((self.camera_width_px, part.step_x_px), (self.camera_height_px, part.step_y_px))
        )
        step_x, step_y = self.camera_width_px / columns, self.camera_height_px / rows
        turned = self.pose.over_frame(
            part.values,
            Grid(left_px=part.left_px, top_px=part.top_px, step_x_px=part.step_x_px, step_y_px=part.step_y_px),
            Grid(left_px=0.0, top_px=0.0, step_x_px=step_x, step_y_px=step_y),
            (columns, rows),
        )
        return ScoreMap(
            class_name=class_name, values=np.asarray(turned, np.float32), step_x_px=step_x, step_y_px=step_y
        )
