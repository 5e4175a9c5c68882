"""`lineside locate`: what a package's locate step finds in pictures, told and drawn for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import track

from lineside.core.errors import ConfigError, NotLocated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lineside.core.frame import Pixels
    from lineside.core.pixel_format import PixelFormat
    from lineside.detectors.package import ModelPackage
    from lineside.imaging.locate import Located

__all__ = ["locate"]

_TILES_ACROSS = 3
_MARK_BGR = (54, 67, 244)
_REFUSED_BGR = (0, 152, 255)


def locate(
    *,
    package: Annotated[Path, typer.Argument(metavar="PACKAGE|RECIPE", help="A package's folder, or a recipe file.")],
    data: Annotated[
        Path, typer.Argument(help="A picture, a folder of pictures, or data to train on: then train and val of it.")
    ],
    show: Annotated[Path | None, typer.Option(help="PNG to draw: each frame with the part, and the part.")] = None,
    view: Annotated[str, typer.Option(help="View of the recipe, where it has several that locate.")] = "",
    models_dir: Annotated[Path, typer.Option(help="Where the packages lie that the recipe names.")] = Path("models"),
    most: Annotated[int, typer.Option(min=1, help="Draw at most so many pictures.")] = 30,
) -> None:
    """Find the part in pictures as the package would. Ends with 1 when one of them could not be located."""
    from lineside.imaging.locate import locate as locate_part

    chosen = _package_of(package, view, models_dir)
    pattern = chosen.preparation().pattern
    if pattern is None:
        raise ConfigError(
            f"{chosen.folder} looks at the whole frame",
            expected="a package that finds the part first",
            remedy="train one with `lineside train DATA -o … --locate`",
        )
    pixel_format = chosen.manifest.input.pixel_format
    tiles, lost = [], 0
    console = Console(highlight=False, soft_wrap=True)
    for path in track(_pictures(data), "Locating", console=Console(stderr=True)):
        pixels = _read(path, pixel_format)
        try:
            part = locate_part(pixels, pattern)
        except NotLocated as error:
            lost += 1
            console.print(f"{path.name}: not located: {error.what}", style="red", markup=False)
            tiles.append(_tile(path.name, pixels, pixel_format, None))
            continue
        (x, y) = part.pose.middle(part.pixels.shape[1], part.pixels.shape[0])
        fit = f"turned by {part.pose.angle_deg:.1f}°, correlation {part.correlation:.3f}"
        console.print(f"{path.name}: its middle at {x:.1f}, {y:.1f} px, {fit}", markup=False)
        tiles.append(_tile(path.name, pixels, pixel_format, part))
    console.print(f"{len(tiles) - lost} of {len(tiles)} located")
    if show is not None:
        _draw(tiles[:most], show)
        console.print(f"drawn: {show}", markup=False)
    if lost:
        raise typer.Exit(1)


def _package_of(place: Path, view: str, models_dir: Path) -> ModelPackage:
    from lineside.config.recipe_file import read_recipe
    from lineside.detectors.declaration import read_declaration
    from lineside.detectors.package import load_package

    if place.suffix != ".toml":
        return load_package(place if place.is_dir() else models_dir / place)
    recipe = read_recipe(place)
    if view and view not in recipe.views:
        raise ConfigError(f"no view {view} in {place}", expected=f"one of {', '.join(recipe.views)}")
    folders = {name: models_dir / each.package for name, each in recipe.views.items() if view in ("", name)}
    locating = {name for name, folder in folders.items() if read_declaration(folder).manifest.input.locate is not None}
    if len(locating) != 1:
        raise ConfigError(
            f"{len(locating)} views of {place} locate their part: {', '.join(sorted(locating)) or 'none'}",
            expected="one, or --view to choose",
        )
    return load_package(folders[locating.pop()])


def _pictures(data: Path) -> list[Path]:
    from lineside.train.dataset import SPLIT_FILE, read_dataset
    from lineside.train.training_images import listed_images

    if (data / SPLIT_FILE).is_file() or (data / "good").is_dir():
        pictures = read_dataset(data).for_training()
        return [picture.path for picture in (*pictures.train, *pictures.val)]
    return listed_images([data])


def _read(path: Path, pixel_format: PixelFormat) -> Pixels:
    from lineside.train.training_images import ImageSource, size_of

    return ImageSource(pixel_format=pixel_format, size_px=size_of(path)).read(path)


def _tile(name: str, pixels: Pixels, pixel_format: PixelFormat, part: Located | None) -> NDArray[Any]:
    """The frame with the part's outline, and beside it the part as the model sees it."""
    import cv2

    from lineside.imaging.draw import as_bgr8
    from lineside.train.sheet_tiles import tile

    frame = as_bgr8(pixels, pixel_format)
    thick = max(1, frame.shape[1] // 200)
    beside = np.full_like(frame, 250)
    if part is None:
        cv2.rectangle(frame, (0, 0), (frame.shape[1] - 1, frame.shape[0] - 1), _REFUSED_BGR, 3 * thick)
        return tile(f"{name}: not located", np.hstack([frame, beside]))
    height, width = part.pixels.shape[:2]
    corners = np.rint(part.pose.outline(width, height)).astype(np.int32)
    cv2.polylines(frame, [corners], True, _MARK_BGR, thick, cv2.LINE_AA)
    share = min(frame.shape[0] / height, frame.shape[1] / width)
    small = cv2.resize(as_bgr8(part.pixels, pixel_format), (int(width * share), int(height * share)))
    beside[: small.shape[0], : small.shape[1]] = small
    return tile(name, np.hstack([frame, beside]))


def _draw(tiles: list[NDArray[Any]], show: Path) -> None:
    import cv2

    highest = max(tile.shape[0] for tile in tiles)
    # Pictures may differ in height; the last row may be short.
    padded = [
        cv2.copyMakeBorder(each, 0, highest - each.shape[0], 0, 0, cv2.BORDER_CONSTANT, value=(250, 250, 250))
        for each in tiles
    ]
    padded += [np.full_like(padded[0], 250)] * (-len(padded) % _TILES_ACROSS)
    rows = [np.hstack(padded[first : first + _TILES_ACROSS]) for first in range(0, len(padded), _TILES_ACROSS)]
    show.write_bytes(cv2.imencode(".png", np.vstack(rows))[1].tobytes())
