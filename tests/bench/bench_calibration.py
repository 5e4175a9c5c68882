"""How often the stated uncertainties cover the truth, for random cameras; and what correcting a picture costs.

python tests/bench/bench_calibration.py [--cameras 100] [--first 0] [--keep FOLDER]

With --keep every camera's figures are written there, and those that are there are not measured again: it may be
stopped and carried on. Empty the folder after a change of what is measured.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from simulated_calibration import Truth, calibrated, measured, own_part, random_truth

from lineside.core.calibration import LENS_FIGURES, FlatMaps, Lens, Plane, Scale
from lineside.core.errors import ConfigError
from lineside.core.finding import Finding, ScoreMap
from lineside.core.pixel_format import PixelFormat
from lineside.imaging.blobs import find_blobs
from lineside.imaging.flat_field import FlatField
from lineside.imaging.lens import length_of, mm_per_px, places_of
from lineside.imaging.sizes import sizes_of

LENGTHS = 20
"""For each camera; they share its errors, so a camera counts once in the bounds."""


def cameras(first: int, count: int, kept: Path | None) -> None:
    seen = []
    for seed in range(first, first + count):
        place = kept / f"camera-{seed}.json" if kept else None
        if place and place.exists():
            seen.append(json.loads(place.read_text()))
            continue
        try:
            seen.append(one_camera(seed))
        except KeyboardInterrupt:  # what was measured by then is summed up
            break
        if place:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(json.dumps(seen[-1]))
    summed([each for each in seen if each], refused=sum(not each for each in seen))


def one_camera(seed: int) -> dict[str, list[float]]:
    """Errors of one random camera over what is stated; empty when calibration refuses it."""
    random = np.random.default_rng(seed)
    try:
        truth = random_truth(random, bayer=seed % 4 == 3)
        lens, plane = calibrated(truth, random)
    except ConfigError as error:
        print(f"camera {seed}: refused: {error.what.splitlines()[0]}", flush=True)
        return {}
    every, own = measured(truth, plane, random, LENGTHS), own_part(truth, plane, random, LENGTHS)
    places = np.random.default_rng(seed + 10_000).uniform(0.05, 0.95, (LENGTHS, 2)) * lens.lens.size_px
    scales = mm_per_px(places, plane.plane) / true_scale(truth, places) - 1
    errors = lens.lens.figures - truth.camera.lens.figures
    print(
        f"camera {seed}: {lens.model}, {len(lens.pictures)} pictures, {lens.sd_px:.3f} px, "
        f"worst own score {np.abs(own.scores).max():.1f}",
        flush=True,
    )
    return {
        "length": every.scores.tolist(),
        "length_um": (1e3 * (every.length_mm - every.true_mm)).tolist(),
        "length_stated_um": (1e3 * every.uncertainty_mm).tolist(),
        "own": own.scores.tolist(),
        "own_um": (1e3 * (own.length_mm - own.true_mm)).tolist(),
        "own_stated_um": (1e3 * own.uncertainty_mm).tolist(),
        "scale": scales.tolist(),
        "focal": [errors[0] / truth.camera.lens.focal_px],
        "lens": (errors / np.sqrt(np.diag(lens.lens.covariance))).tolist(),
    }


def true_scale(truth: Truth, places_px: np.ndarray) -> np.ndarray:
    """Millimetres per pixel at those places on the parts' real face, by the true lens."""
    x, y, z = (float(value) for value in truth.translation_mm)
    rotation = tuple(float(value) for value in truth.rotation_rad)
    plane = Plane(
        lens=truth.camera.lens, rotation_rad=(rotation[0], rotation[1], rotation[2]), translation_mm=(x, y, z),
        height_mm=truth.height_mm, covariance=np.zeros((16, 16)),
    )  # fmt: skip
    return mm_per_px(places_px, plane)


def summed(seen: list[dict[str, list[float]]], refused: int) -> None:
    def of(name: str) -> np.ndarray:
        return np.array([each[name] for each in seen])

    print(f"{len(seen)} cameras, {refused} refused; covered by what is stated for 95 %:")
    told("a length, all contributions", of("length"))
    told("a length, lens and pose alone", of("own"))
    for name in ("length", "own"):
        error, stated = rms(of(f"{name}_um")), rms(of(f"{name}_stated_um"))
        print(f"    {name}: error {error:.1f} um root mean square, stated {stated:.1f} um")
    for name in ("scale", "focal"):
        print(f"    {name}: error {1e6 * rms(of(name)):.0f} millionths root mean square, "
              f"worst {1e6 * np.abs(of(name)).max():.0f}")  # fmt: skip
    for number, name in enumerate(LENS_FIGURES):
        told(name, of("lens")[:, [number]])


def told(name: str, scores: np.ndarray) -> None:
    """`scores` is (cameras, values each)."""
    covered = (np.abs(scores) < 1.96).mean()
    bound = 1.96 * math.sqrt(0.95 * 0.05 / len(scores))
    print(f"    {name:30} {covered:6.1%} (95 % +- {bound:.1%} by chance), scores {rms(scores):.2f} root mean square")


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def costs() -> None:
    """A frame of 1280x1024 straightened, against the points of its findings."""
    cv2.setNumThreads(1)
    lens = Lens(size_px=(1280, 1024), focal_px=1800, centre_px=(640, 512), distortion=(-0.15, 0.1, 1e-4, -1e-4, 0),
                covariance=np.eye(8) * 1e-8)  # fmt: skip
    plane = Plane(lens=lens, rotation_rad=(0.02, -0.01, 0.1), translation_mm=(-60, -40, 350), height_mm=8,
                  covariance=np.eye(16) * 1e-8)  # fmt: skip
    matrix = np.array([[1800, 0, 640], [0, 1800, 512], [0, 0, 1.0]])
    maps = cv2.initUndistortRectifyMap(matrix, np.array(lens.distortion), None, matrix, lens.size_px, cv2.CV_16SC2)
    frame = np.random.default_rng(0).integers(0, 255, (1024, 1280), np.uint8)
    points = np.random.default_rng(1).uniform(0, 1000, (60, 2))
    timed("remap of the frame, prepared maps", lambda: cv2.remap(frame, *maps, cv2.INTER_LINEAR))
    timed("places of a contour of 60 points", lambda: places_of(points, plane))
    timed("mm per px at 60 points", lambda: mm_per_px(points, plane))
    timed("one length with its uncertainty", lambda: length_of(points[:1], points[1:2], plane, point_sd_px=0.3))
    timed("60 lengths with uncertainties", lambda: length_of(points, points[::-1], plane, point_sd_px=0.3))
    one = Scale(mm_per_px=0.1, mm_per_px_uncertainty=0.001)
    for count in (1, 10, 100, 1000):
        findings = scratches(count)
        edges = [0.3] * count
        timed(f"sizes of {count} findings on the plane", lambda: sizes_of(findings, plane, edges))  # noqa: B023
        timed(f"sizes of {count} findings by a scale", lambda: sizes_of(findings, one, edges))  # noqa: B023


def scratches(count: int) -> tuple[Finding, ...]:
    """Slanted scratches of 3 x 20 px all over a frame, as a score map gives them."""
    values = np.zeros((1024, 1280), np.float32)
    for number in range(count):
        x, y = 30 * (number % 42), 30 * (number // 42) + 10
        cv2.line(values, (x + 4, y), (x + 22, y + 10 + number % 7), 1.0, 3)  # type: ignore[call-overload]
    found = find_blobs(ScoreMap(class_name="scratch", values=values), np.full(values.shape, 255, np.uint8), 0.5)
    assert len(found) == count
    return found


def flat_field() -> None:
    """A frame of 1280x1024 with 200 bad pixels, corrected by prepared maps."""
    random = np.random.default_rng(0)
    for pixel_format in (PixelFormat.MONO8, PixelFormat.MONO12, PixelFormat.BGR8):
        shape, most = pixel_format.shape(1280, 1024), pixel_format.max_value
        bad = np.zeros(shape, np.bool_)
        bad.flat[random.choice(bad.size, 200, replace=False)] = True
        maps = FlatMaps(
            pixel_format=pixel_format,
            offset=random.uniform(0, 0.02 * most, shape).astype(np.float32),
            gain=random.uniform(0.9, 1.5, shape).astype(np.float32),
            bad=bad,
        )
        field = FlatField(maps)
        frame = random.integers(0, most, shape).astype(pixel_format.dtype)
        out = np.empty_like(frame)
        timed(f"flat field, {pixel_format}, each megapixel", lambda: field.apply(frame, out), divided_by=1.28 * 1.024)  # noqa: B023


def timed(name: str, work: object, rounds: int = 60, divided_by: float = 1.0) -> None:
    assert callable(work)
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    print(f"    {name:36} {1e6 * sorted(took)[rounds // 2] / divided_by:8.0f} us median")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    costs()
    flat_field()
    if arguments.cameras:
        cameras(arguments.first, arguments.cameras, arguments.keep)
