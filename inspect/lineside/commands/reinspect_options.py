"""The options of `lineside reinspect`, by what they are about: who judges, what, how it is understood, how it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lineside.core.pixel_format import PixelFormat

__all__ = [
    "Address",
    "Against",
    "Column",
    "Draw",
    "DrawMost",
    "EngineName",
    "ExpectReproduced",
    "Extension",
    "FilesHold",
    "FirstPart",
    "FitTo",
    "From",
    "GoodClass",
    "GpusPerWorker",
    "Instead",
    "Kind",
    "LastPart",
    "MaxPixels",
    "OnlyRejects",
    "OutcomeName",
    "Output",
    "PackageName",
    "PartGlob",
    "PartTimeout",
    "Provider",
    "Raw",
    "RecipeFile",
    "Resume",
    "Sample",
    "SampleSeed",
    "Scales",
    "Sequences",
    "SourcePlace",
    "Split",
    "StationFilePath",
    "TimeFormat",
    "TimeModified",
    "TimePattern",
    "To",
    "Triggers",
    "TruthFrom",
    "ViewFolders",
    "ViewPattern",
    "Workers",
]


def _in_panel(panel: str) -> Any:
    return lambda *names, **settings: typer.Option(*names, rich_help_panel=panel, **settings)


_who = _in_panel("Who judges: one or several, the first is what the others are held against")
_what = _in_panel("What is looked at")
_read_as = _in_panel("How the source is to be understood")
_how = _in_panel("How it runs")

SourcePlace = Annotated[
    str, typer.Argument(help="A station's data_dir, a folder, glob, manifest or tar shards; a path or fsspec URL.")
]
Output = Annotated[Path, typer.Option("--output", "-o", help="A new folder for all that comes out.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in that folder.")]

StationFilePath = Annotated[list[Path] | None, _who(help="A station file: its recipe, calibration and packages.")]
RecipeFile = Annotated[list[Path] | None, _who(help="A recipe file, with the packages of its project.")]
PackageName = Annotated[list[str] | None, _who(help="A package alone, by folder or by name in models/.")]
Against = Annotated[
    list[Path] | None, _who(help="The same for what the others are held against: a station, recipe or package.")
]
Instead = Annotated[
    list[str] | None,
    _who(metavar="[VIEW=]PACKAGE", help="Another package for --station and --recipe; not for --against."),
]
Scales = Annotated[Path | None, _who(help="Station file whose calibration holds for recipes.")]

From = Annotated[str, _what("--from", metavar="TIME", help="Exposed at this time or later; UTC if it does not say.")]
To = Annotated[str, _what("--to", metavar="TIME", help="Exposed before this time.")]
PartGlob = Annotated[str, _what("--part", metavar="GLOB", help="Part ids, such as 'P-1*'.")]
FirstPart = Annotated[str, _what(metavar="ID", help="Part ids from this one on; P9 comes before P10.")]
LastPart = Annotated[str, _what(metavar="ID", help="Part ids up to this one.")]
Sequences = Annotated[str, _what(metavar="FIRST..LAST", help="Original verdicts by number.")]
Triggers = Annotated[str, _what(metavar="FIRST..LAST", help="Original triggers by number.")]
OnlyRejects = Annotated[bool, _what("--only-rejects", help="What the station did not pass.")]
OutcomeName = Annotated[list[str] | None, _what("--outcome", help="What the station gave this outcome.")]
Sample = Annotated[str, _what(metavar="SHARE|COUNT", help="Of all these a share (5%, 0.05) or a number (500).")]
SampleSeed = Annotated[int, _what(help="Another number, another sample.")]

Kind = Annotated[str, _read_as(help="station, folder, manifest, split or shards; left out, what it looks like.")]
TruthFrom = Annotated[str, _read_as("--truth", metavar="folders", help="Folders good, ok, bad, defect say the truth.")]
Split = Annotated[str, _read_as(help="The rows of a manifest that are of this split.")]
Column = Annotated[list[str] | None, _read_as(metavar="OURS=THEIRS", help="A manifest's own name of a column.")]
ViewPattern = Annotated[str, _read_as(metavar="REGEX", help="Of file names, with the groups part and view.")]
ViewFolders = Annotated[bool, _read_as("--view-folders", help="The folders directly below are the views.")]
Extension = Annotated[list[str] | None, _read_as(help="Ending of the files to take, instead of the usual.")]
Raw = Annotated[str, _read_as(metavar="FORMAT:WxH", help="Files of pixels alone, such as Mono8:1280x1024.")]
GoodClass = Annotated[str, _read_as(help="Class of the good parts in tar shards.")]
TimePattern = Annotated[str, _read_as(metavar="REGEX", help="Of paths, with the group time: the exposure's.")]
TimeFormat = Annotated[str, _read_as(help="Of that time, as strptime has it.")]
TimeModified = Annotated[bool, _read_as("--time-modified", help="A file's modification is the exposure.")]

EngineName = Annotated[str, _how("--engine", metavar="local|ray", help="This machine's cores, or a Ray cluster.")]
Address = Annotated[str, _how(help="A Ray cluster that is there; left out, one on this machine for this run.")]
Workers = Annotated[int | None, _how(min=1, help="Processes that judge; left out, one for each core.")]
PartTimeout = Annotated[
    float | None, _how(min=1, metavar="SECONDS", help="A local worker that is longer at one part is replaced; 120.")
]
GpusPerWorker = Annotated[float, _how(min=0, help="GPUs of the Ray cluster for each worker.")]
Provider = Annotated[list[str] | None, _how(help="cpu, cuda, tensorrt or openvino, in order of preference.")]
FilesHold = Annotated[
    PixelFormat | None, _how(help="What picture files hold, where recipes want another format: converted as declared.")
]
FitTo = Annotated[str, _how("--fit", metavar="refuse|pad|crop|resize", help="Pictures of another size than wanted.")]
MaxPixels = Annotated[int, _how(min=1, help="A picture that claims more is not decoded.")]
Draw = Annotated[list[str] | None, _how(metavar="rejects|all|OUTCOME", help="Pictures with what was found.")]
DrawMost = Annotated[int, _how(min=1, help="Parts to draw at most.")]
ExpectReproduced = Annotated[
    bool, _how("--expect-reproduced", help="End with 1 unless every original judgement comes out again.")
]
