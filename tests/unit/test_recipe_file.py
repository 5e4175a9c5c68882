"""A recipe file is taken as it is meant or refused with the line and the remedy."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.config.polygon import crossing
from lineside.config.recipe_file import read_recipe
from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat
from lineside.core.recipe import ImageKeeping, Limit, Region, ReviewBand

GOOD = """\
recipe_id = "plate"
revision = 3
product_id = "plate-12a"
due_ms = 250

[views.face]
package = "demo-plate"
pixel_format = "Mono8"
size_px = [640, 480]

[[views.face.regions]]
name = "middle"
include = [[[10, 10], [600, 10], [600.5, 400], [10, 400]]]
exclude = [[[50, 50], [60, 50], [60, 60]]]

[[views.face.regions]]
name = "rim"

[[limits]]
name = "scratches"
class = "scratch"
view = "face"
region = "middle"
min_score = 0.4
max_length_mm = 0.8
max_count = 2

[[limits]]
name = "anything on the rim"
region = "rim"

[review]
from_score = 0.3
to_score = 0.5

[images]
pass_share = 0.1
required = true
"""


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str, name: str = "plate.toml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_every_key_reaches_the_recipe(write):
    recipe = read_recipe(write(GOOD))

    assert (recipe.identity.id, recipe.identity.revision, recipe.product_id) == ("plate", 3, "plate-12a")
    assert recipe.due_ms == 250
    face = recipe.views["face"]
    assert (face.view, face.package, face.pixel_format) == ("face", "demo-plate", PixelFormat.MONO8)
    assert (face.width_px, face.height_px) == (640, 480)
    assert face.regions == (
        Region(
            name="middle",
            include=(((10, 10), (600, 10), (600.5, 400), (10, 400)),),
            exclude=(((50, 50), (60, 50), (60, 60)),),
        ),
        Region(name="rim"),
    )
    assert recipe.limits == (
        Limit(
            name="scratches",
            class_name="scratch",
            view="face",
            region="middle",
            min_score=0.4,
            max_length_mm=0.8,
            max_count=2,
        ),
        Limit(name="anything on the rim", region="rim"),
    )
    assert recipe.review == ReviewBand(from_score=0.3, to_score=0.5)
    assert recipe.images == ImageKeeping(pass_share=0.1, required=True)


def test_a_recipe_without_regions_looks_at_the_whole_frame(write):
    head = GOOD[: GOOD.index("[[views.face.regions]]")]

    recipe = read_recipe(write(head + '[[limits]]\nname = "anything"\n'))

    assert recipe.views["face"].regions == (Region(name="all"),)


def test_comments_order_and_spelled_out_defaults_do_not_change_the_identity(write):
    plain = read_recipe(write(GOOD)).identity
    commented = read_recipe(write("# by night shift\n" + GOOD)).identity
    spelled = read_recipe(write(GOOD.replace('region = "rim"', 'region = "rim"\nview = "*"\nmax_count = 0'))).identity
    shuffled = read_recipe(write(GOOD.replace("revision = 3\n", "").replace("due_ms", "revision = 3\ndue_ms"))).identity

    assert plain == commented == spelled == shuffled


@pytest.mark.parametrize(
    ("old", "new"),
    [("0.8", "0.9"), ("due_ms = 250", "due_ms = 251"), ("[60, 60]", "[60, 61]"), ('"demo-plate"', '"demo-plate2"')],
)
def test_a_changed_value_changes_the_identity(write, old: str, new: str):
    assert read_recipe(write(GOOD)).identity.sha256 != read_recipe(write(GOOD.replace(old, new))).identity.sha256


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("due_ms = 250", "due_ms = 0", 4, "due_ms is 0; expected greater than or equal to 1; correct it (time from"),
        ("due_ms = 250", "due_ms = 60001", 4, "less than or equal to 60000"),
        ("due_ms = 250", "due_ms = 2.5", 4, "due_ms is 2.5; expected a valid integer"),
        ("due_ms = 250", "due_ms = '250'", 4, "due_ms is '250'; expected a valid integer"),
        ("due_ms = 250", "due_ms = true", 4, "due_ms is True"),
        ("revision = 3", "revision = 0", 2, "revision is 0"),
        ("revision = 3", "revison = 3", 2, 'unknown key "revison"; expected one of due_ms,'),
        ("revision = 3", "revison = 3", 2, 'did you mean "revision"?'),
        ("revision = 3", "", 1, 'key "revision" is missing'),
        ("max_count = 2", "max_cuont = 2", 26, 'unknown key "limits.0.max_cuont"'),
        ("max_count = 2", "max_cuont = 2", 26, 'did you mean "max_count"?'),
        ("max_count = 2", "max_count = -1", 26, "limits.0.max_count is -1; expected greater than or equal to 0"),
        ("max_count = 2", "max_count = 1000", 26, "less than 1000"),
        ("max_length_mm = 0.8", "max_length_mm = 0", 25, "greater than 0"),
        ("max_length_mm = 0.8", "max_length_mm = nan", 25, "a finite number"),
        ("max_length_mm = 0.8", "max_length_px = 800", 25, "can never be broken in view face: max_length_px is 800"),
        ("max_length_mm = 0.8", "max_area_px = 307200", 25, "can never be broken"),
        ("min_score = 0.4", "min_score = inf", 24, "a finite number"),
        ("size_px = [640, 480]", "size_px = [640]", 9, 'key "views.face.size_px.1" is missing'),
        ("size_px = [640, 480]", "size_px = [640, 480, 3]", 9, "size_px is [640, 480, 3]"),
        ("size_px = [640, 480]", "size_px = [640, 0]", 9, "views.face.size_px.1 is 0"),
        ("[600.5, 400]", "[641, 400]", 13, "corner [641.0, 400.0] of region middle lies outside the frame"),
        ("[600.5, 400]", "[600.5, 480.5]", 13, "expected x from 0 to 640 px and y from 0 to 480 px"),
        ("[50, 50], [60, 50], [60, 60]", "[50, 50], [60, 50]", 14, "polygon with 2 corners"),
        ("[50, 50], [60, 50], [60, 60]", "[0, 0], [9, 0], [9, 9], [0, 0]", 14, "3 of them different"),
        ("[600, 10], [600.5, 400]", "[600.5, 400], [600, 10]", 13, "polygon crosses itself: side 1 meets side 3"),
        ("[10, 10], [600, 10]", "[10], [600, 10]", 13, "is missing"),
        ('name = "rim"', 'name = "middle"', 17, 'view face has two regions named "middle"'),
        ('name = "rim"', 'name = "Rim 1"', 17, "views.face.regions.1.name is 'Rim 1'"),
        ('region = "middle"', 'region = "center"', 23, "expected one of middle, rim or *; correct the region"),
        ('view = "face"', 'view = "back"', 22, "expected one of face or *; correct the view"),
        ('name = "anything on the rim"', 'name = "scratches"', 29, '2 limits are named "scratches"'),
        ('region = "rim"', 'region = "middle"', 16, "no limit looks at region rim of view face"),
        ("from_score = 0.3", "from_score = 0.5", 32, "review band from 0.5 to 0.5 holds no score"),
        ("to_score = 0.5", "to_score = 0.2", 32, "review band from 0.3 to 0.2 holds no score"),
        ("pass_share = 0.1", "pass_share = 1.5", 37, "less than or equal to 1"),
        ("required = true", "required = 1", 38, "a valid boolean"),
        ('pixel_format = "Mono8"', 'pixel_format = "mono8"', 8, "'Mono8', 'Mono10'"),
        ('pixel_format = "Mono8"', 'pixel_format = "BayerRG8"', 6, "BayerRG8, which only cameras speak"),
        ('product_id = "plate-12a"', 'product_id = "../../x"', 3, "product_id is '../../x'"),
        ('package = "demo-plate"', 'package = "../x"', 7, "views.face.package is '../x'"),
        ('recipe_id = "plate"', 'recipe_id = "plates"', 1, 'recipe_id is "plates" in a file named plate.toml'),
        ("[views.face]", "[views.Face]", 6, "views.Face is 'Face'"),
    ],
)
def test_a_wrong_value_is_refused_at_its_line(write, old: str, new: str, line: int, words: str):
    assert GOOD.count(old) == 1
    path = write(GOOD.replace(old, new))

    with pytest.raises(ConfigError) as refusal:
        read_recipe(path)

    told = [problem for problem in str(refusal.value).splitlines() if f"{path}:{line}:" in problem]
    assert any(words in problem for problem in told), str(refusal.value)


def test_all_problems_are_told_at_once_in_the_order_of_the_file(write):
    text = (
        GOOD.replace("revision = 3", "revision = -3").replace("0.8", "-1").replace("0.1", "7").replace('"Mono8"', "8")
    )

    with pytest.raises(ConfigError) as refusal:
        read_recipe(write(text))

    first, *problems = str(refusal.value).splitlines()
    assert first == "4 problems"
    assert [problem.split(":")[1] for problem in problems] == ["2", "8", "25", "37"]


def test_one_problem_has_its_three_parts_apart(write):
    path = write(GOOD.replace("due_ms = 250", "due_ms = 0"))

    with pytest.raises(ConfigError) as refusal:
        read_recipe(path)

    assert refusal.value.what == f"{path}:4: due_ms is 0"
    assert refusal.value.expected == "greater than or equal to 1"
    assert refusal.value.remedy.startswith("correct it (time from the trigger")


def test_a_recipe_without_limits_would_pass_everything_and_is_refused(write):
    with pytest.raises(ConfigError, match="limits is \\[\\]"):
        read_recipe(write("limits = []\n" + GOOD[: GOOD.index("[[limits]]")]))
    with pytest.raises(ConfigError, match='key "limits" is missing'):
        read_recipe(write(GOOD[: GOOD.index("[[limits]]")]))


def test_the_line_is_right_in_arrays_over_many_lines_and_in_inline_tables(write):
    text = """\
recipe_id = "plate"  # a comment
revision = 1
product_id = '''
'''
due_ms = 9
limits = [
  # the first
  { name = "a" },

  { name = "b", "max_count" = -1 },
]
views.face = { package = "p", pixel_format = "Mono8", size_px = [
  640,
  -480,
] }
"""

    with pytest.raises(ConfigError) as refusal:
        read_recipe(write(text))

    assert [problem.split(":")[1] for problem in str(refusal.value).splitlines()[1:]] == ["3", "10", "14"]


def test_a_limit_over_several_views_must_be_possible_in_the_smallest(write):
    side = """
[views.side]
package = "demo-plate"
pixel_format = "Mono8"
size_px = [64, 48]

[[views.side.regions]]
name = "rim"
"""
    path = write(GOOD.replace('region = "rim"', 'region = "rim"\nmax_area_px = 3072') + side)

    with pytest.raises(ConfigError) as refusal:
        read_recipe(path)

    assert "can never be broken in view side: max_area_px is 3072; expected less than the whole frame, 3072 px" in str(
        refusal.value
    )


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (b'recipe_id = "plate"\nrevision = \n', 2, "not TOML"),
        (b"a = 1\na = 2\n", 2, "not TOML"),
        (b"a = 1\n\n[views", 3, "not TOML"),
        (b"a = 1\nb = '\xff'\n", 2, "byte 0xff is not UTF-8"),
        (b"", 1, 'key "recipe_id" is missing'),
    ],
)
def test_a_file_that_is_no_recipe_at_all_is_refused_at_its_line(tmp_path: Path, text: bytes, line: int, words: str):
    path = tmp_path / "plate.toml"
    path.write_bytes(text)

    with pytest.raises(ConfigError) as refusal:
        read_recipe(path)

    assert f"{path}:{line}: {words}" in str(refusal.value)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read \(No such file or directory\)"):
        read_recipe(tmp_path / "none.toml")


def test_the_shipped_recipe_is_good():
    recipe = read_recipe(Path(__file__).parents[2] / "models" / "recipes" / "demo-plate.toml")

    assert recipe.identity.id == "demo-plate"


@pytest.mark.parametrize(
    ("corners", "expected"),
    [
        (((0, 0), (4, 0), (4, 4), (0, 4)), None),
        (((0, 0), (4, 4), (4, 0), (0, 4)), (0, 2)),
        (((0, 0), (4, 0), (2, 0)), (0, 1)),  # folds back
        (((0, 0), (4, 0), (4, 4), (2, 0)), (0, 2)),  # a corner on another side
        (((0, 0), (2, 0), (4, 0), (4, 4)), None),  # a corner on a straight line
        (((0, 0), (4, 0), (4, 4), (2, 1), (0, 4)), None),  # not convex
    ],
)
def test_a_polygon_that_meets_itself_is_found(corners, expected):
    assert expected == crossing(corners)


@settings(max_examples=40, deadline=None)
@given(
    radii=st.lists(st.floats(0.2, 5), min_size=3, max_size=12),
    start=st.integers(0, 11),
)
def test_a_star_around_a_point_never_crosses_itself_wherever_it_begins(radii: list[float], start: int):
    count = len(radii)
    corners = [
        (r * math.cos(2 * math.pi * n / count), r * math.sin(2 * math.pi * n / count)) for n, r in enumerate(radii)
    ]
    start %= count

    assert crossing(tuple(corners[start:] + corners[:start])) is None
