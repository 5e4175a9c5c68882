"""Where a frame lies in the graph's input, and the way back from there into frame pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineside.core.finding import Box, ScoreMap

__all__ = ["Placement"]


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
