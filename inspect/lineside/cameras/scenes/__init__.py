"""Rendered parts with known truth: the same product, seed and index give the same pixels and the same defects."""

from lineside.cameras.scenes.belt import Belt
from lineside.cameras.scenes.products import PRODUCTS
from lineside.cameras.scenes.stage import prepare, render, truth_of
from lineside.cameras.scenes.truth import PartTruth, Rendering, SceneOptions, TrueDefect

__all__ = ["PRODUCTS", "Belt", "PartTruth", "Rendering", "SceneOptions", "TrueDefect", "prepare", "render", "truth_of"]
