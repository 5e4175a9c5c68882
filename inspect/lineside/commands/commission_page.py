"""The commissioning report: one HTML page without anything from elsewhere, made to be printed on A4."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from string import Template

from lineside.commands.commission_trial import Trial, percentile

__all__ = ["Measured", "page"]

_BARS = 40
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 340, 190, 38, 30


@dataclass(frozen=True, kw_only=True)
class Measured:
    """All that commissioning found out. `trials` is empty where the takt could not be searched."""

    machine: dict[str, str]
    station: dict[str, str]
    rated: Trial
    trials: tuple[Trial, ...]
    utc: str = field(default_factory=lambda: time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()))

    @property
    def title(self) -> str:
        return f"Commissioning of {self.station['station']}"

    @property
    def shortest(self) -> Trial | None:
        """The shortest takt that held."""
        holding = [trial for trial in self.trials if not trial.why_not and trial.takt_ms is not None]
        return min(holding, key=lambda trial: trial.takt_ms or math.inf, default=None)

    @property
    def verdict(self) -> str:
        """The one sentence that matters."""
        rated = self.rated
        pace = f"at {_pace(rated)}"
        if rated.why_not:
            return f"Does not hold {pace}: {rated.why_not}."
        return (
            f"Holds {pace}: all {len(rated.parts)} parts inspected, 99 % heard of within {rated.heard_ms(0.99):.1f} ms"
            f" of their trigger, due after {rated.due_ms} ms."
        )

    @property
    def summary(self) -> list[tuple[str, str]]:
        """Name and value of each headline figure."""
        rated = self.rated
        heard = [part.heard_ms for part in rated.parts]
        rows = [("at the rated takt" if rated.takt_ms else "at the camera's pace", self.verdict)]
        rows += [("trigger to reader (ms)", _spread(heard))]
        for name, values in (
            ("  trigger to frame", [part.capture_ms for part in rated.parts]),
            ("  waiting for an inspector", [part.queue_ms for part in rated.parts]),
            ("  in the inspector", [part.inspect_ms for part in rated.parts]),
            ("  verdict to reader", [part.heard_ms - part.decide_ms for part in rated.parts]),
        ):
            rows.append((name, f"p50 {percentile(values, 0.5):.2f}   p99 {percentile(values, 0.99):.2f}"))
        spare_ms = rated.due_ms - rated.heard_ms(0.99)
        rows.append(("head-room to the due time", f"{spare_ms:.1f} ms at p99 ({spare_ms / rated.due_ms:.0%} of it)"))
        if shortest := self.shortest:
            assert shortest.takt_ms is not None and rated.takt_ms is not None
            line = f"{shortest.takt_ms:.2f} ms ({60_000 / shortest.takt_ms:,.0f} parts a minute)"
            rows.append(("shortest takt that holds", line))
            rows.append(("head-room in the takt", f"{rated.takt_ms / shortest.takt_ms:.2f} times the rated pace"))
        elif rated.takt_ms is None:
            rows.append(("shortest takt that holds", "not searched: the camera sets the pace"))
        else:
            rows.append(("shortest takt that holds", "none was found"))
        rows.append(("provider", self.station["provider"]))
        return rows


def page(measured: Measured) -> str:
    """The whole report as one HTML document."""
    rated = measured.rated
    heard = [part.heard_ms for part in rated.parts]
    return _PAGE.substitute(
        title=escape(measured.title),
        utc=measured.utc,
        state="bad" if rated.why_not else "good",
        verdict=escape(measured.verdict),
        summary=_rows(measured.summary[1:]),
        histogram=_histogram(heard),
        tail=_tail(heard, rated.due_ms),
        trials=_trials(measured),
        station=_rows(measured.station.items()),
        machine=_rows(measured.machine.items()),
    )


def _pace(trial: Trial) -> str:
    if trial.takt_ms is None:
        return f"the camera's own pace of {trial.given_takt_ms:.2f} ms"
    return f"the rated takt of {trial.takt_ms:g} ms"


def _spread(values: Sequence[float]) -> str:
    shares = [("p50", 0.5), ("p99", 0.99), *([("p99.9", 0.999)] if len(values) >= 1000 else [])]
    told = [f"{name} {percentile(values, share):.2f}" for name, share in shares]
    return "   ".join([*told, f"max {max(values):.2f}"])


def _rows(rows: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)


def _trials(measured: Measured) -> str:
    if not measured.trials:
        return "<p>The camera sets the pace, so no other takt could be tried.</p>"
    lines = [
        f"<tr class={'bad' if trial.why_not else 'good'}><td>{trial.takt_ms:.2f}</td>"
        f"<td>{60_000 / (trial.takt_ms or math.nan):,.0f}</td><td>{len(trial.parts)}</td>"
        f"<td>{trial.heard_ms(0.5):.2f}</td><td>{trial.heard_ms(0.99):.2f}</td><td>{trial.not_inspected}</td>"
        f"<td class=words>{escape(trial.why_not) or 'holds'}</td></tr>"
        for trial in sorted(measured.trials, key=lambda trial: -(trial.takt_ms or 0))
    ]
    heads = ("takt (ms)", "parts a minute", "parts", "p50 (ms)", "p99 (ms)", "not inspected", "")
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f"<table class=trials><tr>{head}</tr>{''.join(lines)}</table>"


def _histogram(values: Sequence[float]) -> str:
    """How many parts took how long; beyond the p99 plus a half, all in the last bar."""
    low = math.floor(min(values))
    high = max(low + 1.0, math.ceil(min(max(values), 1.5 * percentile(values, 0.99) - 0.5 * low)))
    counts = [0] * _BARS
    for value in values:
        counts[min(_BARS - 1, int((value - low) / (high - low) * _BARS))] += 1
    width = (_WIDTH - _LEFT) / _BARS
    top = max(counts)
    bars = "".join(
        f'<rect x="{_LEFT + index * width:.1f}" y="{_y(count / top):.1f}" width="{width - 0.6:.1f}"'
        f' height="{_y(0) - _y(count / top):.1f}"><title>{count} parts</title></rect>'
        for index, count in enumerate(counts)
        if count
    )
    steps = [(_y(share), f"{top * share:.0f}") for share in (0.0, 0.5, 1.0)]
    return _chart(
        bars, low, high, steps, f"parts by time from trigger to reader; the last bar holds all above {high:g} ms"
    )


def _tail(values: Sequence[float], due_ms: int) -> str:
    """The share of parts that took longer than t, in powers of ten: where the tail is, and where the due time."""
    ordered = sorted(values)
    decades = max(2, math.ceil(math.log10(len(ordered))))
    low, high = 0.0, max(ordered[-1] * 1.05, due_ms * 1.05)
    places = [
        (_x(value, low, high), _y(1 + math.log10((len(ordered) - index) / len(ordered)) / decades))
        for index, value in enumerate(ordered)
    ]
    path = f"M{places[0][0]:.1f},{_y(1):.1f}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in places)
    due = _x(due_ms, low, high)
    marks = (
        f'<path class="line" d="{path}"/><path class="due" d="M{due:.1f},{_y(0)}V{_y(1)}"/>'
        f'<text class="due" x="{due - 4:.1f}" y="{_y(0.92):.1f}" text-anchor="end">due</text>'
    )
    steps = [(_y(1 - decade / decades), f"{100 / 10**decade:g} %") for decade in range(decades + 1)]
    return _chart(marks, low, high, steps, "share of parts that took longer than this from trigger to reader")


def _chart(marks: str, low: float, high: float, steps: Sequence[tuple[float, str]], caption: str) -> str:
    grid = "".join(
        f'<path class="grid" d="M{_LEFT},{y:.1f}H{_WIDTH}"/><text x="{_LEFT - 4}" y="{y + 3:.1f}" text-anchor="end">'
        f"{name}</text>"
        for y, name in steps
    )
    anchors = ((0.0, "start"), (0.25, "middle"), (0.5, "middle"), (0.75, "middle"), (1.0, "end"))
    times = "".join(
        f'<text x="{_x(low + share * (high - low), low, high):.1f}" y="{_y(0) + 14}" text-anchor="{anchor}">'
        f"{low + share * (high - low):.3g}{' ms' if anchor == 'end' else ''}</text>"
        for share, anchor in anchors
    )
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">{grid}{marks}{times}</svg>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _x(value: float, low: float, high: float) -> float:
    return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT)


def _y(share: float) -> float:
    return 8 + (1 - share) * (_HEIGHT - _BOTTOM - 8)


_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>$title</title>
<style>
@page { size: A4; margin: 10mm 14mm }
:root { --ink: #1b2430; --pale: #5c6773; --rule: #d5dae0; --good: #17633a; --bad: #a3201b }
body { font: 13px/1.35 system-ui, sans-serif; color: var(--ink); max-width: 182mm; margin: 8mm auto }
h1 { font-size: 20px; margin: 0 0 2px } h2 { font-size: 14px; margin: 10px 0 2px }
p { margin: 4px 0 } .utc { color: var(--pale) }
.verdict { border-left: 5px solid; padding: 6px 10px; font-size: 15px; margin: 10px 0 }
.verdict.good { border-color: var(--good) } .verdict.bad { border-color: var(--bad); color: var(--bad) }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: 1px 8px 1px 0; border-bottom: 1px solid var(--rule); vertical-align: top;
  white-space: pre-wrap }
td { overflow-wrap: anywhere }
th { font-weight: 500; color: var(--pale); width: 30% }
.trials th, .trials td { text-align: right; width: auto; white-space: nowrap; font-variant-numeric: tabular-nums }
.trials td.words { text-align: left; padding-left: 8px; white-space: normal; width: 48%; font-size: 10.5px }
tr.bad td { color: var(--bad) }
.charts { display: flex; gap: 8mm } figure { margin: 0; flex: 1 } figcaption { color: var(--pale); font-size: 11px }
svg { width: 100% } svg text { font-size: 9px; fill: var(--pale) } rect { fill: #33648f }
.grid { stroke: var(--rule) } .line { fill: none; stroke: #33648f; stroke-width: 1.5 }
path.due { stroke: var(--bad); stroke-dasharray: 4 3 } svg text.due { fill: var(--bad) }
.facts th { width: 17% } .facts table { font-size: 10.5px }
.machine tbody { display: block; columns: 2; column-gap: 8mm } .machine tr { display: flex } .machine th { width: 40% }
.machine td { flex: 1 } section { break-inside: avoid }
* { print-color-adjust: exact; -webkit-print-color-adjust: exact }
@media print { body { font-size: 11px; margin: 0 auto } .facts table { font-size: 9.5px } }
</style>
</head>
<body>
<h1>$title</h1>
<p class="utc">measured $utc by <code>lineside commission</code></p>
<p class="verdict $state">$verdict</p>
<table>$summary</table>
<section><h2>Trigger to reader</h2><div class="charts">$histogram$tail</div></section>
<section><h2>Takts that were tried</h2>
<p class="utc">A takt holds when every part is inspected and 99 % of the verdicts are heard before their due time.</p>
$trials</section>
<section class="facts"><h2>What judged</h2><table>$station</table></section>
<section class="facts machine"><h2>This machine</h2><table>$machine</table></section>
</body>
</html>
""")
