"""Parts of small pictures, and a judge for them: what the tests of judging again share."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lineside.assemble import open_inspector
from lineside.core.frame import Frame
from lineside.core.pixel_format import PixelFormat
from lineside.journal import image_format
from lineside.reinspect.candidate import Candidate, candidate_of, lettered
from lineside.reinspect.judge import ArchiveJudge, JudgeOrder
from lineside.reinspect.part import ONLY_VIEW, ImageRef, Part
from lineside.reinspect.reading import ReadLimits


def plate(project: Path) -> Candidate:
    return candidate_of(project / "models" / "recipes" / "plate.toml")


def open_judge(*candidates: Candidate, **limits: int) -> ArchiveJudge:
    order = JudgeOrder(candidates=lettered(candidates), open_inspector=open_inspector, limits=ReadLimits(**limits))
    opened: ArchiveJudge = pickle.loads(pickle.dumps(order))()
    return opened


def part_of(*urls: str, key: str = "part", views: Sequence[str] = (ONLY_VIEW,), **more: Any) -> Part:
    images = {view: ImageRef(url=url) for view, url in zip(views, urls, strict=True)}
    return Part(key=key, images=images, **more)


def archived(pixels: Any, view: str = "face") -> bytes:
    frame = Frame(
        view=view,
        pixels=pixels,
        pixel_format=PixelFormat.MONO8,
        frame_id=1,
        captured_utc_ns=77,
        captured_mono_ns=1,
        camera_serial="",
        part_id="P-1",
    )
    return image_format.encode(frame, {})


def kept(folder: Path, pixels: Any) -> Mapping[str, ImageRef]:
    path = folder / "kept.png"
    path.write_bytes(archived(pixels))
    return {"face": ImageRef(url=str(path))}
