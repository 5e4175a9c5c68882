"""Where a located part lies in the frame: the way there, and the way back for what was found on it.

Coordinates are of edges: x = 0 is the left edge of the first pixel, in the frame as in the picture of the part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Affine", "AffinePose", "Grid", "PolarPose", "Pose", "composed", "scaled", "shifted", "warped"]

Affine = NDArray[np.float64]
"""(2, 3): x, y of one picture to x, y of another, in pixels."""

Points = NDArray[np.float64]
"""(n, 2): x, y in pixels."""

_OUTLINE_POINTS: Final = 24
"""Of each side of a part's picture, where it is drawn in the frame."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """Where a map lies: the left upper corner of its first value, and the steps between values, in pixels."""

    left_px: float
    top_px: float
    step_x_px: float
    step_y_px: float


class Pose(Protocol):
    """Where a part lies in the frame."""

    @property
    def angle_deg(self) -> float:
        """How far the part is turned in the frame, clockwise, from -180 to 180."""
        ...

    def in_frame(self, points: Points) -> Points:
        """Points of the part's picture, in the frame."""
        ...

    def seen(self, pixels: NDArray[Any], size_px: tuple[int, int], background: tuple[float, ...] = ()) -> Any:
        """The part's picture (h, w) or (h, w, 3) of a frame, or of a mask over it; `size_px` is its width and height.

        What lies beyond the frame is background; without one the frame goes on as at its edge.
        """
        ...

    def middle(self, width_px: int, height_px: int) -> Points:
        """(2,): where the middle of a part's picture of this size lies in the frame."""
        ...

    def outline(self, width_px: int, height_px: int) -> Points:
        """The edge of a part's picture of this size, in the frame."""
        ...

    def over_frame(self, values: NDArray[np.float32], part: Grid, frame: Grid, size: tuple[int, int]) -> Any:
        """A map (h, w) that lies on `part` of the part's picture, turned back onto `size` values of the frame.

        0 where the part is not.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AffinePose:
    """The part is shifted, turned and a little stretched: `matrix` leads from its picture into the frame."""

    matrix: Affine

    @property
    def angle_deg(self) -> float:
        return float(np.rad2deg(np.arctan2(self.matrix[1, 0], self.matrix[0, 0])))

    def in_frame(self, points: Points) -> Points:
        return np.asarray(points @ self.matrix[:, :2].T + self.matrix[:, 2], np.float64)

    def seen(self, pixels: NDArray[Any], size_px: tuple[int, int], background: tuple[float, ...] = ()) -> Any:
        return warped(pixels, self.matrix, size_px, background)

    def middle(self, width_px: int, height_px: int) -> Points:
        return np.asarray(self.in_frame(np.array([[width_px / 2, height_px / 2]]))[0], np.float64)

    def outline(self, width_px: int, height_px: int) -> Points:
        return self.in_frame(np.array([[0.0, 0], [width_px, 0], [width_px, height_px], [0, height_px]]))

    def over_frame(self, values: NDArray[np.float32], part: Grid, frame: Grid, size: tuple[int, int]) -> Any:
        # From a value of the frame's grid to one of the part's, by their middles.
        back = np.linalg.inv(self.matrix[:, :2])
        steps = (frame.step_x_px, frame.step_y_px)
        across = np.diag([1 / part.step_x_px, 1 / part.step_y_px]) @ back @ np.diag(steps)
        first = np.array(steps) / 2 + (frame.left_px, frame.top_px)
        origin = back @ (first - self.matrix[:, 2]) - (part.left_px, part.top_px)
        shift = origin / (part.step_x_px, part.step_y_px) - 0.5
        return cv2.warpAffine(
            values,
            np.column_stack([across, shift]),
            size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=0,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PolarPose:
    """A round part, unrolled: x of its picture is the angle, `columns` px once around from `zero_deg` on, clockwise;
    y is the distance from `centre_px`, one pixel for `px_per_row` of the frame.
    """

    centre_px: tuple[float, float]
    px_per_row: float
    zero_deg: float
    columns: int

    @property
    def angle_deg(self) -> float:
        return (self.zero_deg + 180) % 360 - 180

    def in_frame(self, points: Points) -> Points:
        angles = np.deg2rad(self.zero_deg) + points[:, 0] * (2 * np.pi / self.columns)
        away = points[:, 1] * self.px_per_row
        return np.column_stack([np.cos(angles) * away, np.sin(angles) * away]) + self.centre_px

    def middle(self, width_px: int, height_px: int) -> Points:
        """The part's centre: it is round."""
        return np.array(self.centre_px)

    def outline(self, width_px: int, height_px: int) -> Points:
        """The circle, from the angle 0 of the part and back to it through the centre: so the angle is seen."""
        around = np.linspace(0, width_px, 4 * _OUTLINE_POINTS)
        rim = self.in_frame(np.column_stack([around, np.full_like(around, height_px)]))
        return np.vstack([rim, [self.centre_px]])

    def seen(self, pixels: NDArray[Any], size_px: tuple[int, int], background: tuple[float, ...] = ()) -> Any:
        columns, rows = size_px
        x, y = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
        places = self.in_frame(np.column_stack([x.ravel(), y.ravel()])).astype(np.float32) - np.float32(0.5)
        across, down = (places[:, axis].reshape(rows, columns) for axis in (0, 1))
        beyond = cv2.BORDER_CONSTANT if background else cv2.BORDER_REPLICATE
        return cv2.remap(pixels, across, down, cv2.INTER_LINEAR, borderMode=beyond, borderValue=background or 0)

    def over_frame(self, values: NDArray[np.float32], part: Grid, frame: Grid, size: tuple[int, int]) -> Any:
        x = frame.left_px + (np.arange(size[0]) + 0.5) * frame.step_x_px - self.centre_px[0]
        y = frame.top_px + (np.arange(size[1]) + 0.5) * frame.step_y_px - self.centre_px[1]
        right, down = np.meshgrid(x, y)
        turn = np.mod(np.arctan2(down, right) - np.deg2rad(self.zero_deg), 2 * np.pi)
        column = (turn * (self.columns / (2 * np.pi)) - part.left_px) / part.step_x_px - 0.5
        row = (np.hypot(right, down) / self.px_per_row - part.top_px) / part.step_y_px - 0.5
        # The last column is the first one's neighbour, and inside the innermost row nothing else comes.
        closed = np.concatenate([values[:, -1:], values, values[:, :1]], axis=1)
        across, away = (np.asarray(each, np.float32) for each in (column + 1, np.maximum(row, 0)))
        return cv2.remap(closed, across, away, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)


def warped(pixels: NDArray[Any], to_frame: Affine, size_px: tuple[int, int], background: tuple[float, ...] = ()) -> Any:
    """The frame as seen through `to_frame`, (h, w) or (h, w, 3).

    What lies beyond the frame is background; without one the frame goes on as at its edge.
    """
    # OpenCV counts from the middle of the first pixel.
    half = np.array([0.5, 0.5])
    matrix = np.column_stack([to_frame[:, :2], to_frame[:, 2] + to_frame[:, :2] @ half - half])
    return cv2.warpAffine(
        pixels,
        matrix,
        size_px,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT if background else cv2.BORDER_REPLICATE,
        borderValue=background or 0,
    )


def scaled(affine: Affine, step_x: float, step_y: float) -> Affine:
    """The same motion where pixels are so many times smaller."""
    step = np.diag([step_x, step_y])
    return np.column_stack([step @ affine[:, :2] @ np.linalg.inv(step), step @ affine[:, 2]])


def shifted(pose: Affine, x_px: float, y_px: float) -> Affine:
    """The pose of a picture whose left upper corner lies at (x, y) of the one before."""
    return np.column_stack([pose[:, :2], pose[:, 2] + pose[:, :2] @ (x_px, y_px)])


def composed(outer: Affine, inner: Affine) -> Affine:
    """First `inner`, then `outer`."""
    return np.column_stack([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]])
