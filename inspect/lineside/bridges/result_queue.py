"""The inspection loop: results wait in order, one is shown, and stays until the PLC has acknowledged it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from lineside.bridges.plc import Result
from lineside.core.reason import Reason
from lineside.core.verdict import Outcome

__all__ = ["ResultQueue"]


@dataclass(slots=True)
class _Waiting:
    result: Result
    due_mono_ns: int | None
    """None: what it says no longer changes with time."""


class ResultQueue:
    """Level-held four-phase: valid 1, ack 1, valid 0, ack 0, next. Pure: time comes in, nothing goes out.

    A result is shown as PASS or FAIL only until its due time; then it turns to NOT_INSPECTED(DUE_TIME), shown or not.
    """

    def __init__(self, restored: Iterable[Result], *, ack_timeout_ns: int) -> None:
        self._waiting = deque(_Waiting(result, None) for result in restored)
        self._ack_timeout_ns = ack_timeout_ns
        self._shown_since_ns: int | None = None
        self.releasing = False
        """The PLC has acknowledged; RESULTS_VALID stays until that is written down."""
        self.ack_overdue = False
        self.acknowledged: Counter[Outcome] = Counter()
        self.late = 0
        self.shown_count = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def shown(self) -> Result | None:
        """The result now before the PLC."""
        return self._waiting[0].result if self._shown_since_ns is not None else None

    def acquisition_ids(self) -> list[int]:
        """Of all results that wait, the shown one first."""
        return [waiting.result.acquisition_id for waiting in self._waiting]

    def add(self, result: Result, due_mono_ns: int) -> None:
        """Queues a result behind those that wait."""
        self._waiting.append(_Waiting(result, due_mono_ns))

    def settle(self, *, ack: bool, now_ns: int) -> int | None:
        """Follows the PLC's acknowledge bit and the clock; returns the acquisition id to release, if one is now."""
        for index, waiting in enumerate(self._waiting):
            acknowledged = index == 0 and self.releasing
            if waiting.due_mono_ns is not None and now_ns > waiting.due_mono_ns and not acknowledged:
                self._spoil(waiting, Reason.DUE_TIME)
        if self._shown_since_ns is None:
            if self._waiting and not ack:  # an acknowledge that is up already belongs to an earlier result
                self._shown_since_ns = now_ns
                self.shown_count += 1
        elif ack and not self.releasing:
            self.releasing = True
            self.ack_overdue = False
            return self._waiting[0].result.acquisition_id
        elif not self.releasing and now_ns - self._shown_since_ns > self._ack_timeout_ns:
            self.ack_overdue = True
        return None

    def released(self) -> None:
        """It is written down that the PLC has the shown result."""
        result = self._waiting.popleft().result
        self.acknowledged[result.outcome] += 1
        self._shown_since_ns, self.releasing = None, False

    def spoil_all(self, reason: Reason) -> None:
        """No waiting result may be used any more, except one that the PLC has acknowledged already."""
        for index, waiting in enumerate(self._waiting):
            if index or not self.releasing:
                self._spoil(waiting, reason)

    def clear(self) -> tuple[int, ...]:
        """Gives up all that is not acknowledged; returns the acquisition ids."""
        kept = [self._waiting.popleft()] if self.releasing else []
        given_up = tuple(waiting.result.acquisition_id for waiting in self._waiting)
        self._waiting = deque(kept)
        if not kept:
            self._shown_since_ns = None
        self.ack_overdue = False
        return given_up

    def _spoil(self, waiting: _Waiting, reason: Reason) -> None:
        if waiting.result.outcome is not Outcome.NOT_INSPECTED:
            if reason is Reason.DUE_TIME:
                self.late += 1
            slack_ms = min(waiting.result.slack_ms, 0) if reason is Reason.DUE_TIME else waiting.result.slack_ms
            waiting.result = replace(waiting.result.not_inspected(reason), slack_ms=slack_ms)
        waiting.due_mono_ns = None
