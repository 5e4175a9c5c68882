"""How often the stated uncertainties cover the truth, for random cameras; and what straightening a picture costs.

python tests/bench/bench_calibration.py [--cameras 100] [--first 0]
"""

import argparse
import math
import sys
import time
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from simulated_calibration import calibrated, measured, own_part, random_truth

from lineside.core.calibration import LENS_FIGURES, Lens, Plane
from lineside.core.errors import ConfigError
from lineside.imaging.lens import length_of, mm_per_px, places_of

LENGTHS = 20
"""For each camera; they share its errors, so a camera counts once in the bounds."""


def cameras(first: int, count: int) -> None:
    of_all, own, of_lens, refused = [], [], [], 0
    for seed in range(first, first + count):
        random = np.random.default_rng(seed)
        try:
            truth = random_truth(random, bayer=seed % 4 == 3)
            lens, plane = calibrated(truth, random)
        except KeyboardInterrupt:  # what was measured by then is summed up
            break
        except ConfigError as error:
            refused += 1
            print(f"camera {seed}: refused: {error.what.splitlines()[0]}", flush=True)
            continue
        of_all.append(measured(truth, plane, random, LENGTHS).scores)
        own.append(own_part(truth, plane, random, LENGTHS))
        errors = lens.lens.figures - truth.camera.lens.figures
        of_lens.append(errors / np.sqrt(np.diag(lens.lens.covariance)))
        print(
            f"camera {seed}: {lens.model}, {len(lens.pictures)} pictures, {lens.sd_px:.3f} px, "
            f"worst own score {np.abs(own[-1].scores).max():.1f}",
            flush=True,
        )
    print(f"{len(of_all)} cameras, {refused} refused; covered by what is stated for 95 %:")
    told("a length, all contributions", np.array(of_all))
    told("a length, lens and pose alone", np.array([each.scores for each in own]))
    errors_um = np.concatenate([1e3 * (each.length_mm - each.true_mm) for each in own])
    stated_um = np.concatenate([1e3 * each.uncertainty_mm for each in own])
    print(f"    lens and pose alone: error {rms(errors_um):.1f} um root mean square, stated {rms(stated_um):.1f} um")
    for number, name in enumerate(LENS_FIGURES):
        told(name, np.array(of_lens)[:, [number]])


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


def timed(name: str, work: object, rounds: int = 60) -> None:
    assert callable(work)
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    print(f"    {name:36} {1e6 * sorted(took)[rounds // 2]:8.0f} us median")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    costs()
    if arguments.cameras:
        cameras(arguments.first, arguments.cameras)
