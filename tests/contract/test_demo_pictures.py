"""The demo draws every picture that the station keeps: it waits for those that are still being written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from lineside.client import StationClient
from lineside.commands.demo import _archived
from lineside.core.errors import NotFound
from lineside.core.record import ImageRecord, ImageState
from lineside.serve import InspectionServer, ServeOptions
from lineside.testing import FakeStation


class SlowArchiver(FakeStation):
    """Its image is in `state` when asked for the first three times, and kept from then on."""

    def __init__(self, state: ImageState) -> None:
        super().__init__()
        self.state = state
        self.asked = 0

    async def images_of(self, trigger_number: int) -> Sequence[ImageRecord]:
        self.asked += 1
        state = self.state if self.asked <= 3 else ImageState.KEPT
        return [replace(record, state=state) for record in await super().images_of(trigger_number)]

    async def image(self, image_id: str) -> tuple[ImageRecord, bytes]:
        if self.asked <= 3:
            raise NotFound(f"image {image_id!r} is not written yet")
        return await super().image(image_id)


@pytest.mark.parametrize(("state", "drawn"), [(ImageState.PENDING, b"picture"), (ImageState.SHED, None)])
async def test_a_picture_that_is_being_written_is_waited_for_and_one_that_was_shed_is_not(
    state: ImageState, drawn: bytes | None
) -> None:
    station = SlowArchiver(state)
    station.add_verdicts(1)
    image_id = station.keep_image(1, b"picture")
    server = InspectionServer(station, station, station, ServeOptions(tcp="127.0.0.1:0"))
    await server.start()
    try:
        async with StationClient(server.addresses[0]) as client:
            assert drawn == await _archived(client, 1, image_id)
    finally:
        await server.stop(grace_s=0.2)
