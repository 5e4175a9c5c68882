"""The report as JSON: names that stay, figures in the measured unit, null where a figure is without bound."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lineside.gauge.analysis import Analysis
from lineside.gauge.attribute import AttributeAnalysis
from lineside.gauge.crossed import Crossed
from lineside.gauge.rules import Rule

__all__ = ["attribute_document", "study_document"]


def study_document(analysis: Analysis, identity: Mapping[str, str]) -> str:
    """A study of numbers. Shares are of 1, components are variances with bounds."""
    study = analysis.study
    return _json(
        {
            "kind": "crossed study",
            "answer": analysis.answer,
            "ruling": analysis.ruling.words,
            "more": analysis.more,
            "rules": _rules(analysis.rules),
            "unit": analysis.asked.unit,
            "tolerance": analysis.asked.tolerance,
            "confidence": study.confidence,
            **_design(analysis.table),
            "gauge_share_of_variation": study.gauge_share,
            "gauge_share_of_tolerance": (
                None if analysis.asked.tolerance is None else study.share_of_tolerance(analysis.asked.tolerance)
            ),
            "number_of_distinct_categories": study.whole_categories,
            "categories": study.categories,
            "interaction_pooled": study.pooled,
            "components": {
                name: getattr(study, name)
                for name in (
                    "gauge",
                    "repeatability",
                    "reproducibility",
                    "operator",
                    "interaction",
                    "part",
                    "total",
                )
            },
            "anova": study.anova,
            "pooled_anova": study.pooled_anova,
            "ranges": {"mean": analysis.charts.range, "limits": analysis.charts.range_limits},
            "averages": {"mean": analysis.charts.average, "limits": analysis.charts.average_limits},
            "bias": {"at": analysis.biases, "mean": analysis.mean_bias},
            "linearity": analysis.line,
            "identity": identity,
        }
    )


def attribute_document(analysis: AttributeAnalysis, identity: Mapping[str, str]) -> str:
    """A study of words."""
    return _json(
        {
            "kind": "attribute study",
            "answer": analysis.answer,
            "ruling": analysis.ruling.words,
            "more": analysis.more,
            "rules": _rules(analysis.rules),
            "confidence": analysis.confidence,
            **_design(analysis.table),
            "within": analysis.within,
            "between": analysis.between,
            "against_standard": analysis.against,
            "identity": identity,
        }
    )


def _rules(rules: Sequence[Rule]) -> list[dict[str, str]]:
    return [
        {"name": rule.name, "figure": rule.figure, "limits": rule.limits, "ruling": rule.ruling.words} for rule in rules
    ]


def _design(table: Crossed) -> dict[str, Any]:
    return {
        "parts": table.parts,
        "operators": table.operators,
        "repeats": table.repeats,
        "left_out": table.left_out,
    }


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(_plain(document), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, enum.Enum):
        return value.name
    return None if isinstance(value, float) and not math.isfinite(value) else value
