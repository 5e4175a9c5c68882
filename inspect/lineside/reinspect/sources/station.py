"""A station's own archive: every verdict of its journal, with the images that were kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lineside.config.station_file import read_station
from lineside.core.errors import ConfigError, InvalidRequest
from lineside.core.record import ImageRecord, ImageState
from lineside.core.verdict import Outcome, Verdict
from lineside.journal.history import History, PastVerdict, open_history
from lineside.reinspect import storage
from lineside.reinspect.part import ONLY_VIEW, ImageRef, OriginalVerdict, Part
from lineside.reinspect.sources.source import AS_IT_SAYS, SourceOptions, fingerprint_of
from lineside.wire.codec import verdict_from_bytes

__all__ = ["JOURNAL", "StationSource", "open_station"]

JOURNAL = "journal.sqlite"
"""A station's journal in its data_dir, beside `images/`."""


def open_station(place: str, options: SourceOptions) -> StationSource:
    """Opens a data_dir, a station file or a journal. Raises: ConfigError when there is no journal or it is damaged."""
    if not storage.is_local(place):
        raise ConfigError(
            f"the station's archive {place} is not on this machine",
            expected="a path: SQLite reads files of this machine only",
            remedy="copy the data_dir here, or give the images as a folder",
        )
    path = Path(place)
    if path.suffix == ".toml":
        station = read_station(path)
        return StationSource(place, open_history(station.data_dir / JOURNAL), views=tuple(station.cameras))
    return StationSource(place, open_history(path if path.name == JOURNAL else path / JOURNAL))


class StationSource:
    """A `Source` over one journal. A part's key is its verdict's sequence number.

    Holds the verdicts that there are when it is opened; the station may go on.
    """

    kind = "station"

    def __init__(self, place: str, history: History, *, views: Sequence[str] = ()) -> None:
        """`views` are those of the station, where its file tells them; else the journal has to (see `_views_of`)."""
        self._history = history
        self._views = views
        self._views_by_recipe: dict[str, Sequence[str]] = {}
        self._images = history.path.absolute().parent / "images"
        self.description = (
            f"{history.last_sequence} verdicts of line {history.line_id}, station {history.station_id}, "
            f"with the images kept in {storage.shown(str(self._images))}"
        )
        self.fingerprint = fingerprint_of(self.kind, place, AS_IT_SAYS)

    @property
    def ignored(self) -> Mapping[str, int]:
        """None: a journal has nothing but verdicts."""
        return {}

    def parts(self) -> Iterator[Part]:
        """Every part by sequence number. Blocks. Raises: JournalFault."""
        return map(self._part, self._history.verdicts())

    def part(self, sequence: int) -> Part:
        """The part of one verdict. Blocks. Raises: NotFound, JournalFault."""
        return self._part(self._history.verdict(sequence))

    def _part(self, past: PastVerdict) -> Part:
        record = past.record
        images = {image.view: self._image(image) for image in past.images if image.state is ImageState.KEPT}
        missing = {image.view: _lost(image) for image in past.images if image.state is not ImageState.KEPT}
        captured_utc_ns = 0
        try:
            verdict = verdict_from_bytes(record.payload)
        except InvalidRequest:
            pass  # whoever compares with it says so; its images are there all the same
        else:
            captured_utc_ns = verdict.captured_utc_ns
            missing |= self._never_kept(verdict, known=images.keys() | missing.keys())
        return Part(
            key=str(record.sequence),
            part_id=record.part_id,
            captured_utc_ns=captured_utc_ns,
            images=images,
            missing=missing,
            original=OriginalVerdict(
                sequence=record.sequence, trigger_number=record.trigger_number, payload=record.payload
            ),
        )

    def _image(self, image: ImageRecord) -> ImageRef:
        return ImageRef(url=str(self._images / image.path), sha256=image.sha256)

    def _never_kept(self, verdict: Verdict, *, known: set[str]) -> Mapping[str, str]:
        """The views of which the archive has no record, and why."""
        seen = {image.view: image.kept for image in verdict.images}
        if verdict.outcome is not Outcome.NOT_INSPECTED:
            self._views_by_recipe[verdict.recipe.sha256] = tuple(seen)
        missing = {
            view: "the archive has no record of it" if kept else "it was not to be kept"
            for view, kept in seen.items()
            if view not in known
        }
        never = self._views_of(verdict) - seen.keys() - known
        return missing | dict.fromkeys(sorted(never), f"there is no frame: {_told(verdict)}")

    def _views_of(self, verdict: Verdict) -> set[str]:
        """All views that the part should have. A verdict names those that were seen, and PASS and FAIL see all."""
        if self._views:
            return set(self._views)
        recipe = verdict.recipe.sha256
        if recipe not in self._views_by_recipe:
            record = self._history.judged_behind(verdict.sequence)
            judged = verdict_from_bytes(record.payload) if record else None
            same = judged is not None and judged.recipe.sha256 == recipe
            self._views_by_recipe[recipe] = tuple(image.view for image in judged.images) if judged and same else ()
        views = self._views_by_recipe[recipe] or [image.view for image in verdict.images]
        return set(views or (ONLY_VIEW,))


def _lost(image: ImageRecord) -> str:
    return _WHAT_BECAME[image.state] + (image.detail and f": {image.detail}")


_WHAT_BECAME = {
    ImageState.PENDING: "it was not written yet",
    ImageState.SHED: "it was given up",
    ImageState.FAILED: "it could not be written",
    ImageState.EXPIRED: "it was removed by retention",
}


def _told(verdict: Verdict) -> str:
    return verdict.judgement.detail or verdict.reason.sentence
