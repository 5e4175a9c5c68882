"""`lineside models quantize`: the same package in INT8, held against the original before it is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lineside.commands.package_option import MODELS, Name, Packages, folder_of
from lineside.core.errors import ConfigError, NotLocated
from lineside.core.pixel_format import PixelFormat

if TYPE_CHECKING:
    from lineside.core.frame import Pixels
    from lineside.detectors.package import ModelPackage
    from lineside.train.dataset import LabelledPicture
    from lineside.train.quantise import Quantised
    from lineside.train.quantise_comparison import Comparison, HeldOut

__all__ = ["quantize"]


def quantize(
    *,
    name: Name,
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Folder with split.csv, or with good/ and defect/.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the new package, models/<name>.")],
    method: Annotated[
        str, typer.Option(help="How ranges follow from what is seen: minmax, entropy or percentile.")
    ] = "minmax",
    calibrate_on: Annotated[int, typer.Option(min=1, help="At most so many pictures of train.")] = 48,
    max_change: Annotated[
        float, typer.Option(min=0.0, help="Of a score in calibration, as a share of the threshold; else float stays.")
    ] = 0.05,
    exclude: Annotated[list[str] | None, typer.Option(help="A node that stays in float; repeatable.")] = None,
    compare_on: Annotated[
        str, typer.Option(help="test or val; left out, test where it has pictures. It is only looked at.")
    ] = "",
    keep_anyway: Annotated[
        bool, typer.Option("--keep-anyway", help="Keep the package although it is not shown to be better.")
    ] = False,
    file_pixel_format: Annotated[
        PixelFormat | None, typer.Option(help="What the files hold, where that is not what the package wants.")
    ] = None,
    fit: Annotated[
        str, typer.Option(help="Pictures of another size than the first: refuse (each as it is), pad, crop or resize.")
    ] = "refuse",
    group: Annotated[str, typer.Option(help="Without split.csv: what it finds in file names is the part.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Of the split, as in training, without split.csv.")] = 0,
    val_share: Annotated[float, typer.Option(min=0, max=0.9, help="As in training, without split.csv.")] = 0.2,
    test_share: Annotated[float, typer.Option(min=0, max=0.9, help="As in training, without split.csv.")] = 0.2,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a package that is there.")] = False,
    models_dir: Packages = MODELS,
) -> None:
    """Make an INT8 package by static quantisation with pictures of train, and hold it against the original.

    Both judge the held-out pictures in turns on one core. It is kept where it is faster beyond doubt, no part that was
    right is wrong now, and it tells good from bad as well; otherwise the command says why not, and ends with 1.

    $ lineside models quantize gasket pictures -o models/gasket-int8
    """
    from lineside.commands.train_words import package_name, progress, refuse_existing
    from lineside.detectors.package import load_package
    from lineside.detectors.quantised_graph import METHODS
    from lineside.train.dataset import SplitOrder, read_dataset
    from lineside.train.quantise import QuantiseOrder, quantise, with_record

    refuse_existing(output, overwrite=overwrite)
    known = next((each for each in METHODS if each == method), None)
    if known is None:
        raise ConfigError(f"--method {method}", expected=f"one of {', '.join(METHODS)}")
    package = load_package(folder_of(name, models_dir))
    dataset = read_dataset(data, SplitOrder(seed=seed, val_share=val_share, test_share=test_share, group_pattern=group))
    split = compare_on or ("test" if dataset.of("test") else "val")
    if split not in ("test", "val"):
        raise ConfigError(f"--compare-on {split}", expected="test or val: pictures that nothing was made of")
    train, held_out = dataset.of("train"), dataset.of("test" if split == "test" else "val")
    if not train or not held_out:
        raise ConfigError(
            f"{len(train)} pictures of train and {len(held_out)} of {split} in {data}",
            expected="some of both: the ranges are made of the first, the comparison of the second",
        )
    _refuse_learned(package, held_out, split)
    chosen = train[:: max(1, -(-len(train) // calibrate_on))]
    order = QuantiseOrder(
        id=package_name("", output), method=known, max_change=max_change, left_out=tuple(exclude or ())
    )
    read = _reader(package, train[0], fit, file_pixel_format)
    with progress(len(chosen), "Calibrating") as tick:
        made = quantise(package, order, [read(each.path) for each in chosen], tick=tick)
    pictures, lost = _held_out(package, held_out, read)
    with progress(len(pictures), "Comparing") as tick:
        comparison = _compared(package, made, pictures, tick)
    against = comparison.against()
    _draw(comparison, output.with_name(f"{output.name}-quantised.png"))
    _say(comparison, made, split, lost)
    if against and not keep_anyway:
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            f"not kept: {package.identity.id} in INT8 is not shown to be better. --keep-anyway keeps it all the same.",
            markup=False,
        )
        raise typer.Exit(1)
    kept = with_record(output, package, made, comparison.record(split), replace=overwrite)
    words = "kept although it is not shown to be better" if against else "kept: faster, and as good as far as was shown"
    Console(highlight=False, soft_wrap=True).print(
        f"{words}: {output}, sha256 {kept.identity.sha256}. Its threshold is the original's: qualify it by itself.",
        markup=False,
    )


def _refuse_learned(package: ModelPackage, held_out: Sequence[LabelledPicture], split: str) -> None:
    from lineside.qualify.data_identity import learned_from, training_hashes

    _, hashes = training_hashes(package.folder)
    learned = learned_from([(each, each.sha256()) for each in held_out], hashes, ("train",))
    if learned:
        raise ConfigError(
            f"{len(learned)} pictures of {split} are ones that {package.identity.id} was made of, like {learned[0]}",
            expected="held-out pictures that it has never seen",
            remedy="give --seed, --val-share, --test-share and --group as in training, or a split.csv",
        )


def _reader(
    package: ModelPackage, first: LabelledPicture, fit: str, file_pixel_format: PixelFormat | None
) -> Callable[[Path], Pixels]:
    """Reads pictures as the station's camera would show them; with --fit all at the size of the first one."""
    from lineside.commands.train_words import known_fit
    from lineside.train.training_images import ImageSource, size_of

    kind = known_fit(fit)

    def read(path: Path) -> Pixels:
        source = ImageSource(
            pixel_format=package.manifest.input.pixel_format,
            size_px=size_of(path if kind == "refuse" else first.path),
            fit=kind,
            file_pixel_format=file_pixel_format,
        )
        return source.read(path)

    return read


def _held_out(
    package: ModelPackage, pictures: Sequence[LabelledPicture], read: Callable[[Path], Pixels]
) -> tuple[list[HeldOut], list[str]]:
    """With the names of those in which no part is found: neither of the two would look at them."""
    from lineside.train.quantise import frame_of
    from lineside.train.quantise_comparison import HeldOut

    pixel_format, preparation = package.manifest.input.pixel_format, package.preparation()
    found, lost = [], []
    for each in pictures:
        pixels = read(each.path)
        try:
            preparation.prepare(pixels)
        except NotLocated:
            lost.append(each.name)
            continue
        found.append(HeldOut(name=each.name, group=each.group, good=each.good, frame=frame_of(pixels, pixel_format)))
    if not found:
        raise ConfigError("no part is found in any held-out picture", expected="parts as the package knows them")
    return found, lost


def _compared(
    package: ModelPackage, made: Quantised, pictures: Sequence[HeldOut], tick: Callable[[], None]
) -> Comparison:
    import tempfile

    from lineside.detectors.onnx_detector import OnnxDetector
    from lineside.train.quantise import with_record
    from lineside.train.quantise_comparison import compare

    with tempfile.TemporaryDirectory() as folder:
        other = with_record(Path(folder, "int8"), package, made, {})
        sizes = (package.graph_path.stat().st_size, len(made.graph))
        return compare(OnnxDetector(package), OnnxDetector(other), pictures, sizes=sizes, tick=tick)


def _draw(comparison: Comparison, place: Path) -> None:
    import cv2

    from lineside.train.quantise_picture import scatter

    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(cv2.imencode(".png", scatter(comparison))[1].tobytes())
    Console(highlight=False, soft_wrap=True).print(f"{'picture':>12}  {place}", markup=False)


def _say(comparison: Comparison, made: Quantised, split: str, lost: Sequence[str]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for key, text in _rows(comparison, made, split, lost):
        console.print(f"{key:>12}  {text}", markup=False)


def _rows(comparison: Comparison, made: Quantised, split: str, lost: Sequence[str]) -> Iterator[tuple[str, str]]:
    middle, low, high = comparison.ratio
    area = comparison.area
    good = sum(each.good for each in comparison.seen)
    yield "in INT8", f"{len(made.in_int8)} weighted nodes; in float {', '.join(made.in_float) or 'none'}"
    yield "calibrated", f"on {made.pictures} pictures of train, {made.order.method}; scores move by {made.change:.2%}"
    yield "compared", f"on {len(comparison.seen)} pictures of {split}, {good} good; never used before"
    yield (
        "time",
        (
            f"{comparison.original_ms:.2f} ms before, {comparison.quantised_ms:.2f} ms now, on one core: "
            f"{middle:.2f} times (95 % bounds {low:.2f} to {high:.2f})"
        ),
    )
    yield "graph", f"{comparison.original_bytes / 1e6:.2f} MB before, {comparison.quantised_bytes / 1e6:.2f} MB now"
    yield "scores", f"move by at most {comparison.largest_change:.4g}; the threshold is {comparison.threshold:g}"
    if area is not None:
        yield (
            "area",
            (
                f"under the ROC {area.a:.4f} before, {area.b:.4f} now: {area.value:+.4f} "
                f"(95 % bounds {area.low:+.4f} to {area.high:+.4f})"
                + ("; not one pair of a good and a bad part has changed its order" if area.same_order else "")
            ),
        )
    for words, is_good, now in (
        ("bad parts now pass", False, False),
        ("bad parts are now rejected", False, True),
        ("good parts are now rejected", True, True),
        ("good parts now pass", True, False),
    ):
        names = comparison.changed(good=is_good, now_rejected=now)
        yield "verdicts", f"{len(names)} {words}{': ' if names else ''}{', '.join(names[:5])}"
    if lost:
        yield "not found", f"no part in {', '.join(lost[:5])}: neither would look at them"
    for reason in comparison.against():
        yield "against it", reason
