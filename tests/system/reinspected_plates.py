"""A small run over rendered plates: real pictures, really judged, as the tests of pictures and the report need it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import pyarrow.parquet as pq

from lineside.assemble import open_inspector
from lineside.cameras.scenes import SceneOptions, render
from lineside.reinspect.candidate import candidate_of, lettered
from lineside.reinspect.drawing import Look
from lineside.reinspect.judge import JudgeOrder
from lineside.reinspect.part import ONLY_VIEW, ImageRef, Part, Truth
from lineside.reinspect.row import Row, table_of
from lineside.reinspect.summary import RunFacts

ROOT = Path(__file__).parents[2]
BEGUN_UTC_NS = 1_760_000_000 * 10**9
NASTY = "<script>alert(1)</script>&\"'"
"""A part id that is meant to do harm on a page."""


@dataclass(frozen=True, kw_only=True)
class Plates:
    """What a run leaves behind, and the means to look again."""

    rows: Sequence[Row]
    rows_path: Path
    run: RunFacts
    look: Look
    parts: Mapping[str, Part]
    order: JudgeOrder


def reinspected_plates(folder: Path, parts: int = 24, *, severity: tuple[float, float] = (0.1, 0.9)) -> Plates:
    """Plates with faint and clear defects, judged by the demo's recipe (A) and by its package alone (B).

    The station is said to have passed all but every ninth. The first part's id is nasty, the third one's picture is
    cut short, the fifth one's name is long.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plates = [_plate(folder, index, severity) for index in range(parts)]
    candidates = lettered(
        [candidate_of(ROOT / "calibration" / "stations" / "demo.toml"), candidate_of(ROOT / "models" / "demo-plate")]
    )
    order = JudgeOrder(candidates=candidates, open_inspector=open_inspector)
    judge = order()
    judged = judge.chunk(plates)
    rows = [
        replace(row, original_outcome="FAIL" if number // len(candidates) % 9 == 8 else "PASS")
        for number, row in enumerate(judged)
    ]
    rows_path = folder / "rows.parquet"
    pq.write_table(table_of(rows), rows_path)
    by_key = {part.key: part for part in plates}
    run = RunFacts(
        command="lineside reinspect plates/ --candidate calibration/stations/demo.toml --candidate models/demo-plate",
        source="plates/ (a folder of pictures)",
        candidates={
            candidate.label: {
                "recipe": f"{candidate.recipe.identity.id} {candidate.recipe.identity.sha256}",
                "calibration": f"{candidate.calibration.identity.id} {candidate.calibration.identity.sha256}",
            }
            for candidate in candidates
        },
        engine="local",
        workers=1,
        started_utc_ns=BEGUN_UTC_NS,
        wall_s=sum(row.judge_ms + row.read_ms + row.decode_ms for row in rows) / 1000,
        parts_planned=parts,
        hashes={"plan.parquet": "ab" * 32},
        versions={"lineside": "0.1.0"},
    )
    return Plates(
        rows=rows, rows_path=rows_path, run=run, look=lambda key: judge.look(by_key[key]), parts=by_key, order=order
    )


def _plate(folder: Path, index: int, severity: tuple[float, float]) -> Part:
    rendering = render("plate", 77, index, SceneOptions(defect_rate=0.4, severity=severity))
    path = folder / f"plate-{index:04d}.png"
    _, data = cv2.imencode(".png", rendering.pixels)
    content = data.tobytes()
    path.write_bytes(content[: len(content) // 2] if index == 2 else content)
    part_id = {0: NASTY, 4: "a-very-long-name-" * 12}.get(index, rendering.truth.part_id)
    return Part(
        key=f"shift 1/{path.name}",
        part_id=part_id,
        captured_utc_ns=BEGUN_UTC_NS + index * 40 * 10**9,
        images={ONLY_VIEW: ImageRef(url=str(path))},
        truth=Truth(
            bad=not rendering.truth.good,
            class_name=rendering.truth.defects[0].class_name if rendering.truth.defects else "",
        ),
    )
