"""The plan of a run: every part comes back from it as it was listed, and it is there whole or not at all."""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.core.errors import ConfigError, ReinspectionError
from lineside.core.pixel_format import PixelFormat
from lineside.reinspect.part import ImageRef, OriginalVerdict, Part, RawFormat, Truth
from lineside.reinspect.plan import Plan, Unplanned, chunk_size, write_plan
from lineside.reinspect.row import told

NUMBERS = st.integers(0, 2**63 - 1)
TEXTS = st.text(max_size=20)
NAMES = TEXTS | st.binary(max_size=20).map(lambda name: name.decode("utf-8", "surrogateescape"))
RAW = st.builds(
    RawFormat,
    pixel_format=st.sampled_from(PixelFormat),
    width_px=st.integers(1, 65_535),
    height_px=st.integers(1, 65_535),
)
IMAGES = st.builds(
    ImageRef,
    url=NAMES,
    offset_bytes=NUMBERS,
    length_bytes=st.none() | NUMBERS,
    sha256=st.sampled_from(["", "0" * 64]),
    raw=st.none() | RAW,
)
PARTS = st.builds(
    Part,
    key=NAMES,
    part_id=NAMES,
    captured_utc_ns=NUMBERS,
    images=st.dictionaries(NAMES, IMAGES, max_size=3),
    missing=st.dictionaries(NAMES, NAMES, max_size=2),
    truth=st.none() | st.builds(Truth, bad=st.booleans(), class_name=NAMES, mask=st.none() | IMAGES),
    original=st.none()
    | st.builds(OriginalVerdict, sequence=NUMBERS, trigger_number=NUMBERS, payload=st.binary(max_size=50)),
)


def numbered(count: int) -> Iterator[Part]:
    for number in range(count):
        yield Part(key=f"part {number}", images={"top": ImageRef(url=f"/archive/{number}.png")})


def all_parts(plan: Plan) -> list[Part]:
    return [part for chunk in plan.read(range(plan.chunks)) for part in chunk.parts]


@settings(max_examples=60, deadline=None)
@given(parts=st.lists(PARTS, max_size=20))
def test_every_part_comes_back_as_it_was_listed(parts: list[Part]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        plan = write_plan(Path(folder) / "plan.parquet", parts)

        assert parts == all_parts(plan)


def test_all_fields_of_a_part_and_its_images_are_planned() -> None:
    # A field that is added to these classes and forgotten in the plan would be lost between listing and judging.
    assert [
        ("key", "part_id", "captured_utc_ns", "images", "missing", "truth", "original"),
        ("url", "offset_bytes", "length_bytes", "sha256", "raw"),
        ("pixel_format", "width_px", "height_px"),
        ("bad", "class_name", "mask"),
        ("sequence", "trigger_number", "payload"),
    ] == [
        tuple(field.name for field in dataclasses.fields(each))
        for each in (Part, ImageRef, RawFormat, Truth, OriginalVerdict)
    ]


def test_chunks_grow_and_depend_on_nothing_but_the_archive(tmp_path: Path) -> None:
    plan = write_plan(tmp_path / "plan.parquet", numbered(3000))

    assert plan.sizes == (*[16] * 8, *[32] * 8, *[64] * 8, *[128] * 16, 56)
    assert (tmp_path / "plan.parquet").read_bytes() == (
        write_plan(tmp_path / "again", numbered(3000)).path
    ).read_bytes()
    assert {chunk_size(number) for number in range(24, 5000)} == {128}


def test_chunks_are_read_by_number_in_the_order_asked_for(tmp_path: Path) -> None:
    plan = write_plan(tmp_path / "plan.parquet", numbered(100))

    chunks = list(plan.read([5, 0]))

    assert [5, 0] == [chunk.number for chunk in chunks]
    assert ["part 80", "part 0"] == [chunk.parts[0].key for chunk in chunks]


def test_listing_is_followed_while_it_goes_on(tmp_path: Path) -> None:
    heard: list[int] = []

    write_plan(tmp_path / "plan.parquet", numbered(40), planned=heard.append)

    assert [16, 32, 40] == heard


def test_what_is_not_planned_is_counted_when_all_is_listed_and_stays_with_the_plan(tmp_path: Path) -> None:
    listed: list[Part] = []

    def parts() -> Iterator[Part]:
        for part in numbered(40):
            listed.append(part)
            yield part

    path = tmp_path / "plan.parquet"
    write_plan(
        path, parts(), unplanned=lambda: Unplanned(left_out={"sample": len(listed)}, ignored={"hidden files": 3})
    )

    assert Unplanned(left_out={"sample": 40}, ignored={"hidden files": 3}) == Plan(path).unplanned


def test_an_archive_is_listed_as_it_is_written_down_never_all_of_it_in_memory(tmp_path: Path) -> None:
    listed = itertools.count()
    seen_at_plan: list[int] = []

    write_plan(
        tmp_path / "plan.parquet",
        (next(listed) is not None and part for part in numbered(400)),  # type: ignore[misc]
        planned=lambda _: seen_at_plan.append(next(listed)),
    )

    assert seen_at_plan[0] <= chunk_size(0) + 1


def test_a_listing_that_fails_leaves_no_plan(tmp_path: Path) -> None:
    def broken() -> Iterator[Part]:
        yield from numbered(200)
        raise ConfigError("line 201 of the manifest has three columns")

    with pytest.raises(ConfigError, match="line 201"):
        write_plan(tmp_path / "plan.parquet", broken())
    assert [] == list(tmp_path.iterdir())


def test_an_empty_archive_has_an_empty_plan(tmp_path: Path) -> None:
    plan = write_plan(tmp_path / "plan.parquet", [])

    assert (0, 0, []) == (plan.parts, plan.chunks, all_parts(plan))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not a plan at all, but long enough to look for an end"])
def test_a_damaged_plan_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "plan.parquet"
    path.write_bytes(content)

    with pytest.raises(ReinspectionError, match=r"plan\.parquet is damaged"):
        Plan(path)


def test_parts_are_found_again_by_their_keys_as_rows_tell_them(tmp_path: Path) -> None:
    odd = Part(key="bad/\udcff.png", images={})
    plan = write_plan(tmp_path / "plan.parquet", [*numbered(300), odd])

    assert {r"bad/\udcff.png": odd, "part 17": next(itertools.islice(numbered(18), 17, None))} == plan.find(
        {told(odd.key), "part 17", "not there"}
    )
