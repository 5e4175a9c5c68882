"""Frames that a package is to answer again and again: beside good parts one that is none."""

from __future__ import annotations

from lineside.core.frame import Pixels

__all__ = ["spoiled"]


def spoiled(frame: Pixels) -> Pixels:
    """With a dark patch in its middle: an answer on the other side of the limit."""
    height, width = frame.shape[:2]
    dark = frame.copy()
    dark[height * 7 // 16 : height * 9 // 16, width * 7 // 16 : width * 9 // 16] //= 4
    return dark
