"""Waiting for what happens elsewhere and tells nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LONG_S = 20


async def until(condition: Callable[[], object], what: str = "what was waited for") -> None:
    """Returns as soon as it holds; after a long time the test has failed."""
    try:
        async with asyncio.timeout(LONG_S):
            while not condition():  # noqa: ASYNC110 - see above
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"never: {what}") from None
