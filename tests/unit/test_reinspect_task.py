"""What is done when a worker dies over a task: again, then part by part, then the part is given up; nothing else is."""

from __future__ import annotations

import pytest

from lineside.reinspect.engine import Chunk
from lineside.reinspect.part import Part
from lineside.reinspect.row import State
from lineside.reinspect.task import GIVEN_UP, HUNG, MAX_DEATHS, OpenChunks, Task, do
from lineside.testing.fake_judge import OpenFakeJudge

PARTS = [Part(key=f"part {number}", images={}) for number in range(4)]
CHUNK = Chunk(number=7, parts=PARTS)
JUDGE = OpenFakeJudge(candidates=("A", "B"))()


def after_deaths(task: Task, count: int) -> list[Task]:
    """What the task becomes when `count` workers die over it, and over what it becomes."""
    tasks = [task]
    for _ in range(count):
        tasks = [again for each in tasks for again in each.after_death()]
    return tasks


def test_a_task_is_done_again_whole_as_long_as_few_have_died_over_it() -> None:
    (again,) = after_deaths(OpenChunks().open(CHUNK), MAX_DEATHS - 1)

    assert (PARTS, "") == (again.parts, again.given_up)


def test_then_its_parts_are_tried_one_by_one_each_with_a_clean_sheet() -> None:
    alone = after_deaths(OpenChunks().open(CHUNK), MAX_DEATHS)

    assert [([part], 0, "") for part in PARTS] == [(each.parts, each.deaths, each.given_up) for each in alone]


def test_a_part_that_goes_on_killing_is_given_up_and_written_down() -> None:
    *_, deadly = after_deaths(OpenChunks().open(CHUNK), MAX_DEATHS)
    (given_up,) = after_deaths(deadly, MAX_DEATHS)

    rows = do(given_up, JUDGE)

    assert [("part 3", "A", State.UNREADABLE, GIVEN_UP), ("part 3", "B", State.UNREADABLE, GIVEN_UP)] == list(
        zip(*(rows[name].to_pylist() for name in ("part_key", "candidate", "state", "error")), strict=True)
    )


def test_the_part_over_which_a_second_worker_hangs_is_given_up_and_written_down() -> None:
    alone = OpenChunks().open(CHUNK).after_hang()
    (given_up,) = alone[2].after_hang()

    rows = do(given_up, JUDGE)

    assert [[part] for part in PARTS] == [each.parts for each in alone]
    assert [("part 2", HUNG)] * 2 == list(zip(*(rows[name].to_pylist() for name in ("part_key", "error")), strict=True))


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2]])
def test_a_chunk_done_part_by_part_comes_out_whole_and_in_its_order(order: list[int]) -> None:
    chunks = OpenChunks()
    alone = after_deaths(chunks.open(CHUNK), MAX_DEATHS)

    answers = [chunks.close(alone[index], do(alone[index], JUDGE)) for index in order]

    assert [None, None, None] == answers[:3]
    assert answers[3] is not None
    assert do(Task(chunk=7, parts=PARTS), JUDGE)["part_key"].to_pylist() == answers[3].rows["part_key"].to_pylist()
    assert 7 == answers[3].number
