"""Writes the report of a study: a page for people, and the same as JSON for programs."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from lineside import __version__
from lineside.core.errors import ConfigError
from lineside.gauge.analysis import Analysis, references_of
from lineside.gauge.attribute import AttributeAnalysis
from lineside.gauge.measurement import Measurement
from lineside.gauge.report import charts, scatter
from lineside.gauge.report.document import attribute_document, study_document
from lineside.gauge.rules import rule_of_kappa
from lineside.page.template import environment
from lineside.statistics.agreement import GOOD, POOR
from lineside.statistics.gauge_study import SIGMAS
from lineside.statistics.wording import figure

__all__ = ["Facts", "write_attribute_report", "write_report"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Where the study comes from, for the end of the page."""

    name: str
    command: str
    rows: tuple[tuple[str, str], ...]


def write_report(out: Path, study: Path, rows: Sequence[Measurement], analysis: Analysis, *, command: str) -> None:
    """Writes `out` (.html) and the JSON beside it, whole or not at all. Raises: ConfigError where that cannot be."""
    facts = _facts(study, rows, command)
    values = analysis.table.numbers
    references = references_of(analysis.table, analysis.asked.references)
    deviations = [
        (reference, float(value) - reference)
        for part, reference in references.items()
        for value in values[analysis.table.parts.index(part)].ravel()
    ]
    page = _page(
        "study.html.j2",
        analysis,
        facts,
        study=analysis.study,
        asked=analysis.asked,
        values=values,
        deviations=deviations,
        sigmas=f"{SIGMAS:g}",
    )
    _write(out, page)
    _write(out.with_suffix(".json"), study_document(analysis, dict(facts.rows)))


def write_attribute_report(
    out: Path, study: Path, rows: Sequence[Measurement], analysis: AttributeAnalysis, *, command: str
) -> None:
    """Likewise, of a study of words."""
    facts = _facts(study, rows, command)
    page = _page("attribute.html.j2", analysis, facts, rule_of=rule_of_kappa, good=f"{GOOD:.2f}", poor=f"{POOR:.2f}")
    _write(out, page)
    _write(out.with_suffix(".json"), attribute_document(analysis, dict(facts.rows)))


def _facts(study: Path, rows: Sequence[Measurement], command: str) -> Facts:
    """What is known of how it was measured; several words where the file has several."""
    told = [
        ("study", study.name),
        ("SHA-256", hashlib.sha256(study.read_bytes()).hexdigest()),
        ("measured", ", ".join(sorted({row.measured for row in rows if row.measured}))),
        ("judged by", "; ".join(sorted({row.judged_by for row in rows if row.is_there and row.judged_by}))),
        ("first measurement", min((row.taken_utc for row in rows if row.taken_utc), default="")),
        ("last measurement", max((row.taken_utc for row in rows if row.taken_utc), default="")),
        ("lineside", __version__),
        ("this page written", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())),
    ]
    return Facts(name=study.stem, command=command, rows=tuple((name, value) for name, value in told if value))


def _page(template: str, analysis: Analysis | AttributeAnalysis, facts: Facts, **more: Any) -> str:
    return (
        _environment()
        .get_template(template)
        .render(
            analysis=analysis,
            answer=analysis.answer,
            ruling=analysis.ruling,
            more=analysis.more,
            rules=analysis.rules,
            facts=facts,
            charts=charts,
            scatter=scatter,
            **more,
        )
    )


def _environment() -> jinja2.Environment:
    made = environment("lineside.gauge.report")
    made.filters |= {"figures": lambda value, count=4: figure(value, figures=count)}
    return made


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ConfigError(f"{path} cannot be written ({error.strerror})", expected="a folder to write to") from error
