"""Every page about a calibration in a real browser: whole, quiet, readable on a telephone, and asking for nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from calibrated_project import MADE, Setting, calibrate_project
from simulated_part import part

from lineside.calibrate.checking import CheckOrder, check_view
from lineside.calibrate.flat_fit import fit_flat
from lineside.calibrate.frames import Shot, dark_stack, flat_stack, level_stack
from lineside.calibrate.light_fit import fit_light
from lineside.calibrate.report import flat_page, light_page
from lineside.calibrate.results import Occasion, flat_arrays, flat_table, light_arrays, light_table
from lineside.calibrate.sensor_fit import Level, fit_sensor
from lineside.config.calibration_check import CheckTable
from lineside.config.calibration_file import write_calibration
from lineside.config.calibration_tables import CameraTable
from lineside.core.pixel_format import PixelFormat
from lineside.testing.simulated_sensor import SimulatedSensor

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, which drives the browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: .ci/need chromium")

PAGES = ("flat", "light", "check")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    texts = {"flat": _flat(folder), "light": _light(folder)}
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text)
    calibrate_project(folder, light=False)
    order = CheckOrder(
        project=folder, station="press-4", view="face", limits=CheckTable(), folder=folder / "checks",
        made_utc=datetime.now(UTC), made_by="b. <worker>",
    )  # fmt: skip
    checked = check_view(order, Setting(focal=1.006).target()).page
    assert checked is not None
    return {"check": checked, **{name: folder / f"{name}.html" for name in texts}}


def _occasion(size_px: tuple[int, int], pixel_format: PixelFormat) -> Occasion:
    camera = CameraTable(serial="A7", size_px=size_px, pixel_format=pixel_format.value)
    return Occasion(
        station="press-4", view="face", revision=1, made_utc=MADE, made_by="a. worker", temperature_c=22.0,
        camera=camera, target=None,
    )  # fmt: skip


def _flat(folder: Path) -> str:
    sensor = SimulatedSensor(size_px=(80, 60), dead=2, seed=1)

    def shots(electrons: float) -> list[Shot]:
        return [Shot(name=f"{electrons:.0f}-{n}", pixels=sensor.frame(electrons, n + int(electrons))) for n in range(9)]

    fit = fit_flat(
        dark_stack(shots(0), sensor.pixel_format), flat_stack(shots(7_000), sensor.pixel_format), sensor.pixel_format
    )
    levels = [Level(exposure_us=e / 10, stack=level_stack(shots(e)[:2])) for e in range(1_000, 17_000, 2_500)]
    found = fit_sensor(fit.dark, levels, fit.bad == 0, fit.response_sd)
    table = flat_table(fit, found, 700.0, _occasion(sensor.size_px, sensor.pixel_format))
    return flat_page(write_calibration(folder, table, flat_arrays(fit)), fit, found)


def _light(folder: Path) -> str:
    good = [Shot(name=f"good-{n}.png", pixels=part(seed=n)) for n in range(5)]
    fit = fit_light([*good, Shot(name="blurred.png", pixels=part(blur=6.0))], PixelFormat.MONO8)
    table = light_table(fit, _occasion((480, 360), PixelFormat.MONO8))
    return light_page(write_calibration(folder, table, light_arrays(fit)), fit)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("scheme", "width"), [("light", 1120), ("dark", 1120), ("light", 390)])
def test_a_page_opens_without_a_complaint_and_asks_for_nothing(
    browser: Any, pages: dict[str, Path], name: str, scheme: str, width: int
) -> None:
    heard: list[str] = []
    asked: list[str] = []
    page = browser.new_page(color_scheme=scheme, offline=True, viewport={"width": width, "height": 900})
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(pages[name].as_uri())

    assert heard == []
    assert [url for url in asked[1:] if not url.startswith("data:")] == []
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    page.close()


def test_the_check_shows_what_did_not_pass_and_what_to_do(browser: Any, pages: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto(pages["check"].as_uri())

    assert page.locator("h1").inner_text() == "Not passed: scale"
    failed = page.locator("tr:has(td.failed)").inner_text()
    assert failed.startswith("scale") and "To do: " in failed
    assert "b. <worker>" in page.locator("header").inner_text(), "names are text, whatever they hold"
    page.close()


def test_the_flat_field_shows_its_maps_and_both_curves(browser: Any, pages: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto(pages["flat"].as_uri())

    assert page.locator("#curves svg circle").count() == 2 * 7
    assert page.locator("#pictures img").count() == 5
    assert page.locator("#maps svg rect.cell").count() == 48
    page.close()
