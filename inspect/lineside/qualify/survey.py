"""Pictures judged for their scores alone, as a threshold is set by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lineside.core.errors import ConfigError, FrameError
from lineside.qualify.data_identity import data_sha256
from lineside.qualify.judging import Judge
from lineside.qualify.picture import Judged, LabelledPicture, Unread, judged_of

__all__ = ["Survey", "survey"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Survey:
    """What was judged, with its hashes, and what could not be."""

    judged: tuple[Judged, ...]
    unread: tuple[Unread, ...]
    hashed: tuple[tuple[LabelledPicture, str], ...]

    @property
    def data_sha256(self) -> str:
        """Of all that was judged; reads the masks."""
        return data_sha256(self.hashed)


def survey(judge: Judge, pictures: Sequence[LabelledPicture], tick: Callable[[], None] = lambda: None) -> Survey:
    """Judges every picture. `tick` is called after each. Raises: ConfigError where none could be judged."""
    judged, unread, hashed = [], [], []
    for picture in pictures:
        try:
            read = judge.read(picture.path)
        except FrameError as error:
            unread.append(Unread(name=picture.name, good=picture.good, why=str(error)))
        else:
            digest = picture.sha256()
            hashed.append((picture, digest))
            judged.append(judged_of(picture, digest, judge.look(read.frame), read.decode_ns))
        tick()
    if not judged:
        raise ConfigError(
            f"none of {len(unread)} pictures could be judged; {unread[0].name}: {unread[0].why}",
            expected="pictures as the camera takes them",
            remedy="declare --fit or --file-pixel-format, or give other pictures",
        )
    return Survey(judged=tuple(judged), unread=tuple(unread), hashed=tuple(hashed))
