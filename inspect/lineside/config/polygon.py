"""Polygons drawn by hand: whether one crosses itself, and what it encloses."""

from __future__ import annotations

from itertools import combinations

from lineside.core.recipe import Polygon

__all__ = ["area", "crossing"]

Point = tuple[float, float]


def crossing(corners: Polygon) -> tuple[int, int] | None:
    """The first two sides that meet where they should not, counted from 0, or None.

    Side n runs from corner n to the next. Neighbours meet at their corner only; other sides never meet. Corners must
    be at least three, and all different.
    """
    count = len(corners)
    sides = [(corners[n], corners[(n + 1) % count]) for n in range(count)]
    for first, second in combinations(range(count), 2):
        neighbours = second == first + 1 or (first == 0 and second == count - 1)
        (a, b), (c, d) = sides[first], sides[second]
        if neighbours:
            corner, one, other = (b, a, d) if second == first + 1 else (a, b, c)
            if _turn(one, corner, other) == 0 and _dot(corner, one, other) > 0:  # folds back onto itself
                return first, second
        elif _meet(a, b, c, d):
            return first, second
    return None


def _turn(a: Point, b: Point, c: Point) -> float:
    """Positive when a, b, c turn one way, negative the other way, 0 on a line."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _dot(origin: Point, a: Point, b: Point) -> float:
    return (a[0] - origin[0]) * (b[0] - origin[0]) + (a[1] - origin[1]) * (b[1] - origin[1])


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    if _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0:
        return True
    return any(
        _turn(*side, p) == 0 and _dot(p, *side) <= 0 for side, p in (((a, b), c), ((a, b), d), ((c, d), a), ((c, d), b))
    )


def area(corners: Polygon) -> float:
    """The area that the corners enclose, in the square of their unit; they go round either way."""
    sides = zip(corners, (*corners[1:], corners[0]), strict=True)
    return abs(sum(x * next_y - next_x * y for (x, y), (next_x, next_y) in sides)) / 2
