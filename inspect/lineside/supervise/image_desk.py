"""Where clients' images come in: checked against the recipe, and put into shared memory for an inspector to decode."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lineside.core.clock import Clock
from lineside.core.errors import InvalidRequest, TooLarge, TooMany
from lineside.core.image_in import ImageIn
from lineside.core.recipe import Recipe, ViewRecipe
from lineside.supervise.frame_pool import FramePool, SlotMemory
from lineside.supervise.messages import ImageReference

__all__ = ["ImageDesk"]


class ImageDesk:
    """Takes in images of parts that no camera of the station has seen. Used on the event loop."""

    def __init__(self, pool: FramePool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._memory: SlotMemory | None = None

    def take(
        self,
        images: Sequence[ImageIn],
        recipe: Recipe,
        *,
        part_id: str = "",
        captured_utc_ns: int = 0,
        frame_id: int = 0,
    ) -> dict[str, ImageReference]:
        """One image for each view of the recipe, each in a slot that the caller must release.

        Raises: InvalidRequest for other views or formats than the recipe's, TooLarge, TooMany.
        """
        views = self._views(images, recipe)
        for view, image in zip(views, images, strict=True):
            self._check(view, image, recipe)
        if self._pool.free < len(images):
            raise TooMany(
                f"{self._pool.key.slots} images of clients are being judged",
                remedy="wait for their answers before sending more",
            )
        return {
            view: self._put(recipe.views[view], image, part_id, captured_utc_ns, frame_id)
            for view, image in zip(views, images, strict=True)
        }

    @staticmethod
    def _views(images: Sequence[ImageIn], recipe: Recipe) -> list[str]:
        only = next(iter(recipe.views)) if len(recipe.views) == 1 else ""
        views = [image.view or only for image in images]
        if sorted(views) != sorted(recipe.views):
            raise InvalidRequest(
                f"images of views {', '.join(repr(view) for view in views) or 'none'}",
                expected=f"one of each of {', '.join(recipe.views)}",
                remedy="send one image for each view of the recipe",
            )
        return views

    def _check(self, view: str, image: ImageIn, recipe: Recipe) -> None:
        wanted = recipe.views[view].pixel_format
        if image.pixel_format is not wanted:
            raise InvalidRequest(
                f"image of view {view} is declared {image.pixel_format}",
                expected=f"{wanted} (recipe {recipe.identity.id})",
                remedy="send what the recipe inspects, or use another recipe",
            )
        if not 0 < len(image.data) <= self._pool.key.slot_bytes:
            raise (TooLarge if image.data else InvalidRequest)(
                f"image of {len(image.data)} bytes", expected=f"1 to {self._pool.key.slot_bytes} bytes"
            )

    def _put(
        self, wanted: ViewRecipe, image: ImageIn, part_id: str, captured_utc_ns: int, frame_id: int
    ) -> ImageReference:
        self._memory = self._memory or self._pool.memory()
        slot = self._pool.take()
        assert slot is not None, "counted before"
        there = self._memory.array(slot, (len(image.data),), np.dtype(np.uint8))
        there[:] = np.frombuffer(image.data, dtype=np.uint8)
        return ImageReference(
            pool=self._pool.name,
            slot=slot,
            view=wanted.view,
            length=len(image.data),
            encoded=image.encoded,
            width_px=wanted.width_px if image.encoded else image.width_px,
            height_px=wanted.height_px if image.encoded else image.height_px,
            stride_bytes=image.stride_bytes,
            pixel_format=image.pixel_format,
            frame_id=frame_id,
            captured_utc_ns=captured_utc_ns or self._clock.utc_ns(),
            captured_mono_ns=self._clock.mono_ns(),
            part_id=part_id,
        )
