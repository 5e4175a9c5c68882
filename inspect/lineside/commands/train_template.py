"""`lineside train template`: a template of good, fixtured parts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lineside.commands.train_words import known_fit, milliseconds, package_name, parsed_size, progress, refuse_existing
from lineside.core.pixel_format import PixelFormat

if TYPE_CHECKING:
    from lineside.train.template_package import TrainedTemplate

__all__ = ["template"]


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
    size_px = parsed_size(size) if size else size_of(images[0])
    source = ImageSource(
        pixel_format=pixel_format, size_px=size_px, fit=known_fit(fit), file_pixel_format=file_pixel_format
    )
    settings = TemplateSettings(reduce=reduce or reduction_for(*size_px), shift_px=shift_px, overkill_rate=overkill)
    order = TemplateOrder(
        id=package_name(package_id, output),
        revision=revision,
        licence=licence,
        pixel_format=pixel_format,
        size_px=size_px,
        settings=settings,
        source={"first": images[0].name, "last": images[-1].name, "fit": fit},
        replace=overwrite,
    )
    refuse_existing(output, overwrite=overwrite)
    with progress(len(images) + settings.folds + 1, "Reading good parts, making templates") as tick:
        trained = train_template(
            output, order, count=len(images), read=lambda index: source.read(images[index]), tick=tick
        )
    worst_name = images[trained.worst_index].name
    _draw(trained, sheet or output.with_name(f"{output.name}-template.png"), worst_name)
    _summary(trained, len(images))


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
        "time": f"{milliseconds(trained.package, trained.worst_image):.1f} ms a frame on one core of this machine",
        "next": f"lineside models verify {package.folder}, then name it in a recipe",
    }
    for name, text in rows.items():
        console.print(f"{name:>10}  {text}", markup=False)
