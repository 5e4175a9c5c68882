"""`lineside replay`: one verdict of the journal again, and why it was given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from lineside.core.finding import Defect
    from lineside.core.recipe import Limit
    from lineside.reinspect.replay import HeldLimit, Replay
    from lineside.reinspect.row import Row

__all__ = ["replay"]

_MOST_FINDINGS = 10


def replay(
    sequence: Annotated[int, typer.Argument(min=1, help="Sequence number of the verdict.")],
    station: Annotated[
        Path | None, typer.Option(help="The station file: its project's recipe, calibration and packages judge.")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where journal and images lie, when not where the station file says.")
    ] = None,
    draw: Annotated[
        Path | None, typer.Option(help="Folder for pictures: the findings, and what the model scored.")
    ] = None,
) -> None:
    """Judge one recorded part again from its archived pixels: is it the same, byte for byte, and why was it given?

    Changes nothing; the station may run meanwhile. Exit codes: 0 the verdict is reproduced, 1 it is not, and what
    differs is named, 2 there is no such verdict, or recipe and packages cannot be opened.
    """
    from lineside.assemble import open_inspector
    from lineside.reinspect.replay import replay as judge_again

    replayed = judge_again(sequence, station=station, data_dir=data_dir, open_inspector=open_inspector)
    console = Console(soft_wrap=True, highlight=False)
    for line in _lines(replayed):
        console.print(line)
    if draw is not None:
        for path in _write(replayed, draw):
            console.print(f"drawn: {escape(str(path))}")
    raise typer.Exit(0 if replayed.reproduced else 1)


def _lines(replayed: Replay) -> Iterator[str]:
    verdict, row, recipe = replayed.verdict, replayed.row, replayed.candidate.recipe
    named = f", part {verdict.part_id}" if verdict.part_id else ""
    yield (
        f"verdict {verdict.sequence}, trigger {verdict.trigger.number}{escape(named)}: "
        f"[bold]{escape(verdict.judgement.summary)}[/]"
    )
    yield from _compared(replayed)
    for view in row.view_scores:
        side = "at or above" if view.score >= view.threshold else "below"
        yield f"view {escape(view.view)}: score {view.score:.6g}, {side} the threshold {view.threshold:g}"
    for held in replayed.limits:
        yield from _limit(held)
    if recipe.review and row.view_scores:
        close = "a close call" if row.review else "no close call"
        yield f"review: {close}, from {recipe.review.from_score:g} to {recipe.review.to_score:g} is one"


def _compared(replayed: Replay) -> Iterator[str]:
    row = replayed.row
    by = ", ".join(
        [
            _named("recipe", replayed.candidate.recipe.identity.id, row.recipe_sha256),
            _named("calibration", replayed.candidate.calibration.identity.id, row.calibration_sha256),
            *(_named("model", model.id, model.sha256) for model in row.models),
        ]
    )
    if replayed.reproduced and row.state == "not_kept":
        yield f"[bold green]✓[/] reproduced: there is still no image ({escape(row.detail)})"
    elif replayed.reproduced:
        yield f"[bold green]✓[/] reproduced, byte for byte, by {escape(by)}, on {escape(row.provider)}"
    elif row.error:
        yield f"[bold red]✗[/] cannot be judged again: {escape(row.error)}"
    elif row.reproduces is None:
        yield f"[bold red]✗[/] nothing to compare: {escape(row.difference or row.detail)}"
        yield from _now(row, by)
    else:
        same = "the same answer, otherwise judged" if row.reproduces else "not reproduced"
        yield f"[bold red]✗[/] {same}: {escape(row.difference)}"
        if not row.reproduces:
            yield from _now(row, by)


def _now(row: Row, by: str) -> Iterator[str]:
    if row.outcome:
        yield f"  now {row.outcome}{escape(': ' + row.detail if row.detail else '')}, by {escape(by)}"


def _named(what: str, name: str, sha256: str) -> str:
    return f"{what} {name} ({sha256[:12]})"


def _limit(held: HeldLimit) -> Iterator[str]:
    limit, count = held.limit, len(held.exceeding)
    if held.broken:
        yield f"limit {escape(limit.name)}: [bold red]broken[/] by {count}, {limit.max_count} allowed ({_rule(limit)})"
    else:
        within = f"{len(held.measured)} found, {count} of them beyond it" if held.measured else "nothing found"
        yield f"limit {escape(limit.name)}: holds, {within}, {limit.max_count} allowed ({_rule(limit)})"
    shown = held.exceeding or held.measured
    for defect in sorted(shown, key=lambda each: -each.finding.score)[:_MOST_FINDINGS]:
        yield f"  {_finding(defect)}"
    if len(shown) > _MOST_FINDINGS:
        yield f"  and {len(shown) - _MOST_FINDINGS} more"


def _rule(limit: Limit) -> str:
    """What the limit looks at, and from which size on."""
    sizes = (
        ("longer than", limit.max_length_mm, "mm"),
        ("larger than", limit.max_area_mm2, "mm²"),
        ("longer than", limit.max_length_px, "px"),
        ("larger than", limit.max_area_px, "px²"),
    )
    words = [f"class {limit.class_name}", f"view {limit.view}", f"region {limit.region}"]
    words += [f"{what} {allowed:g} {unit}" for what, allowed, unit in sizes if allowed is not None]
    if limit.needs_scale:
        words += [{"reject": "less", "neither": "whatever", "pass": "plus"}[limit.errs] + " the uncertainty"]
        words[-1] += f" (k = {limit.coverage_factor:g})" if limit.errs != "neither" else ""
    words += [f"score from {limit.min_score:g}" if limit.min_score is not None else "score from the threshold"]
    return escape(", ".join(words))


def _finding(defect: Defect) -> str:
    finding, box = defect.finding, defect.finding.box
    told = (
        (defect.length_mm, defect.length_uncertainty_mm, "mm long"),
        (defect.width_mm, defect.width_uncertainty_mm, "mm wide"),
        (defect.area_mm2, defect.area_uncertainty_mm2, "mm²"),
        (defect.diameter_mm, defect.diameter_uncertainty_mm, "mm across a disc of that area"),
    )
    sizes = [f"{size:.3g} ± {sd:.2g} {unit}" for size, sd, unit in told if size is not None and sd is not None]
    mm = f" ({', '.join(sizes)}; k = 1)" if sizes else ""
    return escape(
        f"{finding.class_name} in {defect.view}/{defect.region}: score {finding.score:.6g}, "
        f"{finding.length_px:.1f} px long, {finding.area_px:.0f} px²{mm}, "
        f"{box.width_px:.0f} x {box.height_px:.0f} px at {box.x_px:.0f}, {box.y_px:.0f}"
    )


def _write(replayed: Replay, folder: Path) -> Iterator[Path]:
    import cv2

    from lineside.reinspect.replay import draw

    if not replayed.views:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in draw(replayed).items():
        path = folder / f"{replayed.verdict.sequence}-{name}.png"
        path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
        yield path
