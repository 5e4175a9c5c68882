"""The folder of a run: what is done stays done, and nothing else is taken for it."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lineside.core.errors import ConfigError, ReinspectionError
from lineside.reinspect.engine import Chunk, DoneChunk
from lineside.reinspect.part import ImageRef, Part
from lineside.reinspect.plan import Plan
from lineside.reinspect.row import ROW_SCHEMA, TIMING_COLUMNS, table_of
from lineside.reinspect.run_folder import RunFolder
from lineside.testing.fake_judge import OpenFakeJudge

FACTS = {"candidates": [{"label": "A", "recipe": "aaa"}], "source": {"place": "/archive"}}
LABELS = ("A", "B")


@pytest.fixture
def pictures(tmp_path: Path) -> list[Part]:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(100):
        (folder / f"{number}.png").write_bytes(bytes([number]) * 50)
    return [Part(key=f"{number}", images={"": ImageRef(url=str(folder / f"{number}.png"))}) for number in range(100)]


def opened(out: Path, *, resume: bool = False, **changes: object) -> RunFolder:
    return RunFolder(out, {**FACTS, **changes}, resume=resume)


def judged(chunks: Iterable[Chunk]) -> list[DoneChunk]:
    judge = OpenFakeJudge(candidates=LABELS)()
    return [DoneChunk(number=chunk.number, rows=table_of(judge.chunk(chunk.parts))) for chunk in chunks]


def do(folder: RunFolder, plan: Plan, numbers: Iterable[int]) -> None:
    for done in judged(plan.read(list(numbers))):
        folder.keep(done, rows=plan.sizes[done.number] * len(LABELS))


def test_rows_come_out_in_the_plans_order_whatever_order_they_went_in(tmp_path: Path, pictures: list[Part]) -> None:
    contents = []
    for order in (1, -1):
        out = tmp_path / f"out{order}"
        with opened(out) as folder:
            plan = folder.plan(lambda: pictures)
            do(folder, plan, range(plan.chunks)[::order])
            assert folder.merge(plan)
            contents.append(folder.content_sha256)
        rows = pq.read_table(out / "rows.parquet")
        assert [(part.key, label) for part in pictures for label in LABELS] == list(
            zip(rows["part_key"].to_pylist(), rows["candidate"].to_pylist(), strict=True)
        )
    assert contents[0] == contents[1]


def test_the_hash_of_the_content_is_of_everything_but_the_timings(tmp_path: Path, pictures: list[Part]) -> None:
    def content_with(name: str, change: str, value: object) -> str:
        with opened(tmp_path / name) as folder:
            plan = folder.plan(lambda: pictures[:16])
            (done,) = judged(plan.read([0]))
            column = ROW_SCHEMA.get_field_index(change)
            values = [value, *done.rows[change].to_pylist()[1:]]
            changed = done.rows.set_column(column, ROW_SCHEMA.field(column), pa.array(values, ROW_SCHEMA.types[column]))
            folder.keep(DoneChunk(number=0, rows=changed), rows=32)
            assert folder.merge(plan)
            return folder.content_sha256

    timed = {content_with(f"timed {name}", name, 1e6) for name in TIMING_COLUMNS}
    other = content_with("other", "defects_total", 3)

    assert 1 == len(timed)
    assert other not in timed


def test_only_chunks_that_are_not_there_are_left_to_do(tmp_path: Path, pictures: list[Part]) -> None:
    with opened(tmp_path / "out") as folder:
        plan = folder.plan(lambda: pictures)
        do(folder, plan, [1, 4])

    with opened(tmp_path / "out", resume=True) as folder:
        plan = folder.plan(lambda: pytest.fail("the archive is listed once"))
        assert [0, 2, 3, 5, 6] == folder.undone(plan)
        do(folder, plan, folder.undone(plan))
        assert folder.merge(plan)
        assert [] == folder.undone(plan)
    assert not (tmp_path / "out" / "chunks").exists()


def test_a_flipped_bit_anywhere_in_a_chunks_file_is_found(tmp_path: Path, pictures: list[Part]) -> None:
    chance = random.Random(5)
    with opened(tmp_path / "out") as folder:
        plan = folder.plan(lambda: pictures[:16])
        do(folder, plan, [0])
        (path,) = (tmp_path / "out" / "chunks").iterdir()
        sound = path.read_bytes()
        for bit in (chance.randrange(len(sound) * 8) for _ in range(50)):
            damaged = bytearray(sound)
            damaged[bit // 8] ^= 1 << bit % 8
            path.write_bytes(damaged)

            assert not folder.merge(plan), f"bit {bit}"
            assert [0] == folder.undone(plan)


def test_a_damaged_chunk_is_removed_and_left_to_do_again(tmp_path: Path, pictures: list[Part]) -> None:
    with opened(tmp_path / "out") as folder:
        plan = folder.plan(lambda: pictures)
        do(folder, plan, range(plan.chunks))
        files = sorted((tmp_path / "out" / "chunks").iterdir())
        files[2].write_bytes(files[2].read_bytes()[:-1])
        files[3].write_bytes(b"")

        assert not folder.merge(plan)
        assert [2, 3] == folder.undone(plan)
        assert not folder.rows_path.exists()
        do(folder, plan, [2, 3])
        assert folder.merge(plan)


def test_files_that_a_kill_left_half_written_are_worth_nothing(tmp_path: Path, pictures: list[Part]) -> None:
    out = tmp_path / "out"
    with opened(out) as folder:
        plan = folder.plan(lambda: pictures)
    (out / "chunks" / "000000-0123.arrow.partial").write_bytes(b"PAR1")
    (out / "plan.parquet.partial").write_bytes(b"PAR1")

    with opened(out, resume=True) as folder:
        assert 0 in folder.undone(plan)
    assert not list(out.rglob("*.partial"))


def begun(out: Path, parts: list[Part]) -> None:
    """A run of which one chunk is done."""
    with opened(out) as folder:
        do(folder, folder.plan(lambda: parts), [0])


def test_a_run_is_not_begun_where_there_is_one(tmp_path: Path, pictures: list[Part]) -> None:
    begun(tmp_path / "out", pictures)

    with pytest.raises(ConfigError, match=r"a run in .* already.*--resume"):
        opened(tmp_path / "out")


def test_a_run_of_which_nothing_is_done_gives_way_to_another(tmp_path: Path, pictures: list[Part]) -> None:
    with opened(tmp_path / "out") as folder:
        folder.plan(lambda: pictures)

    with opened(tmp_path / "out", source={"place": "/elsewhere"}) as folder:
        assert 16 == folder.plan(lambda: pictures[:16]).parts


def test_a_run_is_not_begun_among_other_things(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("chapter 1")

    with pytest.raises(ConfigError, match=r"not empty and holds no run: thesis\.txt"):
        opened(tmp_path)


def test_resume_begins_a_run_where_there_is_none(tmp_path: Path) -> None:
    with opened(tmp_path / "out", resume=True):
        assert (tmp_path / "out" / "run.json").exists()


def test_resume_of_another_run_is_refused_and_says_what_differs(tmp_path: Path, pictures: list[Part]) -> None:
    begun(tmp_path / "out", pictures)

    with pytest.raises(ConfigError, match=r"candidates\.0\.recipe is bbb, was aaa") as caught:
        opened(tmp_path / "out", resume=True, candidates=[{"label": "A", "recipe": "bbb"}])
    assert "source" not in caught.value.what


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        opened(tmp_path / "out"),
        pytest.raises(ConfigError, match=f"process {os.getpid()} works in"),
    ):
        opened(tmp_path / "out", resume=True)
    opened(tmp_path / "out", resume=True).__exit__(None, None, None)


def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match="cannot be made"):
        opened(tmp_path / "file" / "out")


def test_rows_that_are_not_the_chunks_are_not_kept(tmp_path: Path, pictures: list[Part]) -> None:
    with opened(tmp_path / "out") as folder:
        plan = folder.plan(lambda: pictures)
        (done,) = judged(plan.read([0]))

        with pytest.raises(ReinspectionError, match="chunk 0 came back with 31 rows"):
            folder.keep(DoneChunk(number=0, rows=done.rows.slice(1)), rows=32)
        with pytest.raises(ReinspectionError, match="expected 32 rows of"):
            folder.keep(DoneChunk(number=0, rows=done.rows.drop_columns(["state"])), rows=32)
        assert 0 in folder.undone(plan)


def test_a_run_of_no_parts_has_no_rows(tmp_path: Path) -> None:
    with opened(tmp_path / "out") as folder:
        plan = folder.plan(list)

        assert [] == folder.undone(plan)
        assert folder.merge(plan)
        assert 0 == pq.read_table(folder.rows_path, schema=ROW_SCHEMA).num_rows


def test_the_time_of_all_sittings_is_added_up(tmp_path: Path, pictures: list[Part]) -> None:
    times = []
    for number in (0, 1):
        with opened(tmp_path / "out", resume=True) as folder:
            plan = folder.plan(lambda: pictures)
            folder.undone(plan)
            do(folder, plan, [number])
            times.append(folder.judging_s)
    with opened(tmp_path / "out", resume=True) as folder:
        assert 0 < times[0] < times[1] == pytest.approx(folder.judging_s, abs=1e-3)
