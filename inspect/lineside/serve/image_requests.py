"""Images on their way in: their checks beside the event loop, and how many bytes of them are in hand over all calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lineside.core.errors import TooMany
from lineside.core.image_in import ImageIn
from lineside.serve import arguments
from lineside.wire.v1 import inspection_pb2 as pb

__all__ = ["ImageRequests"]


class ImageRequests:
    """Admits requests with images, at most `max_bytes` of pixels at once; one alone is admitted whatever its size."""

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._in_hand_bytes = 0

    @asynccontextmanager
    async def admitted(
        self, request: pb.InspectImageRequest | pb.PushFramesRequest
    ) -> AsyncIterator[tuple[ImageIn, ...]]:
        """The request's images, checked; they count as in hand until the block is left.

        Raises: InvalidRequest, TooLarge; TooMany, without waiting, where there is too much in hand.
        """
        # In a thread, whatever the size: asking protobuf for the size costs more than the check (150 ms for 60 MB).
        images = await asyncio.to_thread(arguments.images_in, request.images)
        size_bytes = sum(len(image.data) for image in images)
        if self._in_hand_bytes and self._in_hand_bytes + size_bytes > self._max_bytes:
            raise TooMany(
                f"{size_bytes} bytes of images while {self._in_hand_bytes} are being judged",
                expected=f"at most {self._max_bytes} at once, over all clients",
                remedy="send it again when earlier ones are answered",
            )
        self._in_hand_bytes += size_bytes
        try:
            yield images
        finally:
            self._in_hand_bytes -= size_bytes
