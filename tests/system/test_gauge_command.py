"""`lineside gauge` as a shell runs it: at a real station, over real pictures, and its page in a real browser."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archive_project import HEIGHT_PX, WIDTH_PX, written
from archive_project import make_project as make_tiny_project
from small_project import make_project, running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def gauge(*arguments: str, typed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lineside", "gauge", *arguments],
        input=typed,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def rows(study: Path) -> list[dict[str, str]]:
    with study.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_study_at_a_running_station_is_stopped_and_gone_on_with(tmp_path: Path) -> None:
    station = make_project(tmp_path, trigger='source = "software"', due_ms=60_000)
    study = tmp_path / "study.csv"
    with running(station) as process:
        at = {"LINESIDE_STATION": process.address}
        begun = gauge(
            *("run", str(study), "--parts", "2", "--operators", "left,right", "--repeats", "2", "--seed", "1"),
            *("--measure", "score"),
            typed="\n\ns\nq\n",
            **at,
        )
        measured = [row["value"] for row in rows(study)]
        ended = gauge("run", str(study), "--no-prompt", **at)

    assert (1, 2) == (begun.returncode, sum(map(bool, measured)))
    assert "1 of 8: lay part" in begun.stderr
    assert "Stopped: 2 of 8 measurements" in begun.stderr
    assert 0 == ended.returncode, ended.stderr
    assert "All 8 measurements" in ended.stderr
    assert measured[:2] == [row["value"] for row in rows(study)][:2]
    assert all(float(row["value"]) > 0 and row["taken_utc"] and "small:" in row["judged_by"] for row in rows(study))


def test_a_part_that_is_not_inspected_or_shows_nothing_is_named_and_has_no_value(tmp_path: Path) -> None:
    """The model answers NaN to every part, so none is inspected; then nothing is found under an unknown limit."""
    plan = ("--parts", "2", "--operators", "1", "--repeats", "2", "--no-prompt")
    station = make_project(tmp_path / "nan", trigger='source = "software"', due_ms=60_000, nan=True)
    with running(station) as process:
        none = gauge("run", str(tmp_path / "none.csv"), *plan, "--measure", "score", LINESIDE_STATION=process.address)
    station = make_project(tmp_path / "well", trigger='source = "software"', due_ms=60_000)
    with running(station) as process:
        asked = ("--measure", "length_px", "--limit", "absent")
        nothing = gauge("run", str(tmp_path / "nothing.csv"), *plan, *asked, LINESIDE_STATION=process.address)
    reported = gauge("report", str(tmp_path / "none.csv"))

    assert (1, 1, 2) == (none.returncode, nothing.returncode, reported.returncode)
    assert {""} == {row["value"] for row in (*rows(tmp_path / "none.csv"), *rows(tmp_path / "nothing.csv"))}
    assert all(row["note"].startswith("NOT_INSPECTED: ") for row in rows(tmp_path / "none.csv"))
    assert "no value: part 1 by 1, trial 1: NOT_INSPECTED: " in none.stderr
    assert "nothing found" in nothing.stderr
    assert "has no value (NOT_INSPECTED: " in reported.stderr


def test_a_size_that_breaks_its_limit_is_measured_at_the_station(tmp_path: Path) -> None:
    """The value is the very size that the verdict tells."""
    limit = '[[limits]]\nname = "bright"\nmin_score = 0.2\nmax_length_px = 1'
    station = make_project(tmp_path, trigger='source = "software"', due_ms=60_000, recipe=limit)
    study = tmp_path / "study.csv"
    with running(station) as process:
        plan = ("--parts", "a,b", "--operators", "1", "--repeats", "2", "--no-prompt", "--reference", "a=40")
        asked = ("--measure", "length_px", "--limit", "bright")
        measured = gauge("run", str(study), *plan, *asked, LINESIDE_STATION=process.address)
        told = subprocess.run(
            [sys.executable, "-m", "lineside", "verdicts", "--json", "--station", process.address],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    verdicts = {verdict["trigger_number"]: verdict for verdict in map(json.loads, told.stdout.splitlines())}

    assert 0 == measured.returncode, measured.stderr
    assert ["a", "b"] == sorted({row["part"] for row in rows(study)})
    assert {"40", ""} == {row["reference"] for row in rows(study)}
    for row, (_, verdict) in zip(rows(study), sorted(verdicts.items()), strict=True):
        lengths = [defect["length_px"] for defect in verdict["defects"] if defect["limit"] == "bright"]
        assert row["part"] == verdict["part_id"]
        assert float(row["value"]) == pytest.approx(max(lengths))


def test_without_a_station_the_study_stays_as_it_is(tmp_path: Path) -> None:
    study = tmp_path / "study.csv"
    asked = ("--parts", "2", "--operators", "1", "--measure", "score", "--no-prompt", "--station", "127.0.0.1:1")

    refused = gauge("run", str(study), *asked)

    assert 3 == refused.returncode
    assert 6 == len(rows(study))
    assert {""} == {row["value"] for row in rows(study)}


def pictures_of_bars(folder: Path) -> dict[str, int]:
    """Bars of known lengths in two placements, three pictures each; returns the lengths by part, in px."""
    lengths = {f"bar-{length}": length for length in (10, 14, 18, 22, 26)}
    rng = np.random.default_rng(4)
    for placement, (left, top) in {"left": (4, 6), "right": (16, 18)}.items():
        for part, length in lengths.items():
            for trial in range(3):
                pixels = rng.integers(10, 30, (HEIGHT_PX, WIDTH_PX)).astype(np.uint8)
                shift = int(rng.integers(0, 3))
                pixels[top : top + 6, left + shift : left + shift + length] = 250
                written(folder / placement / part, f"{trial}.png", pixels)
    return lengths


def test_pictures_are_measured_by_the_station_s_own_inspector_and_reported(tmp_path: Path) -> None:
    """Bars of known lengths: the gauge tells them apart, and the bias against the references is within two pixels."""
    project = make_tiny_project(tmp_path / "project")
    lengths = pictures_of_bars(tmp_path / "placements")
    (tmp_path / "placements" / "left" / "bar-10" / "2.png").write_bytes(b"damaged")
    study, by = tmp_path / "bars.csv", project / "models" / "recipes" / "plate.toml"
    references = [word for part, length in lengths.items() for word in ("--reference", f"{part}={length}")]
    asked = ("run", str(study), "--pictures", str(tmp_path / "placements"), "--by", str(by))
    first = gauge(*asked, "--measure", "width_px", *references)
    damaged = [row for row in rows(study) if not row["value"]]
    shutil.copy(
        tmp_path / "placements" / "left" / "bar-10" / "1.png", tmp_path / "placements" / "left" / "bar-10" / "2.png"
    )
    again = gauge(*asked)
    reported = gauge("report", str(study), "--tolerance", "20")

    assert (1, 0, 0) == (first.returncode, again.returncode, reported.returncode), reported.stderr
    assert [("bar-10", "left", "3")] == [(row["part"], row["operator"], row["trial"]) for row in damaged]
    assert "not a picture" in damaged[0]["note"]
    document = json.loads((tmp_path / "bars.json").read_text())
    assert "acceptable" == document["ruling"], reported.stdout
    assert abs(document["bias"]["mean"]["mean"]) < 2
    assert "px" == document["unit"]
    assert reported.stdout.startswith("The gauge is acceptable by AIAG's rules")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "new.csv"), "--measure for a new study"),
        (("run", "new.csv", "--measure", "score"), "a new study without parts"),
        (("run", "new.csv", "--measure", "score", "--pictures", "."), "nobody to judge them"),
        (("run", "made.csv", "--parts", "3"), "is there already"),
        (("run", "made.csv", "--measure", "length_mm"), "measures 'score', not 'length_mm'"),
        (("run", "else.csv"), "does not say what it measures"),
        (("report", "absent.csv"), "cannot be read"),
        (("report", "else.csv", "--reference", "1"), "PART=VALUE"),
        (("report", "else.csv", "-o", "page.pdf"), "ends in .html"),
        (("report", "made.csv"), "4 measurements of the study are missing"),
    ],
)
def test_what_is_declared_wrongly_is_refused_by_name(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    (tmp_path / "else.csv").write_text("part,operator,trial,value\n1,A,1,2\n1,A,2,3\n")
    (tmp_path / "made.csv").write_text(
        "part,operator,trial,value,measured\n"
        + "".join(f"{part},A,{trial},,score\n" for part in "12" for trial in "12")
    )

    refused = subprocess.run(
        [sys.executable, "-m", "lineside", "gauge", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert 2 == refused.returncode
    assert words in " ".join(refused.stderr.split())


@pytest.fixture
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("needs chromium: .ci/need chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, which drives the browser")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def test_the_page_opens_offline_fits_every_window_and_draws_within_its_charts(browser: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    lines = ["part,operator,trial,value,reference"]
    for part in range(8):
        for operator in ("Ann", "Bob", "<b>Cleo</b>"):
            lines += [f"{part},{operator},{trial},{part + rng.normal(0, 0.2):.3f},{part}" for trial in (1, 2, 3)]
    (tmp_path / "study.csv").write_text("\n".join(lines))
    reported = gauge("report", str(tmp_path / "study.csv"), "--tolerance", "4", "--unit", "mm")
    assert 0 == reported.returncode, reported.stderr
    complaints: list[str] = []
    asked_for: list[str] = []
    for width in (360, 1400):
        page = browser.new_page(viewport={"width": width, "height": 800}, offline=True)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("request", lambda request: asked_for.append(request.url))
        page.goto((tmp_path / "study.html").as_uri())
        assert 0 == page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert 7 == page.locator("figure.chart > svg").count()
        outside = page.evaluate(
            """[...document.querySelectorAll("figure.chart > svg *:not(title)")].filter(each => {
                const box = each.getBBox(), view = each.ownerSVGElement.viewBox.baseVal;
                const right = box.x + box.width, bottom = box.y + box.height;
                return box.x < -1 || box.y < -1 || right > view.width + 1 || bottom > view.height + 1;
            }).map(each => each.outerHTML)"""
        )
        assert [] == outside
        answer = " ".join(page.locator("h1").inner_text().split())
        assert " ".join(reported.stdout.split()).startswith(answer.replace("\N{NO-BREAK SPACE}", " "))

    assert [] == complaints
    assert 2 == len(asked_for), "the page itself and nothing else"
