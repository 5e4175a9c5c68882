"""`lineside models`: pack, verify, list and show model packages."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import tomli_w
import typer
from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax
from rich.table import Table

from lineside.commands.models_bench import bench
from lineside.commands.models_quantize import quantize
from lineside.commands.models_release import release, releases
from lineside.commands.models_threshold import threshold as threshold_command
from lineside.commands.package_option import MODELS, Name, Packages, folder_of
from lineside.core.errors import ConfigError, PackageError
from lineside.detectors.onnx_detector import OnnxDetector
from lineside.detectors.package import MANIFEST, ModelPackage, load_package

__all__ = ["models_app"]

models_app = typer.Typer(
    name="models",
    no_args_is_help=True,
    help="Pack, verify, list, set, quantize, measure and release packages.",
    rich_markup_mode=None,
)

models_app.command("threshold")(threshold_command)
models_app.command("bench")(bench)
models_app.command("quantize")(quantize)
models_app.command("release")(release)
models_app.command("releases")(releases)

INPUT, OUTPUT, RECORD = "Input: how a frame goes in", "Output: how the answer is read", "Record"


@models_app.command("pack")
def pack_command(
    *,
    graph: Annotated[Path, typer.Argument(help="The ONNX graph, from any tool.")],
    folder: Annotated[Path, typer.Option("-o", "--output", help="The package's new folder, like models/NAME.")],
    kind: Annotated[
        str | None, typer.Option(help="anomaly_map, segmentation, boxes or classes.", rich_help_panel=OUTPUT)
    ] = None,
    pixel_format: Annotated[
        str | None,
        typer.Option(help="Of the frames: Mono8, Mono10, Mono12, Mono16, RGB8 or BGR8.", rich_help_panel=INPUT),
    ] = None,
    scale: Annotated[
        str | None, typer.Option(help="Pixels are multiplied by it: a number, or like 1/255.", rich_help_panel=INPUT)
    ] = None,
    mean: Annotated[
        str | None, typer.Option(help="Then this is taken away, per channel: 0.485,0.456,0.406.", rich_help_panel=INPUT)
    ] = None,
    std: Annotated[
        str | None, typer.Option(help="Then they are divided by this, per channel.", rich_help_panel=INPUT)
    ] = None,
    in_graph: Annotated[
        bool, typer.Option("--in-graph", help="The graph normalises by itself: no --scale.", rich_help_panel=INPUT)
    ] = False,
    resize: Annotated[
        str | None, typer.Option(help="exact (nothing else is taken), stretch or letterbox.", rich_help_panel=INPUT)
    ] = None,
    interpolation: Annotated[
        str | None, typer.Option(help="area, halving or linear; with stretch and letterbox.", rich_help_panel=INPUT)
    ] = None,
    pad_value: Annotated[
        int | None, typer.Option(help="Pixel value around the frame; with letterbox.", rich_help_panel=INPUT)
    ] = None,
    letterbox_at: Annotated[
        str | None,
        typer.Option(help="Where a letterboxed frame lies: middle or top_left.", rich_help_panel=INPUT),
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option(help="same, reversed (RGB graph, BGR8 frames) or repeated (grey frames).", rich_help_panel=INPUT),
    ] = None,
    layout: Annotated[str | None, typer.Option(help="NCHW, NHWC, CHW or HWC.", rich_help_panel=INPUT)] = None,
    size: Annotated[
        str | None, typer.Option(help="Width,height in px, where the graph leaves them open.", rich_help_panel=INPUT)
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Class names in the graph's order: scratch,dent.", rich_help_panel=OUTPUT)
    ] = None,
    good: Annotated[
        str | None, typer.Option(help="Classes that are no defect; kind classes.", rich_help_panel=OUTPUT)
    ] = None,
    background: Annotated[
        str | None, typer.Option(help="The class that is no defect; segmentation.", rich_help_panel=OUTPUT)
    ] = None,
    class_name: Annotated[
        str | None, typer.Option(help="What findings of an anomaly_map are called.", rich_help_panel=OUTPUT)
    ] = None,
    activation: Annotated[
        str | None,
        typer.Option(help="Still to be applied: softmax, sigmoid or none.", rich_help_panel=OUTPUT),
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option(help="Of boxes: yolo, yolo_objectness, yolo_nms or torchvision.", rich_help_panel=OUTPUT),
    ] = None,
    map_output: Annotated[
        str | None, typer.Option("--map", help="Output with the map.", rich_help_panel=OUTPUT)
    ] = None,
    score: Annotated[str | None, typer.Option(help="Output with the frame's score.", rich_help_panel=OUTPUT)] = None,
    boxes: Annotated[str | None, typer.Option(help="Output with the boxes.", rich_help_panel=OUTPUT)] = None,
    scores: Annotated[str | None, typer.Option(help="Output with the scores.", rich_help_panel=OUTPUT)] = None,
    labels: Annotated[str | None, typer.Option(help="Output with the labels.", rich_help_panel=OUTPUT)] = None,
    label_offset: Annotated[
        int | None, typer.Option(help="Label of the first class; 1 where 0 is background.", rich_help_panel=OUTPUT)
    ] = None,
    coordinates: Annotated[
        str | None, typer.Option(help="Of boxes: pixels (of the input) or normalised.", rich_help_panel=OUTPUT)
    ] = None,
    min_score: Annotated[
        float | None, typer.Option(help="Boxes below it are not reported at all.", rich_help_panel=OUTPUT)
    ] = None,
    nms_iou: Annotated[
        float | None, typer.Option(help="Overlap from which a box is a double.", rich_help_panel=OUTPUT)
    ] = None,
    nms_across_classes: Annotated[
        bool, typer.Option("--nms-across-classes", help="A double may be of another class.", rich_help_panel=OUTPUT)
    ] = False,
    prototypes: Annotated[
        str | None, typer.Option(help="Output with the prototypes of YOLO's masks.", rich_help_panel=OUTPUT)
    ] = None,
    max_findings: Annotated[
        int | None, typer.Option(help="At most so many boxes, the best first.", rich_help_panel=OUTPUT)
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Scores from here on are findings.", rich_help_panel=OUTPUT)
    ] = None,
    threshold_set_by: Annotated[
        str | None, typer.Option(help="How that number came about.", rich_help_panel=RECORD)
    ] = None,
    licence: Annotated[str | None, typer.Option(help="The licence of the graph.", rich_help_panel=RECORD)] = None,
    made_by: Annotated[str | None, typer.Option(help="Who or what trained it.", rich_help_panel=RECORD)] = None,
    package_id: Annotated[
        str | None, typer.Option("--id", help="Its id; the folder's name if not given.", rich_help_panel=RECORD)
    ] = None,
    revision: Annotated[int, typer.Option(help="Its revision.", rich_help_panel=RECORD)] = 1,
    reference: Annotated[
        list[Path] | None,
        typer.Option(help="A picture in the pixel format, its answer is kept; repeatable.", rich_help_panel=RECORD),
    ] = None,
    abs_tolerance: Annotated[
        float, typer.Option(help="How far a reference may differ elsewhere.", rich_help_panel=RECORD)
    ] = 1e-3,
    rel_tolerance: Annotated[
        float, typer.Option(help="The same, as a share of the answer.", rich_help_panel=RECORD)
    ] = 1e-3,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a package that is there already.")] = False,
) -> None:
    """Make a package of an ONNX graph, from any tool.

    What the graph says of itself is read and printed; what it does not say must be declared: the pixel format, the
    scale, the threshold. Nothing is guessed.
    """
    # Taking graphs apart needs `onnx`, which no other command should wait for.
    from lineside.detectors.pack import Declarations, pack

    size_px = _numbers("--size", size)
    if size_px is not None and len(size_px) != 2:
        raise ConfigError(f"--size {size}", expected="width,height in px, like 640,480")
    declared = Declarations(
        pixel_format=pixel_format,
        layout=layout,
        channels=channels,
        size_px=None if size_px is None else (int(size_px[0]), int(size_px[1])),
        resize=resize,
        interpolation=interpolation,
        pad_value=pad_value,
        letterbox_at=letterbox_at,
        in_graph=in_graph or None,
        scale=None if scale is None else _number("--scale", scale),
        mean=_numbers("--mean", mean),
        std=_numbers("--std", std),
        kind=kind,
        map=map_output,
        score=score,
        class_name=class_name,
        classes=_names(classes),
        activation=activation,
        background=background,
        good=_names(good),
        variant=variant,
        boxes=boxes,
        scores=scores,
        labels=labels,
        label_offset=label_offset,
        coordinates=coordinates,
        min_score=min_score,
        nms_iou=nms_iou,
        nms_across_classes=nms_across_classes or None,
        prototypes=prototypes,
        max_findings=max_findings,
        threshold=threshold,
        threshold_set_by=threshold_set_by,
        id=package_id,
        revision=revision,
        licence=licence,
        made_by=made_by,
        abs_tolerance=abs_tolerance,
        rel_tolerance=rel_tolerance,
    )
    package, notes = pack(graph, folder, declared, references=reference or (), replace=replace)
    console = Console()
    for note in notes:
        console.print(f"not declared: {note}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{folder}: {_named(package)}", markup=False, highlight=False, soft_wrap=True)


@models_app.command("verify")
def verify_command(
    names: Annotated[list[str], typer.Argument(metavar="NAME|FOLDER...", help="Packages by name or folder.")],
    provider: Annotated[
        list[str] | None,
        typer.Option(help="cpu, cuda, tensorrt or openvino; repeated, what may be fallen back to, in order."),
    ] = None,
    models_dir: Packages = MODELS,
) -> None:
    """Check every byte of packages, and that this machine reproduces their reference answers."""
    console = Console()
    for name in names:
        package = load_package(folder_of(name, models_dir))
        detector = OnnxDetector(package, providers=tuple(provider or ("cpu",)))
        difference = detector.reproduce()
        count = len(package.manifest.references)
        console.print(
            f"{name}: {_named(package)}: {len(package.manifest.files)} files intact, {count} references reproduced on "
            f"{detector.provider}, largest difference {difference:.3g}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


@models_app.command("list")
def list_command(folder: Annotated[Path, typer.Argument(help="Where the packages lie.")] = MODELS) -> None:
    """List the packages of a folder; damaged ones are shown with what is wrong, and end the command with 2."""
    table = Table("name", "rev.", "kind", "frames", "input", "threshold", "sha256")
    for column in table.columns:
        column.overflow = "fold"  # half a name is no name
    damaged: list[PackageError] = []
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder", expected="a folder of model packages")
    for path in sorted(each.parent for each in folder.glob(f"[!.]*/{MANIFEST}")):
        try:
            package = load_package(path)
        except PackageError as error:
            damaged.append(error)
            table.add_row(escape(path.name), "", "[red]damaged", "", "", "", "")
            continue
        manifest = package.manifest
        table.add_row(
            escape(path.name),
            str(manifest.revision),
            manifest.output.kind,
            str(manifest.input.pixel_format),
            "x".join(str(side) for side in manifest.input.shape),
            f"{package.threshold:g}",
            package.identity.sha256[:12],
        )
    console = Console()
    console.print(table if table.row_count else f"no model packages in {folder}")
    for fault in damaged:
        console.print(str(fault), style="red", markup=False, highlight=False, soft_wrap=True)
    if damaged:
        raise typer.Exit(2)


@models_app.command("show")
def show_command(
    name: Name,
    models_dir: Packages = MODELS,
) -> None:
    """Show what a package declares, after checking every byte of it."""
    package = load_package(folder_of(name, models_dir))
    console = Console()
    console.print(f"# {_named(package)}", markup=False, highlight=False, soft_wrap=True)
    values: dict[str, Any] = package.manifest.model_dump(mode="json", exclude_none=True)
    text = tomli_w.dumps(values)
    if console.is_terminal:
        console.print(Syntax(text, "toml", background_color="default"))
    else:
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def _named(package: ModelPackage) -> str:
    identity = package.identity
    return f"{identity.id} revision {identity.revision}, {package.manifest.output.kind}, sha256 {identity.sha256}"


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(","))


def _numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    return None if text is None else tuple(_number(option, part) for part in text.split(","))


def _number(option: str, text: str) -> float:
    try:
        return float(Fraction(text.strip()))
    except (ValueError, ZeroDivisionError) as error:
        raise ConfigError(f"{option} {text}", expected="a number, or a fraction like 1/255") from error
