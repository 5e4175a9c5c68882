"""`lineside train defects`: what painted defects look like on one's own good parts, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lineside.commands.train_bank import LocateBy
from lineside.commands.train_words import known_fit, locate_order, parsed_size, progress
from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat

__all__ = ["defects"]

_PICTURES = 9


def defects(
    *,
    data: Annotated[Path, typer.Argument(help="Folder with split.csv, or with good/, or pictures of good parts.")],
    show: Annotated[Path, typer.Option(help="The PNG to write.")],
    locate: Annotated[
        bool, typer.Option("--locate", help="Parts move or turn in the picture: find each one first.")
    ] = False,
    locate_by: Annotated[
        LocateBy,
        typer.Option(help="How: outline (on even ground), round (unrolled), edges, or what fits the pictures."),
    ] = "auto",
    locate_box: Annotated[
        str,
        typer.Option(help="X,Y,WIDTH,HEIGHT in px of the part in the first good picture; then it is found by edges."),
    ] = "",
    pixel_format: Annotated[
        PixelFormat | None, typer.Option(help="What the camera sends; left out, what the first picture holds.")
    ] = None,
    file_pixel_format: Annotated[
        PixelFormat | None, typer.Option(help="What the files hold, where that is something else.")
    ] = None,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT in px; left out, that of the first picture.")] = "",
    fit: Annotated[str, typer.Option(help="Pictures of another size: refuse, pad, crop or resize.")] = "refuse",
    long_side: Annotated[
        int, typer.Option(min=0, help="Look at pictures of so many px along the long side; 0: some 150,000 px in all.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 0,
) -> None:
    """Draw a contact sheet of painted defects, three of each kind, each beside the same with its mask outlined.

    These are what `lineside train synthetic` learns from, and `lineside train segment` besides real ones. Needs no
    torch. Pictures of test are not opened.
    """
    import cv2

    from lineside.train.dataset import SplitOrder, read_dataset
    from lineside.train.defect_canvas import canvases
    from lineside.train.defects import KINDS
    from lineside.train.defects_sheet import defects_sheet
    from lineside.train.looking import look_at
    from lineside.train.training_images import ImageSource, format_of, size_of

    if show.suffix.lower() != ".png":
        raise ConfigError(f"--show {show}", expected="a name that ends in .png")
    good = read_dataset(data, SplitOrder(seed=seed)).for_training().good
    if not good:
        raise ConfigError(f"no good picture in the split train of {data}", expected="good parts to paint on")
    good = good[:: max(1, len(good) // _PICTURES)][:_PICTURES]
    source = ImageSource(
        pixel_format=pixel_format or format_of(good[0].path),
        size_px=parsed_size(size) if size else size_of(good[0].path),
        fit=known_fit(fit),
        file_pixel_format=file_pixel_format,
    )
    frames = [source.read(picture.path) for picture in good]
    order = locate_order(locate_by, locate_box, wanted=locate)
    look = look_at(frames, source.pixel_format, long_side, locate=order or False)
    with progress(len(frames) + 1, "Painting") as tick:
        pictures = []
        for frame in frames:
            pictures.append(look.planes_of(frame))
            tick()
        ground = canvases(pictures)
        sheet = defects_sheet(ground, source.pixel_format, seed)
    show.parent.mkdir(parents=True, exist_ok=True)
    show.write_bytes(cv2.imencode(".png", sheet)[1].tobytes())
    parts = sum(canvas.part is not None for canvas in ground)
    where = "anywhere: there is no background to tell the part from"
    if parts:
        where = f"on the part, which was told from its background in {parts} of {len(ground)} pictures"
    rows = {
        "picture": f"{show}",
        "painted": f"{len(KINDS)} kinds, {where}",
        "next": f"lineside train synthetic {data} -o models/NAME",
    }
    console = Console(highlight=False, soft_wrap=True)
    for name, text in rows.items():
        console.print(f"{name:>10}  {text}", markup=False)
