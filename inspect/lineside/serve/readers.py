"""Who reads the verdict stream, how far each has come, and how a reader is ended from outside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from lineside.core.errors import LinesideError, TakenOver, TooMany
from lineside.core.status import ReaderStatus

__all__ = ["Reader", "Readers"]

_REMEMBERED = 256  # named readers that are gone and still shown in the status


@dataclass(eq=False, kw_only=True)
class Reader:
    """One live (or late) StreamVerdicts call. `name` is empty for an unnamed reader, which has no window.

    `sent_sequence` is the cursor: nothing is queued per reader, each reads the feed at its own pace.
    """

    name: str
    peer: str
    sent_sequence: int
    acknowledged_sequence: int
    window: int
    connected: bool = True
    ended: Callable[[], LinesideError] | None = None
    """Makes the error that ends the call. A raised error keeps the frames of its call: it must not outlive it here."""
    acknowledged_mono_s: float = field(default_factory=time.monotonic)
    gap_end: int = 0
    _task: asyncio.Task[object] | None = field(default_factory=asyncio.current_task, repr=False)
    _waiting: bool = False
    _acknowledgement: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def room(self) -> int:
        """How many more verdicts this reader may be sent before it must acknowledge."""
        if not self.name:
            return self.window
        # Verdicts that are gone for good need no acknowledgement: the window begins after the last gap.
        return max(self.acknowledged_sequence, self.gap_end) + self.window - self.sent_sequence

    def acknowledge(self, sequence: int) -> None:
        """Notes an acknowledgement and wakes the stream if it waits for one."""
        self.acknowledged_sequence = max(self.acknowledged_sequence, sequence)
        self.acknowledged_mono_s = time.monotonic()
        self._acknowledgement.set()

    async def acknowledgement(self) -> None:
        """Waits for the next acknowledgement."""
        self._acknowledgement.clear()
        await self._acknowledgement.wait()

    def end(self, error: Callable[[], LinesideError]) -> None:
        """Ends the call with an `error`: at once where it waits, else when it next has nothing to send."""
        self.ended = error
        if self._waiting and self._task is not None:
            self._task.cancel()

    def __enter__(self) -> None:
        """Entered around every wait that `end` may interrupt."""
        if self.ended is not None:
            raise self.ended()
        self._waiting = True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._waiting = False
        if kind is asyncio.CancelledError and self.ended is not None and self._task is not None:
            self._task.uncancel()
            raise self.ended() from None

    def status(self, last_sequence: int) -> ReaderStatus:
        """This reader for the station status; the lag is counted from what was acknowledged, where it is named."""
        reached = self.acknowledged_sequence if self.name else self.sent_sequence
        return ReaderStatus(
            reader=self.name,
            peer=self.peer,
            connected=self.connected,
            sent_sequence=self.sent_sequence,
            acknowledged_sequence=self.acknowledged_sequence,
            lag=max(0, last_sequence - reached),
        )


class Readers:
    """The readers of one station. Used on the event loop only."""

    def __init__(self, max_readers: int) -> None:
        self._max_readers = max_readers
        self._live: set[Reader] = set()
        self._named: dict[str, Reader] = {}

    def admit(self, reader: Reader) -> None:
        """Lets a reader in; a live one of the same name is ended. Raises: TooMany."""
        former = self._named.get(reader.name)
        if len(self._live - {former}) >= self._max_readers:
            raise TooMany(
                f"{len(self._live)} readers follow this station already",
                expected=f"at most {self._max_readers}",
                remedy="close a reader, or raise max_readers in the station file",
            )
        if former is not None and former.connected:
            former.end(
                partial(
                    TakenOver,
                    f"reader {reader.name!r} was taken over by a newer call from {reader.peer}",
                    expected="one live call per reader name",
                    remedy="if this was no reconnection, give each program a reader name of its own",
                )
            )
            self.leave(former)
        self._live.add(reader)
        if reader.name:
            self._named.pop(reader.name, None)
            self._named[reader.name] = reader
            gone = [name for name, known in self._named.items() if not known.connected]
            for name in gone[: max(0, len(self._named) - self._max_readers - _REMEMBERED)]:
                del self._named[name]

    def leave(self, reader: Reader) -> None:
        """Takes a reader out; a named one stays known to the status."""
        reader.connected = False
        self._live.discard(reader)

    def acknowledge(self, name: str, sequence: int) -> None:
        """Tells the live call of that name, if there is one, that its window has moved."""
        if name in self._named:
            self._named[name].acknowledge(sequence)

    def end_all(self, error: Callable[[], LinesideError]) -> None:
        """Ends every live call with an `error` of its own, once it has been sent what there is."""
        for reader in tuple(self._live):
            reader.end(error)

    def statuses(self, last_sequence: int) -> tuple[ReaderStatus, ...]:
        """Live readers, and the named ones that have gone."""
        known = [*self._named.values(), *(reader for reader in self._live if not reader.name)]
        return tuple(reader.status(last_sequence) for reader in known)
