"""The report in a real browser: what stands on it, that it asks for nothing, and that no name on it can do harm."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from reinspected_plates import NASTY, Plates, reinspected_plates

from lineside.core.errors import FrameError
from lineside.core.finding import Detection
from lineside.core.frame import Frame
from lineside.core.pixel_format import PixelFormat
from lineside.reinspect.report import part_keys, write_report
from lineside.reinspect.row import Row, State, table_of
from lineside.reinspect.summary import RunFacts, Summary, summarise

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, which drives the browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: .ci/need chromium")


@dataclass
class Opened:
    """A page as the browser has it, and all that it did on its own."""

    page: Any
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def texts(self, selector: str) -> list[str]:
        return [" ".join(text.split()) for text in self.page.locator(selector).all_inner_texts()]

    def overflows(self) -> int:
        """Pixels by which the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


@pytest.fixture
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def opened(browser: Any, path: Path, **options: Any) -> Opened:
    page = browser.new_page(**options)
    found = Opened(page)
    page.on("console", lambda message: found.console.append(message.text))
    page.on("pageerror", lambda error: found.console.append(str(error)))
    page.on("dialog", lambda dialog: found.console.append(f"dialog: {dialog.message}"))
    page.on("request", lambda request: found.requests.append(request.url))
    page.goto(path.as_uri())
    return found


@dataclass(frozen=True)
class Reported:
    plates: Plates
    summary: Summary
    path: Path


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    out = tmp_path_factory.mktemp("run")
    plates = reinspected_plates(out, 30)
    summary = summarise(plates.rows_path, plates.run)
    return Reported(plates, summary, write_report(out, summary, plates.rows_path, plates.look))


def outside(requests: list[str]) -> list[str]:
    return [url for url in requests[1:] if not url.startswith("data:")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_opens_without_a_complaint_and_asks_for_nothing(browser: Any, reported: Reported, scheme: str) -> None:
    page = opened(browser, reported.path, color_scheme=scheme, offline=True)

    assert [] == page.console
    assert [] == outside(page.requests)
    assert [reported.summary.answer] == page.texts("h1")
    background = page.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 24, 29)"}[scheme] == background


def test_every_figure_of_the_summary_stands_on_the_page(browser: Any, reported: Reported) -> None:
    page, summary = opened(browser, reported.path), reported.summary
    tiles = dict(zip(page.texts(".tiles dt"), page.texts(".tiles dd"), strict=True))
    rows = page.texts("#figures tbody tr")

    assert ("30", str(summary.known_bad), "1", "0") == tuple(
        tiles[name] for name in ("parts", "known bad", "unreadable", "not kept")
    )
    for candidate in summary.candidates:
        counts = [candidate.verdicts.get(name, 0) for name in ("PASS", "FAIL", "NOT_INSPECTED")]
        assert any(
            re.fullmatch(rf"{re.escape(candidate.label)} {' '.join(map(str, counts))} 0 1 0", row) for row in rows
        )
        assert candidate.truth is not None
        escapes = candidate.truth.escapes
        assert any(row.startswith(candidate.label) and f"{escapes.count} of {escapes.of}" in row for row in rows)
    for told in summary.comparisons:
        assert told.words in page.texts("#figures li")
    assert summary.rows_sha256 in page.page.inner_text("#identity")
    assert summary.run.command == page.page.inner_text("#identity pre")
    assert ["1"] == page.texts("#unreadable tbody td:first-child")


def test_each_list_shows_its_parts_with_pictures_and_heat_maps_side_by_side(browser: Any, reported: Reported) -> None:
    page, summary = opened(browser, reported.path), reported.summary
    pictures = page.page.evaluate(
        "[...document.images].map(i => [i.naturalWidth, i.naturalHeight, i.alt, i.getBoundingClientRect().width])"
    )
    caught = next(each for each in summary.comparisons if each.changes.after == "B").changes.newly_rejected

    assert len(pictures) == 3 * len(part_keys(summary)), "as taken, as A and as B see it; each part once"
    assert all((480, 360) == (width, height) and alt and shown > 100 for width, height, alt, shown in pictures)
    section = page.page.locator("section", has=page.page.locator("h2", has_text="Passed by the station, rejected by B"))
    names = [note.part_id or note.part_key for note in caught.parts]
    assert [" ".join(name.split()) for name in names] == [
        " ".join(text.split()) for text in section.locator("h4").all_inner_texts()
    ]
    assert section.locator(".pictures").count() == len(names)
    # The heat map differs from the picture as it was taken.
    taken, as_b = (section.locator("figure img").nth(place).get_attribute("src") for place in (0, 2))
    assert taken != as_b


def test_a_name_that_is_markup_is_shown_as_text(browser: Any, tmp_path: Path) -> None:
    rows = [
        Row(
            part_key=f"{NASTY}{number}",
            candidate="</style><img src=x onerror=alert(2)>",
            part_id=NASTY,
            state=State.UNREADABLE if number == 3 else State.JUDGED,
            error=f"{NASTY}.png: gone" if number == 3 else "",
            outcome="" if number == 3 else "FAIL",
            detail="<b>bold</b>",
            score=None if number == 3 else 2.0,
            truth_bad=False,
            truth_class="<i>",
            provider="<u>cpu</u>",
        )
        for number in range(4)
    ]
    path = tmp_path / "rows.parquet"
    pq.write_table(table_of(rows), path)
    run = RunFacts(command=f"lineside reinspect '{NASTY}'", source=NASTY, candidates={NASTY: {NASTY: NASTY}})
    page = opened(browser, write_report(tmp_path, summarise(path, run), path, gone))

    assert [] == page.console
    assert [] == outside(page.requests)
    assert 0 == page.page.locator("script, b, i, u, img").count()
    assert NASTY in page.page.inner_text("main")
    assert NASTY in page.page.title()
    assert "No picture: x.png: vanished" in page.texts(".part p")


def test_each_view_stands_in_a_row_and_a_candidate_that_lacks_it_says_so(browser: Any, tmp_path: Path) -> None:
    def frame(view: str) -> Frame:
        return Frame(
            view=view,
            pixels=np.full((30, 900), 3000, np.uint16),
            pixel_format=PixelFormat.MONO12,
            frame_id=0,
            captured_utc_ns=0,
            captured_mono_ns=0,
            camera_serial="",
        )

    def look(key: str) -> Any:
        nothing = Detection(score=0.1)
        both = {"top": (frame("top"), nothing), "side": (frame("side"), nothing)}
        return {"A: one": {"top": both["top"]}, "B: two": both}

    rows = [
        Row(part_key="p", candidate=label, state=State.JUDGED, outcome=outcome, score=score)
        for label, outcome, score in (("A: one", "PASS", 0.5), ("B: two", "FAIL", 1.5))
    ]
    path = tmp_path / "rows.parquet"
    pq.write_table(table_of(rows), path)
    run = RunFacts(command="lineside reinspect", source="archive")
    page = opened(browser, write_report(tmp_path, summarise(path, run), path, look))

    assert ["top", "A PASS 0.50", "B FAIL 1.50", "side", "A PASS 0.50", "B FAIL 1.50"] == page.texts(
        ".pictures figcaption"
    )
    assert ["no picture"] == page.texts(".nothing")
    assert 5 == page.page.locator(".pictures img").count()


def gone(key: str) -> Any:
    raise FrameError("x.png: vanished")


@pytest.mark.parametrize("width_px", [360, 768, 1600])
def test_nothing_is_wider_than_the_window(browser: Any, reported: Reported, width_px: int) -> None:
    page = opened(browser, reported.path, viewport={"width": width_px, "height": 900})

    assert page.overflows() <= 0
    assert any(len(name) > 150 for name in page.texts("h4")), "a long name is on the page"


def test_everything_can_be_reached_by_keyboard(browser: Any, reported: Reported) -> None:
    page = opened(browser, reported.path, viewport={"width": 500, "height": 900}).page
    page.keyboard.press("Tab")
    first = page.evaluate("document.activeElement.textContent")
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.textContent")
        )

    assert "Skip to the figures" == first
    assert {"Verdicts", "Escapes and overkill", "Scores", "Identity"} <= reached
    assert 0 == page.locator("svg[role=img]:not([aria-label])").count()
    assert 0 == page.locator("img:not([alt])").count()
    assert page.locator("svg[role=img]").count() >= 4


def test_printed_pages_are_a4_light_and_without_navigation(browser: Any, reported: Reported, tmp_path: Path) -> None:
    page = opened(browser, reported.path, color_scheme="dark").page
    printed = page.pdf(prefer_css_page_size=True)
    page.emulate_media(media="print")

    assert printed.startswith(b"%PDF")
    assert re.findall(rb"/MediaBox \[0 0 (\d+)[.\d]* (\d+)", printed)[0] == (b"594", b"841")
    assert "none" == page.evaluate("getComputedStyle(document.querySelector('nav')).display")
    assert "rgb(255, 255, 255)" == page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_pictures_stop_where_the_page_has_reached_its_size(reported: Reported, tmp_path: Path) -> None:
    plates, summary = reported.plates, reported.summary
    shown: list[str] = []
    path = write_report(
        tmp_path, summary, plates.rows_path, plates.look, max_pictures_bytes=200_000, shown=shown.append
    )

    assert 200_000 < path.stat().st_size < 500_000
    assert 2 < path.read_text().count("<img") < 3 * len(part_keys(summary))
    assert "this page has reached its size" in path.read_text()
    assert list(part_keys(summary)) == shown


def test_an_empty_run_has_a_page_too(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(table_of([]), path)
    summary = summarise(path, RunFacts(command="lineside reinspect empty/", source="empty/"))
    page = opened(browser, write_report(tmp_path, summary, path, gone))

    assert ["There was nothing to inspect."] == page.texts("h1")
    assert [] == page.console
