"""`lineside models threshold`: a threshold for a wanted rate, set on val and written into the package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineside.commands.package_option import MODELS, Name, Packages, folder_of
from lineside.commands.qualify_words import needs_its_libraries, open_judge, parsed_share
from lineside.commands.station_option import output
from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat

if TYPE_CHECKING:
    from lineside.qualify.survey import Survey
    from lineside.qualify.threshold import ChosenThreshold, WantedRates
    from lineside.train.dataset import Dataset, LabelledPicture

__all__ = ["threshold"]

_WHY_NOT = {
    "test": "a threshold that is set on test makes test worthless: nothing would tell how good the detector is",
    "train": "the detector knows the pictures of train: their scores are kinder than those of any other part",
}


def threshold(
    *,
    name: Name,
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Folder with split.csv, or with good/ and defect/.")],
    max_overkill: Annotated[str, typer.Option(help="Wanted: at most this share of good parts rejected.")] = "",
    max_escape: Annotated[str, typer.Option(help="Wanted: at most this share of bad parts passed.")] = "",
    confidence: Annotated[str, typer.Option(help="That the wanted rate holds.")] = "95%",
    split: Annotated[str, typer.Option(help="val and no other.")] = "val",
    output_folder: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the new revision; left out, in place of the old.")
    ] = None,
    file_pixel_format: Annotated[
        PixelFormat | None, typer.Option(help="What the files hold, where that is not what the package wants.")
    ] = None,
    fit: Annotated[str, typer.Option(help="Pictures of another size: refuse, pad, crop or resize.")] = "refuse",
    group: Annotated[str, typer.Option(help="Without split.csv: what it finds in file names is the part.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Of the split, as in training, without split.csv.")] = 0,
    val_share: Annotated[float, typer.Option(min=0, max=0.9, help="As in training, without split.csv.")] = 0.2,
    test_share: Annotated[float, typer.Option(min=0, max=0.9, help="As in training, without split.csv.")] = 0.2,
    models_dir: Packages = MODELS,
) -> None:
    """Set a package's threshold on val for a wanted rate, and write the next revision of the package.

    It says how many parts are needed where val is too small for the rate. Pictures of test are not opened. A release
    holds for one revision: qualify and release the new one.

    $ lineside models threshold gasket pictures --max-overkill 2%
    """
    needs_its_libraries()
    from lineside.commands.train_words import progress
    from lineside.qualify.survey import survey
    from lineside.qualify.threshold import WantedRates, choose, part_scores
    from lineside.train.dataset import SplitOrder, read_dataset

    if split != "val":
        raise ConfigError(f"--split {split}", expected="val", remedy=_WHY_NOT.get(split, ""))
    if not max_overkill and not max_escape:
        raise ConfigError("no rate is wanted", expected="--max-overkill 2%, --max-escape 1%, or both")
    wanted = WantedRates(
        max_overkill=parsed_share("--max-overkill", max_overkill) if max_overkill else None,
        max_escape=parsed_share("--max-escape", max_escape) if max_escape else None,
        confidence=parsed_share("--confidence", confidence),
    )
    folder = folder_of(name, models_dir)
    dataset = read_dataset(data, SplitOrder(seed=seed, val_share=val_share, test_share=test_share, group_pattern=group))
    pictures = dataset.of("val")
    if not pictures:
        raise ConfigError(
            f"{data} has no picture in the split val",
            expected="parts to set the threshold by, which are neither in train nor in test",
            remedy="move some of train to val in split.csv, and train again",
        )
    opened = open_judge(folder, file_pixel_format=file_pixel_format, fit=fit)
    if opened.by.form != "package":
        raise ConfigError(f"{folder} is no package", expected="the folder of a package")
    with progress(len(pictures), "Judging val") as tick:
        seen = survey(opened.judge, pictures, tick)
    chosen = choose(*part_scores(seen.judged), wanted)
    _write(folder, output_folder, dataset, pictures, seen, wanted, chosen)


def _write(
    folder: Path,
    target: Path | None,
    dataset: Dataset,
    pictures: Sequence[LabelledPicture],
    seen: Survey,
    wanted: WantedRates,
    chosen: ChosenThreshold,
) -> None:
    from lineside.detectors.manifest import Threshold
    from lineside.detectors.package import load_package
    from lineside.detectors.revision import revised
    from lineside.qualify.data_identity import data_listing
    from lineside.qualify.rates import is_grouped

    before = load_package(folder)
    listed_in = f"training/threshold-r{before.identity.revision + 1}.csv"
    how = (
        f"{wanted.words}, set on val of {dataset.folder.resolve().name}: {chosen.overkill.count} of "
        f"{chosen.overkill.of} good parts at or above it, {chosen.escapes.count} of {chosen.escapes.of} bad below"
    )
    record: dict[str, Any] = {
        "how": how,
        "wanted": {
            key: value
            for key, value in (
                ("max_overkill", wanted.max_overkill),
                ("max_escape", wanted.max_escape),
                ("confidence", wanted.confidence),
            )
            if value is not None
        },
        "shown": {
            "overkill_at_most": round(chosen.overkill.high, 6),
            "escapes_at_most": round(chosen.escapes.high, 6),
        },
        "warnings": list(chosen.warnings),
        "data_sha256": seen.data_sha256,
        "pictures": len(seen.judged),
        "not_judged": [each.name for each in seen.unread],
        "listed_in": listed_in,
        "from_revision": before.identity.revision,
        "from_sha256": before.identity.sha256,
        "from_threshold": before.threshold,
    }
    package = revised(
        before,
        Threshold(value=chosen.value, set_by=how),
        record=record,
        files={listed_in: data_listing(seen.hashed)},
        folder=target,
    )
    console = output()
    console.print(f"threshold {before.threshold:g} -> {package.threshold:g}", style="bold", markup=False)
    console.print(f"  overkill on val: {chosen.overkill.words}", markup=False)
    console.print(f"  escapes on val: {chosen.escapes.words}", markup=False)
    if is_grouped(seen.judged):
        good = [each.score for each in seen.judged if each.good]
        bad = [each.score for each in seen.judged if not each.good]
        console.print(
            f"  by picture: {sum(score >= chosen.value for score in good)} of {len(good)} good ones at or above it, "
            f"{sum(score < chosen.value for score in bad)} of {len(bad)} bad ones below; a part counts by its worst",
            markup=False,
        )
    for each in chosen.warnings:
        console.print(f"  [yellow]warning[/]: {each}")
    if seen.unread:
        console.print(
            f"  {len(seen.unread)} pictures could not be judged, the first {seen.unread[0].name}", markup=False
        )
    console.print(f"{package.folder}: revision {package.identity.revision}, {package.identity.sha256}", markup=False)
    console.print(f"  next: lineside qualify {package.folder} {dataset.folder}", markup=False)
