"""How well models that `lineside train` makes tell bad parts from good ones, on the real pictures beside the project.

Run: `make bench-models`, or `make bench-models ARGS="--seeds 0 1 2 --only cookie-bank --minutes 10"`. Each row trains
with the product's own command and is judged on `test` by `lineside qualify`, as the station would judge. A row is
written to `build/bench-models.jsonl` when it is done, and not made again: a run that was stopped goes on. `--table`
prints what there is, as Markdown for docs/models.md.

Biscuits have masks in `train` only. Measures of their pixels are of masked pictures that are taken out of `train` for
it: every second where good pictures alone are learned from (the others help to set the limit), every fourth where
masks are. Networks need the extra `train`; their rows are skipped without it. `patch` looks through a backbone that
`lineside train backbone` makes of the same pictures, in half of the minutes.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from model_rows import markdown

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
RESULTS = ROOT / "build" / "bench-models.jsonl"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row: which pictures, by which trainer with which options, and which pictures `lineside qualify` is shown.

    `kept_out`: every so many of the masked pictures of `train` is kept out of it, and pixels are measured on these.
    """

    pictures: str
    trainer: str
    train: tuple[str, ...] = ()
    qualify: tuple[str, ...] = ()
    kept_out: int = 0

    @property
    def name(self) -> str:
        return f"{self.pictures}-{self.trainer}"

    @property
    def is_network(self) -> bool:
        return self.trainer not in ("bank", "template")


RESIZED = ("--fit", "resize")

CASES = (
    Case(pictures="cookie", trainer="bank", kept_out=2),
    Case(pictures="figurine", trainer="bank", train=("--locate",)),
    Case(pictures="ballscrew", trainer="bank", train=RESIZED, qualify=RESIZED),
    Case(pictures="cookie", trainer="patch", kept_out=2),
    Case(pictures="figurine", trainer="patch", train=("--locate",)),
    Case(pictures="ballscrew", trainer="patch", train=RESIZED, qualify=RESIZED),
    Case(pictures="cookie", trainer="synthetic", kept_out=2),
    Case(pictures="figurine", trainer="synthetic", train=("--locate",)),
    Case(pictures="ballscrew", trainer="synthetic", train=RESIZED, qualify=RESIZED),
    Case(pictures="cookie", trainer="segment", kept_out=4),
    Case(pictures="ballscrew", trainer="segment", train=RESIZED, qualify=RESIZED),
    Case(pictures="strip", trainer="classify", train=RESIZED, qualify=RESIZED),
)


def data_of(case: Case, folder: Path) -> tuple[Path, Path | None]:
    """The pictures to train on, and those that pixels are measured on where that is not `test` as it is given.

    The latter are the good ones of `test`, and masked ones that are taken out of `train` for it.
    """
    data = DATA / case.pictures
    if not case.kept_out:
        return data, None
    with (data / "split.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    masked = [row["file"] for row in rows if row["mask"] and row["split"] == "train"][:: case.kept_out]
    learned = [row for row in rows if row["file"] not in masked]
    good = [row for row in rows if row["split"] == "test" and row["label"] == "good"]
    shown = [row | {"split": "test"} for row in rows if row["file"] in masked]
    return listed(data, learned, folder / case.pictures), listed(data, [*good, *shown], folder / "masked")


def listed(data: Path, rows: Sequence[dict[str, str]], folder: Path) -> Path:
    """The same pictures with another list."""
    folder.mkdir()
    for each in data.iterdir():
        if each.is_dir():
            (folder / each.name).symlink_to(each)
    with (folder / "split.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def lineside(*words: object) -> None:
    """Runs the command as a user would; what it says is shown where it fails."""
    command = [sys.executable, "-m", "lineside", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")


def qualified(package: Path, data: Path, case: Case, page: Path) -> dict[str, Any]:
    lineside("qualify", package, data, "--split", "test", "--repeat-parts", 0, "-o", page, *case.qualify)
    answer: dict[str, Any] = json.loads(page.with_suffix(".json").read_text())
    return answer


def measured(case: Case, seed: int, minutes: float, made: Path | None = None) -> dict[str, Any]:
    """Trains, or takes the package that is made already; judges it, and gives the row."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (data, masked), package = data_of(case, folder), made or folder / "package"
        row: dict[str, Any] = {"case": case.name, "seed": seed, "utc": datetime.now(UTC).isoformat(timespec="seconds")}
        if made is None:
            row |= trained(case, data, package, seed, minutes, folder)
        else:
            # It has learned from all masked pictures.
            data, masked = DATA / case.pictures, None
            row |= {"minutes": None, "command": f"a package made beforehand, {package.name}", "trained_s": None}
        row["graph_mb"] = round((package / "model.onnx").stat().st_size / 1e6, 2)
        if case.trainer == "classify":
            return row | classified(package, data)
        test = qualified(package, data, case, folder / "test.html")
        pixels = (qualified(package, masked, case, folder / "masked.html") if masked else test)["pixels"]
        good, bad = (
            np.array([each["score"] for each in test["pictures"] if each["good"] is kind and each["score"] is not None])
            for kind in (True, False)
        )
        return row | {
            "good": test["overkill"]["of_pictures"],
            "bad": test["escapes"]["of_pictures"],
            "auroc": test["auroc"]["value"],
            "average_precision": test["average_precision"],
            "image_f1": best_f1(good, bad),
            "pixel_auroc": pixels and pixels["auroc"],
            "pixel_f1": pixels and pixels["best_f1"],
            "escapes_at": {f"{each['max_overkill']:g}": each["escapes"] for each in test["operating_points"]},
            "escapes": test["escapes"]["pictures"] / test["escapes"]["of_pictures"],
            "overkill": test["overkill"]["pictures"] / test["overkill"]["of_pictures"],
            "not_inspected": test["escapes"]["not_inspected"] + test["overkill"]["not_inspected"],
            "frame_ms": test["latency"]["infer_median_ms"],
        }


def trained(case: Case, data: Path, package: Path, seed: int, minutes: float, folder: Path) -> dict[str, Any]:
    """Runs the trainer; a row's words about that."""
    limit: tuple[object, ...] = ("--minutes", minutes) if case.is_network else ()
    weights: tuple[object, ...] = ()
    begun = time.monotonic()
    if case.trainer == "patch":
        limit, weights = ("--minutes", minutes / 2), ("--weights", folder / "backbone.pt")
        lineside("train", "backbone", data, "-o", weights[1], "--seed", seed, *limit, *case.train)
    lineside("train", case.trainer, data, "-o", package, "--seed", seed, *case.train, *limit, *weights)
    return {
        "minutes": minutes if case.is_network else None,
        "command": " ".join(["lineside train", case.trainer, case.pictures, f"--seed {seed}", *case.train]),
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "trained_s": round(time.monotonic() - begun, 1),
    }


def best_f1(good: Any, bad: Any) -> float:
    """The highest F1 of bad pictures that any threshold gives."""
    limits = np.unique(np.concatenate([good, bad]))
    hits = (bad[None] >= limits[:, None]).sum(axis=1)
    alarms = (good[None] >= limits[:, None]).sum(axis=1)
    return float((2 * hits / (len(bad) + hits + alarms)).max())


def classified(package: Path, data: Path) -> dict[str, Any]:
    """Accuracy over the pictures of `test`, and over its classes, each counted once."""
    from lineside.core.frame import Frame
    from lineside.detectors.onnx_detector import open_detector
    from lineside.detectors.package import load_package
    from lineside.train.dataset import read_dataset
    from lineside.train.training_images import ImageSource, size_of

    loaded = load_package(package)
    detector = open_detector(loaded)
    dataset = read_dataset(data)
    source = ImageSource(
        pixel_format=loaded.manifest.input.pixel_format, size_px=size_of(dataset.of("train")[0].path), fit="resize"
    )
    right: dict[str, list[bool]] = {}
    took_ms = []
    for picture in dataset.of("test"):
        frame = Frame(
            view="strip", pixels=source.read(picture.path), pixel_format=source.pixel_format, frame_id=0,
            captured_utc_ns=0, captured_mono_ns=0, camera_serial="bench",
        )  # fmt: skip
        begun = time.perf_counter()
        findings = detector.detect(frame).findings
        took_ms.append((time.perf_counter() - begun) * 1e3)
        best = max(findings, key=lambda finding: finding.score)
        right.setdefault(picture.class_name, []).append(best.class_name == picture.class_name)
    every = [each for answers in right.values() for each in answers]
    return {
        "pictures": len(every),
        "accuracy": float(np.mean(every)),
        "class_accuracy": float(np.mean([np.mean(answers) for answers in right.values()])),
        "frame_ms": float(np.median(took_ms)),
    }


def rows_in(results: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in results.read_text().splitlines()] if results.is_file() else []


def left_to_do(wanted: argparse.Namespace) -> Iterator[tuple[Case, int]]:
    done = {(row["case"], row["seed"]) for row in rows_in(wanted.results)}
    torch = importlib.util.find_spec("torch") is not None
    for seed in wanted.seeds:
        for case in CASES:
            if (wanted.only and case.name not in wanted.only) or (case.name, seed) in done:
                continue
            if case.is_network and not torch:
                print(f"{case.name}, seed {seed}: skipped: without the extra train", file=sys.stderr)
                continue
            yield case, seed


def main(words: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", nargs="+", choices=[case.name for case in CASES], help="rows; left out, all")
    options.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options.add_argument("--minutes", type=float, default=10.0, help="budget of each network")
    options.add_argument("--results", type=Path, default=RESULTS)
    options.add_argument("--most", type=int, default=0, help="end after so many rows; 0: all")
    options.add_argument("--package", type=Path, help="made already, of the one row that --only names: judge it")
    options.add_argument("--table", action="store_true", help="print what there is, and make nothing")
    wanted = options.parse_args(words)
    if wanted.package and (len(wanted.only or ()) != 1 or len(wanted.seeds) != 1):
        options.error("--package goes with one row of --only and one of --seeds")
    if not wanted.table:
        if not DATA.is_dir():
            sys.exit(f"skipped: no pictures at {DATA}")
        wanted.results.parent.mkdir(parents=True, exist_ok=True)
        for number, (case, seed) in enumerate(left_to_do(wanted), 1):
            print(f"{case.name}, seed {seed} …", file=sys.stderr)
            row = measured(case, seed, wanted.minutes, wanted.package)
            with wanted.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            if number == wanted.most:
                break
    print(markdown(rows_in(wanted.results)))


if __name__ == "__main__":
    main()
