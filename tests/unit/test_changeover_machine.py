"""Change-over against a plain model: good, bad and crashing candidates, with parts in flight."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from lineside.config.calibration_check import CheckTable
from lineside.control import Control
from lineside.core.clock import SystemClock
from lineside.core.errors import InspectorLost, LinesideError, PackageError
from lineside.core.identity import Identity
from lineside.core.pixel_format import PixelFormat
from lineside.core.reason import Reason
from lineside.core.recipe import ImageKeeping, Recipe, ViewRecipe
from lineside.core.record import StationEvent
from lineside.core.trigger import Trigger
from lineside.core.verdict import Judgement, Outcome
from lineside.journal.journal import Journal
from lineside.journal.queries import JournalQueries
from lineside.ledger import JudgedBy
from lineside.station import Accepted, Setup, Station
from lineside.supervise.calibration_checks import CalibrationChecks, CheckPlan
from lineside.supervise.crew import Answer
from lineside.supervise.frame_pool import FramePool
from lineside.supervise.image_desk import ImageDesk
from lineside.supervise.messages import Captures
from lineside.supervise.pools import Pools
from lineside.wire.codec import encode_verdict
from lineside.wire.v1 import inspection_pb2 as pb

HOUR_MS = 600_000
NOTHING_TO_CHECK = CheckPlan(
    table=CheckTable(), project=Path(), station_id="s", data_dir=Path(), views=(), entry="", paced=False
)
CANDIDATES = st.sampled_from(["good", "blind", "damaged", "crashing"])


class HandCrew:
    """Inspectors that answer when told to. `blind` ones find nothing wrong with anything."""

    def __init__(self, name: str, *, blind: bool = False) -> None:
        self.models = (Identity(id=name, sha256="a"),)
        self.provider = "cpu"
        self.waiting: list[asyncio.Future[Answer]] = []
        self.ended = False
        self._found = Outcome.PASS if blind else Outcome.FAIL

    async def judge(self, captures: Captures, *, decide_by_mono_ns: int) -> Answer:
        assert not self.ended, "a part was given to inspectors that have gone"
        self.waiting.append(asyncio.get_running_loop().create_future())
        return await self.waiting[-1]

    async def inspect(self, captures: Captures) -> Answer:
        return Answer(judgement=Judgement(outcome=self._found, reason=Reason.NONE))

    def answer(self) -> None:
        """The oldest part is judged."""
        judgement = Judgement(outcome=Outcome.PASS, reason=Reason.NONE, models=self.models)
        self.waiting.pop(0).set_result(Answer(judgement=judgement))

    async def retire(self) -> None:
        assert not self.waiting, "inspectors left with parts in hand"
        self.ended = True

    async def stop(self) -> None:
        self.ended = True

    def why_not_ready(self) -> str:
        return ""

    def status(self) -> tuple[()]:
        return ()


class Nothing:
    """Cameras and archiver of a station whose parts bring no frames."""

    def why_not_ready(self) -> str:
        return ""

    def refill(self) -> None: ...

    def keep_images(self, *_: object) -> None: ...

    async def secure(
        self, number: int, part_id: str, captures: Captures, judgement: Judgement, keeping: ImageKeeping
    ) -> tuple[Judgement, frozenset[str]]:
        return judgement, frozenset()


class ChangeOver(RuleBasedStateMachine):
    """The model: which set-up is active, which are being loaded, and with which each part began."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        self.crews: list[HandCrew] = []
        self.began_with: dict[int, str] = {}
        self.parts: list[Accepted] = []
        self.active = "first"
        self.changing: asyncio.Task[Identity] | None = None
        self.candidate = ("", "")
        self.loaded: asyncio.Future[None] | None = None
        self.events: list[StationEvent] = []
        self.refused = 0

    @initialize()
    def begin(self) -> None:
        bad = self.folder / "golden" / "plate" / "bad"
        bad.mkdir(parents=True)
        (bad / "scratched.png").write_bytes(b"any bytes: nobody looks")
        self.runner.run(self.make())

    async def make(self) -> None:
        clock = SystemClock()
        self.journal = Journal.open(
            self.folder / "journal.sqlite", boot_id="b", station_id="s", line_id="l", clock=clock
        )
        self.queries = JournalQueries(self.journal, self.folder / "images")
        self.pool = FramePool("requests", slots=2, slot_bytes=4096)
        self.station = Station(
            margin_ms=0,
            rig=cast(Any, Nothing()),
            journal=self.journal,
            archivist=cast(Any, Nothing()),
            pools=Pools([self.pool]),
            setup=self.setup_of("first"),
            encode=encode_verdict,
            clock=clock,
        )
        self.control = Control(
            self.station,
            journal=self.journal,
            reader=self.queries,
            desk=ImageDesk(self.pool, clock),
            golden_desk=ImageDesk(self.pool, clock),
            prepare=self.prepare,
            golden_folder=self.folder / "golden",
            checks=CalibrationChecks(NOTHING_TO_CHECK, self.station.pools, clock),
            software_triggered=True,
            calibrations=lambda recipe: (),
            note_event=self.events.append,
            clock=clock,
        )

    def setup_of(self, name: str, *, blind: bool = False) -> Setup:
        crew = HandCrew(name, blind=blind)
        self.crews.append(crew)
        view = ViewRecipe(view="top", package="p", pixel_format=PixelFormat.MONO8, width_px=8, height_px=8)
        identity = Identity(id=name, sha256="a" * 64)
        recipe = Recipe(identity=identity, product_id="plate", due_ms=HOUR_MS, views={"top": view}, limits=())
        judged_by = JudgedBy(
            line_id="l",
            station_id="s",
            boot_id="b",
            recipe=identity,
            calibration=identity,
            config_fingerprint=name,
            keeping=ImageKeeping(),
            due_ms=HOUR_MS,
            max_in_flight=1000,
        )
        return Setup(recipe=recipe, crew=cast(Any, crew), judged_by=judged_by)

    async def prepare(self, recipe_id: str) -> Setup:
        kind, _ = self.candidate
        self.loaded = asyncio.get_running_loop().create_future()
        await self.loaded
        if kind == "damaged":
            raise PackageError("model.onnx has another SHA-256")
        if kind == "crashing":
            raise InspectorLost("the process ended while it loaded")
        return self.setup_of(recipe_id, blind=kind == "blind")

    def teardown(self) -> None:
        async def end() -> None:
            while self.station.ledger.in_flight or (self.changing is not None and not self.changing.done()):
                for crew in self.crews:
                    while crew.waiting:
                        crew.answer()
                await asyncio.sleep(0.001)
            await self.station.drain(1.0)
            await self.queries.close()
            assert await self.journal.close()

        if hasattr(self, "station"):
            self.the_candidate_has_loaded()
            self.runner.run(end())
            self.check_every_verdict()
            self.pool.close()
        self.runner.close()
        shutil.rmtree(self.folder)

    def check_every_verdict(self) -> None:
        assert len(self.began_with) == len(self.parts)
        for part in self.parts:
            verdict = pb.Verdict.FromString(part.told.result().payload)
            began = self.began_with[part.trigger.number]
            assert (verdict.recipe.id, verdict.config_fingerprint) == (began, began)
            assert [model.id for model in verdict.models] == [began]
        kinds = [event.kind for event in self.events]
        assert kinds.count("recipe change refused") == self.refused

    @rule()
    def a_part_comes(self) -> None:
        async def accept() -> None:
            async def look(trigger: Trigger) -> Captures:
                return {}

            part = self.station.accept(look)
            self.parts.append(part)
            self.began_with[part.trigger.number] = self.active
            await asyncio.sleep(0)

        self.runner.run(accept())

    @rule(which=st.integers(0, 3))
    def a_part_is_judged(self, which: int) -> None:
        busy = [crew for crew in self.crews if crew.waiting]
        if busy:
            busy[which % len(busy)].answer()
            self.turn()

    @rule(kind=CANDIDATES)
    def a_change_is_asked_for(self, kind: str) -> None:
        if self.changing is not None and not self.changing.done():
            return
        name = f"{kind}-{len(self.crews)}-{len(self.events)}"
        self.candidate = (kind, name)

        async def ask() -> None:
            self.changing = asyncio.ensure_future(self.control.change_recipe(name, requested_by="the model"))
            while self.loaded is None or self.loaded.done():  # noqa: ASYNC110 - `prepare` is called on this loop
                await asyncio.sleep(0)

        self.runner.run(ask())

    @rule()
    def the_candidate_has_loaded(self) -> None:
        """It becomes the active one if and only if it is good; the old one ends when its parts are judged."""
        if self.loaded is None or self.loaded.done() or self.changing is None:
            return
        changing, loaded, (kind, name) = self.changing, self.loaded, self.candidate

        async def decide() -> None:
            loaded.set_result(None)
            while self.station.setup.recipe.identity.id != name and not changing.done():  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0.001)

        self.runner.run(decide())
        if kind == "good":
            self.active = name
            return
        self.refused += 1
        assert changing.done()
        assert isinstance(changing.exception(), LinesideError)
        assert self.events[-1].kind == "recipe change refused"
        assert f"{self.active} stays" in self.events[-1].detail

    def turn(self) -> None:
        async def turn() -> None:
            for _ in range(5):
                await asyncio.sleep(0)

        self.runner.run(turn())

    @invariant()
    def exactly_one_setup_is_active_and_it_is_the_expected_one(self) -> None:
        if not hasattr(self, "station"):
            return
        assert self.station.setup.recipe.identity.id == self.active
        assert not cast(Any, self.station.setup.crew).ended

    @invariant()
    def only_crews_with_parts_in_hand_or_the_active_one_live(self) -> None:
        if not hasattr(self, "station") or (self.changing is not None and not self.changing.done()):
            return
        alive = [crew for crew in self.crews if not crew.ended]
        assert alive == [self.station.setup.crew]

    @invariant()
    def counts_add_up(self) -> None:
        if hasattr(self, "station"):
            counters = self.station.ledger.counters()
            judged = counters.passed + counters.failed + counters.not_inspected
            assert counters.triggers == judged + counters.in_flight == len(self.parts)
            assert counters.not_inspected == 0


def test_there_is_one_setup_at_a_time_and_each_part_is_judged_by_the_one_it_began_with() -> None:
    run_state_machine_as_test(
        ChangeOver, settings=settings(max_examples=40, stateful_step_count=25, deadline=None, database=None)
    )
