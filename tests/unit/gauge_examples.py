"""Published examples of measurement system analysis: figures to hold our own against."""

from __future__ import annotations

import numpy as np

__all__ = ["CROSSED", "CROSS_TABLES", "IMPEDANCE", "LINEARITY", "SUBJECTS_BY_CATEGORY", "rated"]

_APPRAISER_A = (
    (0.29, -0.56, 1.34, 0.47, -0.80, 0.02, 0.59, -0.31, 2.26, -1.36),
    (0.41, -0.68, 1.17, 0.50, -0.92, -0.11, 0.75, -0.20, 1.99, -1.25),
    (0.64, -0.58, 1.27, 0.64, -0.84, -0.21, 0.66, -0.17, 2.01, -1.31),
)
_APPRAISER_B = (
    (0.08, -0.47, 1.19, 0.01, -0.56, -0.20, 0.47, -0.63, 1.80, -1.68),
    (0.25, -1.22, 0.94, 1.03, -1.20, 0.22, 0.55, 0.08, 2.12, -1.62),
    (0.07, -0.68, 1.34, 0.20, -1.28, 0.06, 0.83, -0.34, 2.19, -1.50),
)
_APPRAISER_C = (
    (0.04, -1.38, 0.88, 0.14, -1.46, -0.29, 0.02, -0.46, 1.77, -1.49),
    (-0.11, -1.13, 1.09, 0.20, -1.07, -0.67, 0.01, -0.56, 1.45, -1.77),
    (-0.15, -0.96, 0.67, 0.11, -1.45, -0.49, 0.21, -0.49, 1.87, -2.16),
)

CROSSED = np.array([_APPRAISER_A, _APPRAISER_B, _APPRAISER_C]).transpose(2, 0, 1)
"""AIAG, "Measurement Systems Analysis" (4th edition 2010), chapter III.B: 10 parts, 3 appraisers, 3 trials, by
(part, appraiser, trial).
"""

IMPEDANCE = np.array(
    [
        (37, 38, 37, 41, 41, 40, 41, 42, 41),
        (42, 41, 43, 42, 42, 42, 43, 42, 43),
        (30, 31, 31, 31, 31, 31, 29, 30, 28),
        (42, 43, 42, 43, 43, 43, 42, 42, 42),
        (28, 30, 29, 29, 30, 29, 31, 29, 29),
        (42, 42, 43, 45, 45, 45, 44, 46, 45),
        (25, 26, 27, 28, 28, 30, 29, 27, 27),
        (40, 40, 40, 43, 42, 42, 43, 43, 41),
        (25, 25, 25, 27, 29, 28, 26, 26, 26),
        (35, 34, 34, 35, 35, 34, 35, 34, 35),
    ],
    float,
).reshape(10, 3, 3)
"""R. E. Houf, D. B. Berman, "Statistical analysis of power module thermal test equipment performance" (IEEE
Transactions on Components, Hybrids, and Manufacturing Technology 11, 1988, 516-520), as worked in D. C. Montgomery,
"Design and Analysis of Experiments": by (part, operator, test), with an interaction that is not pooled.
"""

LINEARITY = {
    2.0: (2.7, 2.5, 2.4, 2.5, 2.7, 2.3, 2.5, 2.5, 2.4, 2.4, 2.6, 2.4),
    4.0: (5.1, 3.9, 4.2, 5.0, 3.8, 3.9, 3.9, 3.9, 3.9, 4.0, 4.1, 3.8),
    6.0: (5.8, 5.7, 5.9, 5.9, 6.0, 6.1, 6.0, 6.1, 6.4, 6.3, 6.0, 6.1),
    8.0: (7.6, 7.7, 7.8, 7.7, 7.8, 7.8, 7.8, 7.7, 7.8, 7.5, 7.6, 7.7),
    10.0: (9.1, 9.3, 9.5, 9.3, 9.4, 9.5, 9.5, 9.5, 9.6, 9.2, 9.3, 9.4),
}
"""The same manual, chapter III.B, the example of linearity: 12 measurements of 5 parts, by reference."""

CROSS_TABLES = {
    "A and B": (((44, 6), (3, 97)), 0.86),
    "A and C": (((43, 7), (8, 92)), 0.78),
    "B and C": (((42, 5), (9, 94)), 0.79),
    "A and the standard": (((45, 5), (3, 97)), 0.88),
    "B and the standard": (((45, 2), (3, 100)), 0.92),
    "C and the standard": (((42, 9), (6, 93)), 0.77),
}
"""The same manual, chapter III.C, the attribute study of 50 parts, 3 appraisers, 3 trials: cross tables, kappas."""

SUBJECTS_BY_CATEGORY = (
    (0, 0, 0, 0, 14),
    (0, 2, 6, 4, 2),
    (0, 0, 3, 5, 6),
    (0, 3, 9, 2, 0),
    (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0),
    (3, 2, 6, 3, 0),
    (2, 5, 3, 2, 2),
    (6, 5, 2, 1, 0),
    (0, 2, 2, 3, 7),
)
"""Wikipedia, "Fleiss' kappa", the worked example: 14 raters, 10 subjects, 5 categories; kappa 0.210."""


def rated(table: tuple[tuple[int, ...], ...]) -> tuple[list[list[int]], list[list[int]]]:
    """Both raters' ratings, one for each part, of a cross table of counts."""
    pairs = [
        (row, column) for row, counts in enumerate(table) for column, count in enumerate(counts) for _ in range(count)
    ]
    return [[row] for row, _ in pairs], [[column] for _, column in pairs]
