"""`lineside train`: model packages from pictures of good parts, in seconds and without torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat

if TYPE_CHECKING:
    from lineside.train.template_package import TrainedTemplate
    from lineside.train.training_images import Fit

__all__ = ["demo_plate", "template", "train_app"]

train_app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

_TIMED_RUNS = 20


@train_app.command()
def template(
    *,
    good_images: Annotated[list[Path], typer.Argument(help="Pictures of good parts, or folders of them.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the new package, models/<name>.")],
    pixel_format: Annotated[PixelFormat, typer.Option(help="What the camera sends.")] = PixelFormat.MONO8,
    file_pixel_format: Annotated[
        PixelFormat | None, typer.Option(help="What the files hold, where that is something else.")
    ] = None,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT in px; left out, that of the first picture.")] = "",
    fit: Annotated[str, typer.Option(help="Pictures of another size: refuse, pad, crop or resize.")] = "refuse",
    package_id: Annotated[str, typer.Option("--id", help="Id of the package; left out, its folder's name.")] = "",
    revision: Annotated[int, typer.Option(min=1, help="Revision of the package.")] = 1,
    licence: Annotated[str, typer.Option(help="Licence of the package.")] = "proprietary",
    shift_px: Annotated[float, typer.Option(min=0, help="How far parts may sit off their place, in px.")] = 1.5,
    overkill: Annotated[
        float, typer.Option(min=1e-6, max=0.2, help="Share of good parts that may be rejected.")
    ] = 0.001,
    reduce: Annotated[
        int, typer.Option(min=0, help="Average so many px each way into one; 0: to a long side near 320 px.")
    ] = 0,
    sheet: Annotated[
        Path | None, typer.Option(help="PNG for people: the template and the good part that fits it worst.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a package that is there.")] = False,
) -> None:
    """Make an anomaly-map package of good, fixtured parts: what is usual at every place, and how much it varies.

    The threshold comes from the good pictures alone: each is scored by a template made without it.
    """
    from lineside.train.template import TemplateSettings, reduction_for
    from lineside.train.template_package import TemplateOrder, train_template
    from lineside.train.training_images import ImageSource, listed_images, size_of

    images = listed_images(good_images)
    size_px = _parsed_size(size) if size else size_of(images[0])
    source = ImageSource(
        pixel_format=pixel_format, size_px=size_px, fit=_known_fit(fit), file_pixel_format=file_pixel_format
    )
    settings = TemplateSettings(reduce=reduce or reduction_for(*size_px), shift_px=shift_px, overkill_rate=overkill)
    order = TemplateOrder(
        id=package_id or output.resolve().name,
        revision=revision,
        licence=licence,
        pixel_format=pixel_format,
        size_px=size_px,
        settings=settings,
        source={"first": images[0].name, "last": images[-1].name, "fit": fit},
        replace=overwrite,
    )
    _refuse_existing(output, overwrite=overwrite)
    with _progress(len(images) + settings.folds + 1) as tick:
        trained = train_template(
            output, order, count=len(images), read=lambda index: source.read(images[index]), tick=tick
        )
    worst_name = images[trained.worst_index].name
    _draw(trained, sheet or output.with_name(f"{output.name}-template.png"), worst_name)
    _summary(trained, len(images))


@train_app.command("demo-plate")
def demo_plate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the package.")] = Path("models/demo-plate"),
    sheet: Annotated[Path | None, typer.Option(help="PNG for people, as `template` draws it.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a package that is there.")] = False,
) -> None:
    """Make the shipped package demo-plate again, from rendered good parts."""
    from lineside.train.demo_plate import DEMO_ORDER, IMAGES, train_demo_plate

    _refuse_existing(output, overwrite=overwrite)
    with _progress(IMAGES + DEMO_ORDER.settings.folds + 1) as tick:
        trained = train_demo_plate(output, tick=tick)
    if sheet is not None:
        _draw(trained, sheet, f"index {trained.worst_index}")
    _summary(trained, IMAGES)


def _parsed_size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise ConfigError(f"--size {text}", expected="WIDTHxHEIGHT in px, such as 640x480")
    return int(width), int(height)


def _known_fit(text: str) -> Fit:
    match text:
        case "refuse" | "pad" | "crop" | "resize":
            return text
        case _:
            raise ConfigError(f"--fit {text}", expected="refuse, pad, crop or resize")


def _refuse_existing(folder: Path, *, overwrite: bool) -> None:
    """Before the work, not after it."""
    if folder.exists() and not overwrite:
        raise ConfigError(f"{folder} exists", expected="a new folder", remedy="choose another, or say --overwrite")


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("Reading good parts, making templates", total=total)
        yield lambda: progress.advance(task)
        progress.update(task, completed=total)


def _draw(trained: TrainedTemplate, sheet: Path, worst_name: str) -> None:
    import cv2

    from lineside.train.template_sheet import contact_sheet

    picture = contact_sheet(trained, trained.package.manifest.input.pixel_format, worst_name)
    sheet.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    Console(highlight=False, soft_wrap=True).print(f"{'picture':>10}  {sheet}", markup=False)


def _summary(trained: TrainedTemplate, count: int) -> None:
    package, manifest = trained.package, trained.package.manifest
    spread = manifest.training["threshold"]
    console = Console(highlight=False, soft_wrap=True)
    rows = {
        "package": f"{package.folder}, revision {package.identity.revision}, {package.identity.sha256[:12]}",
        "threshold": f"{manifest.threshold.value:g}: {manifest.threshold.set_by}",
        "good parts": f"{count}; held out, they score {spread['held_out_median']} in the median, "
        f"{spread['held_out_highest']} at most; {spread['held_out_at_or_above']} would be rejected",
        "time": f"{_milliseconds(trained):.1f} ms a frame on one core of this machine",
        "next": f"lineside models verify {package.folder}, then name it in a recipe",
    }
    for name, text in rows.items():
        console.print(f"{name:>10}  {text}", markup=False)


def _milliseconds(trained: TrainedTemplate) -> float:
    from lineside.detectors.preparation import Preparation
    from lineside.detectors.session import open_session

    session = open_session(trained.package.graph_path, providers=("cpu",))
    spec, output = trained.package.manifest.input, trained.package.manifest.output
    tensor, _ = Preparation(spec).prepare(trained.worst_image)
    session.run(output.names, spec.name, tensor)
    started = time.perf_counter()
    for _ in range(_TIMED_RUNS):
        session.run(output.names, spec.name, tensor)
    return (time.perf_counter() - started) / _TIMED_RUNS * 1e3
