"""An engine that runs in a process of its own, for Ray: it leaves sockets open in its process until that ends."""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from lineside.core.errors import LinesideError
from lineside.reinspect.engine import Chunk, DoneChunk, Engine, OpenJudge


class EngineProcess:
    """Runs one engine after the other. It asks for a chunk when the engine takes one, and waits when one is done."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other,))
        with warnings.catch_warnings():  # a test before may have ended the standard library's tracker with its children
            warnings.filterwarnings("ignore", message="resource_tracker: process died unexpectedly")
            self._process.start()
        other.close()

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    def engine(self, **settings: Any) -> Engine:
        return _RayElsewhere(self.pipe, settings)

    def end(self) -> None:
        self.pipe.send(None)
        self._process.join()
        self.pipe.close()


@dataclass(frozen=True)
class _RayElsewhere:
    pipe: Connection
    settings: dict[str, Any]

    def run(self, chunks: Iterable[Chunk], open_judge: OpenJudge) -> Iterator[DoneChunk]:
        remaining = iter(chunks)
        self.pipe.send((self.settings, open_judge))
        while True:
            match self.pipe.recv():
                case "next":
                    self.pipe.send(next(remaining, None))
                case DoneChunk() as done:
                    try:
                        yield done
                    except GeneratorExit:
                        self.pipe.send("close")
                        assert self.pipe.recv() == "ended"
                        raise
                    self.pipe.send("go on")
                case "ended":
                    return
                case LinesideError() as error:
                    raise error


def _serve(pipe: Connection) -> None:
    from lineside.reinspect.ray import RayEngine

    def pull() -> Chunk | None:
        pipe.send("next")
        return pipe.recv()

    while (order := pipe.recv()) is not None:
        settings, open_judge = order
        run = RayEngine(**settings).run(iter(pull, None), open_judge)
        try:
            for done in run:
                pipe.send(done)
                if pipe.recv() == "close":
                    run.close()
            pipe.send("ended")
        except LinesideError as error:
            pipe.send(error)
