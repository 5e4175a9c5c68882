"""What all commands have in common that ask a running station."""

from __future__ import annotations

import asyncio
import getpass
import logging
import os
import sys
from collections.abc import Coroutine
from typing import Annotated, Any

import structlog
import typer
from rich.console import Console

__all__ = ["DEFAULT_STATION", "JsonOption", "StationOption", "by_default", "ends_quietly", "output"]

StationOption = Annotated[
    str,
    typer.Option("--station", envvar="LINESIDE_STATION", help='Address of the station: "host:port" or "unix:PATH".'),
]
DEFAULT_STATION = "127.0.0.1:50051"

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object per line, for pipes.")]


class _Output(Console):
    def on_broken_pipe(self) -> None:  # rich would end the process here and now
        raise BrokenPipeError


def output() -> Console:
    """Standard output: no guessing of what might deserve a colour, no lines broken in pipes."""
    return _Output(highlight=False, soft_wrap=not sys.stdout.isatty())


def by_default() -> str:
    """Who asks, where the command line does not say: the user of this process."""
    try:
        return getpass.getuser()
    except OSError:  # a container's user may have no name
        return f"uid {os.getuid()}"


def ends_quietly(work: Coroutine[Any, Any, None]) -> None:
    """Runs `work`; Ctrl-C and a reader of the pipe that went away are ordinary ends.

    Standard output carries answers only: what the client logs goes to standard error, errors alone.
    """
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        asyncio.run(work)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        # The interpreter flushes standard output once more when it ends: let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
