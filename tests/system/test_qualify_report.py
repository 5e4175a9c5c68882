"""`lineside qualify` as a shell runs it, and its page in a real browser: it asks for nothing, and no name harms it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from labelled_pictures import Shown, brightness_package, write_data

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NASTY = "bad/<img src=x onerror=alert(1)>&'\".png"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of escapes, overkill, masks, a part that was not inspected and a file that is none."""
    folder = tmp_path_factory.mktemp("report")
    brightness_package(folder / "models" / "tiny")
    shown = [
        *(Shown(name=f"good/{index}.png", good=True, brightness=40 + 2 * index) for index in range(12)),
        Shown(name="good/bright.png", good=True, brightness=190),
        *(
            Shown(name=f"bad/{side}-{index}.png", good=False, brightness=150 + 20 * index, side_px=side, mask=True)
            for side in (2, 3, 4, 8)
            for index in range(4)
        ),
        Shown(name="bad/lost.png", good=False, brightness=255),
        Shown(name=NASTY, good=False, brightness=60, class_name="<b>dull</b>"),
    ]
    data = write_data(folder / "data", [*shown, Shown(name="bad/none.png", good=False, brightness=200)])
    (data / "bad" / "none.png").write_bytes(b"no picture")
    words = ["qualify", "tiny", "data", "--mm-per-px", "0.1", "--repeat-parts", "6", "--trials", "2"]
    ended = subprocess.run(
        [sys.executable, "-m", "lineside", *words, "-o", "report.html"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "Escapes: " in ended.stdout and "AUROC 0." in ended.stdout and "Judging" in ended.stderr
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("needs chromium: .ci/need chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, which drives the browser")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize(
    "look",
    [{"viewport": {"width": 1180, "height": 900}}, {"viewport": {"width": 390, "height": 800}}],
    ids=["wide", "phone"],
)
def test_the_page_stands_by_itself_and_is_as_wide_as_its_window(page: Path, browser: Any, look: dict[str, Any]) -> None:
    opened = browser.new_page(**look)
    noise: list[str] = []
    opened.on("console", lambda message: noise.append(message.text))
    opened.on("dialog", lambda dialog: noise.append(dialog.message))
    opened.on("request", lambda request: noise.append(request.url))
    opened.goto(f"file://{page}")

    assert [each for each in noise if not each.startswith(("data:", f"file://{page}"))] == []
    assert opened.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    assert opened.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    opened.close()


def test_the_page_says_what_the_json_says(page: Path, browser: Any) -> None:
    told = json.loads(page.with_suffix(".json").read_text())
    opened = browser.new_page()
    opened.goto(f"file://{page}")

    assert opened.locator("h1").inner_text().replace("\N{NO-BREAK SPACE}", " ") == told["answer"]
    assert NASTY in told["worst_escapes"]
    assert NASTY in opened.locator("#escapes h4").all_inner_texts()
    assert opened.locator("#escapes img").count() == 2 * len(told["worst_escapes"])
    assert "good/bright.png" in opened.locator("#overkill h4").all_inner_texts()
    assert "bad/none.png" in opened.locator("#not-judged").inner_text()
    assert f"{told['pixels']['aupro']:.3f}" in opened.locator("#pixels").inner_text()
    assert opened.locator("#repeatability svg circle").count() == 6 * 5 * 2
    assert "a90" in opened.locator("#sizes").inner_text()
    assert told["data"]["sha256"] in opened.locator("#identity").inner_text()
    opened.close()
