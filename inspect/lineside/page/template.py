"""The environment that every page is written with."""

from __future__ import annotations

import time

import jinja2

from lineside.statistics.wording import percent, points, points_between, probability

__all__ = ["environment"]


def environment(package: str) -> jinja2.Environment:
    """Templates of that package's folder, and the look that all pages share.

    Names of files and parts come from anywhere: everything is escaped, and a misspelt field is an error.
    """
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package, "."), jinja2.PackageLoader("lineside.page", ".")]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "count": lambda value: f"{value:,}",
        "percent": percent,
        "points": points,
        "points_between": points_between,
        "probability": probability,
        "when": lambda utc_ns: time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(utc_ns / 1e9)),
        "unbroken": lambda text: text.replace(" %", "\N{NO-BREAK SPACE}%"),
    }
    return made
