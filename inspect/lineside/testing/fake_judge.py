"""A judge without models: reads the files for real and scores what lies in them. Needs the extra `reinspect`."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lineside.core.errors import ConfigError
from lineside.reinspect.part import ImageRef, Part
from lineside.reinspect.row import ImageRow, Row, State, ViewScoreRow

__all__ = ["OpenFakeJudge"]


@dataclass(frozen=True, kw_only=True)
class OpenFakeJudge:
    """Opens a judge of so many candidates: picklable, as an engine needs it.

    A part's score is the mean of its files' bytes, 0 to 1; from 0.5 on it FAILs. An image that cannot be read makes
    its part UNREADABLE. A part whose key ends in "kills" ends its process by SIGKILL whenever it is judged; one that
    ends in "kills-once" does so the first time, for which it leaves a mark in the folder `marks`. With "hangs" and
    "hangs-once" it stops its process, as SIGSTOP does.
    """

    candidates: Sequence[str] = ("fake",)
    part_ms: float = 0.0
    """How long one part takes at least, asleep."""
    marks: Path | None = None
    processes: Path | None = None
    """A folder in which each process that opens the judge leaves its number, as the name of a file."""
    opening: Literal["succeeds", "refuses", "kills"] = "succeeds"

    def __call__(self) -> _FakeJudge:
        """Opens it. Raises: ConfigError where it `refuses`; ends its process by SIGKILL where it `kills`."""
        if self.processes is not None:
            (self.processes / f"{os.getpid()}").touch()
        match self.opening:
            case "refuses":
                raise ConfigError("this judge refuses to open", expected="one that opens", remedy="take another one")
            case "kills":
                os.kill(os.getpid(), signal.SIGKILL)
        return _FakeJudge(self)


class _FakeJudge:
    def __init__(self, settings: OpenFakeJudge) -> None:
        self._settings = settings

    def chunk(self, parts: Sequence[Part], judged: Callable[[], None] = lambda: None) -> Sequence[Row]:
        rows: list[Row] = []
        for part in parts:
            rows += self._judged(part)
            judged()
        return rows

    def given_up(self, part: Part, error: str) -> Sequence[Row]:
        return [
            Row(part_key=part.key, candidate=candidate, state=State.UNREADABLE, error=error)
            for candidate in self._settings.candidates
        ]

    def _judged(self, part: Part) -> list[Row]:
        self._perish(part)
        begun_ns = time.perf_counter_ns()
        time.sleep(self._settings.part_ms / 1000)
        images, scores, error = [], [], ""
        for view, image in part.images.items():
            try:
                content = _content(image)
            except OSError as failure:
                error = f"{image.url}: {failure.strerror}"
                images.append(ImageRow(view=view, url=image.url, sha256=""))
                continue
            images.append(ImageRow(view=view, url=image.url, sha256=hashlib.sha256(content).hexdigest()))
            scores.append(ViewScoreRow(view=view, score=sum(content) / max(1, len(content)) / 255, threshold=0.5))
        outcome = "" if error else "FAIL" if any(each.score >= each.threshold for each in scores) else "PASS"
        return [
            Row(
                part_key=part.key,
                candidate=candidate,
                part_id=part.part_id,
                captured_utc_ns=part.captured_utc_ns,
                state=State.UNREADABLE if error else State.JUDGED,
                error=error,
                view_scores=() if error else tuple(scores),
                score=None if error or not scores else max(each.score / each.threshold for each in scores),
                images=tuple(images),
                judge_ms=(time.perf_counter_ns() - begun_ns) / 1e6,
                outcome=outcome,
            )
            for candidate in self._settings.candidates
        ]

    def _perish(self, part: Part) -> None:
        if not part.key.endswith(("kills", "kills-once", "hangs", "hangs-once")):
            return
        if part.key.endswith("-once") and self._settings.marks is not None:
            mark = self._settings.marks / hashlib.sha256(part.key.encode(errors="surrogateescape")).hexdigest()
            if mark.exists():
                return
            mark.touch()
        os.kill(os.getpid(), signal.SIGSTOP if "hangs" in part.key else signal.SIGKILL)


def _content(image: ImageRef) -> bytes:
    with Path(image.url).open("rb") as file:
        file.seek(image.offset_bytes)
        return file.read(-1 if image.length_bytes is None else image.length_bytes)
