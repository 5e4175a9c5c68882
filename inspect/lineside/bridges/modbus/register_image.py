"""What the Modbus server serves: the PLC's own words as it wrote them, the bridge's made anew for each request."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lineside.bridges.modbus.profiles import LinkCounts, Profile
from lineside.bridges.modbus.register_map import WordOrder
from lineside.bridges.plc import Controls, Display

__all__ = ["READABLE", "RegisterImage"]

READABLE = 128
"""Addresses from 0 that can be read; those without a name are zero."""


class RegisterImage:
    """One request sees one moment: the image is made from one display, and nothing else runs in between.

    `plc_wrote` is called with each write, as a whole; `display` gives what to show; `link` the server's own counts.
    """

    def __init__(
        self,
        profile: Profile,
        order: WordOrder,
        *,
        plc_wrote: Callable[[Controls], None],
        display: Callable[[], Display],
        link: Callable[[], LinkCounts],
    ) -> None:
        self._profile, self._order = profile, order
        self._plc_wrote, self._display, self._link = plc_wrote, display, link
        self._writable = profile.map.block("plc")
        self._asked = [0] * self._writable.stop
        self._values = profile.map.decode(self._asked, order, direction="plc")
        self._controls: Controls | None = None

    def check(self, address: int, count: int) -> None:
        """Raises: IndexError where not all of these words can be read."""
        if address + count > READABLE:
            raise IndexError(address)

    def read(self, address: int, count: int) -> Sequence[int]:
        """`count` words from `address`. Raises: IndexError beyond the map."""
        self.check(address, count)
        self._pass_on()  # in profiles without a heartbeat word, any request is a sign of life
        words = self._asked + [0] * (READABLE - len(self._asked))
        shown = self._profile.show(self._display(), self._link(), self._values)
        for place, word in self._profile.map.encode(shown, self._order).items():
            words[place] = word
        return words[address : address + count]

    def write(self, address: int, words: Sequence[int]) -> None:
        """Takes all words or none. Raises: IndexError where one is not the PLC's to write."""
        if address not in self._writable or address + len(words) > self._writable.stop:
            raise IndexError(address)
        self._asked[address : address + len(words)] = words
        self._values = self._profile.map.decode(self._asked, self._order, direction="plc")
        self._pass_on()

    def _pass_on(self) -> None:
        controls = self._profile.read(self._values, self._link())
        if controls != self._controls:
            self._controls = controls
            self._plc_wrote(controls)
