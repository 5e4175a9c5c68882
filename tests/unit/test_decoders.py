"""What a graph answered becomes findings in frame pixels, exactly; what makes no sense is an error, never nothing."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lineside.core.errors import ModelError
from lineside.core.finding import Box, Detection
from lineside.detectors.boxes import suppress
from lineside.detectors.decoder import decoder_for
from lineside.detectors.manifest import AnomalyMapOutput, BoxesOutput, ClassesOutput, Output, SegmentationOutput
from lineside.detectors.placement import Placement

LETTERBOX = Placement(
    frame_width_px=1280,
    frame_height_px=960,
    width_px=640,
    height_px=640,
    left_px=0,
    top_px=80,
    content_width_px=640,
    content_height_px=480,
)
SQUARE = Placement(
    frame_width_px=64,
    frame_height_px=64,
    width_px=64,
    height_px=64,
    left_px=0,
    top_px=0,
    content_width_px=64,
    content_height_px=64,
)

ANOMALY = AnomalyMapOutput(map="map")
SEGMENTATION = SegmentationOutput(
    map="map", classes=("good", "scratch", "dent"), activation="softmax", background="good"
)
CLASSES = ClassesOutput(scores="scores", classes=("good", "scratch", "dent"), activation="softmax", good=("good",))
YOLO = BoxesOutput(variant="yolo", boxes="out", classes=("scratch", "dent"), min_score=0.1, nms_iou=0.5)
OBJECTNESS = BoxesOutput(
    variant="yolo_objectness", boxes="out", classes=("scratch", "dent"), min_score=0.1, nms_iou=0.5
)
YOLO_NMS = BoxesOutput(variant="yolo_nms", boxes="out", classes=("scratch", "dent"), min_score=0.1)
TORCHVISION = BoxesOutput(
    variant="torchvision",
    boxes="boxes",
    scores="scores",
    labels="labels",
    label_offset=1,
    classes=("scratch", "dent"),
    min_score=0.1,
)


def decode(output: Output, placement: Placement = SQUARE, **outputs: NDArray[Any]) -> Detection:
    return decoder_for(output).decode(outputs, placement)


def f32(values: Any) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


def yolo_columns(*columns: list[float]) -> NDArray[np.float32]:
    return f32(columns).reshape(-1, 6).T[None]


# Maps


@pytest.mark.parametrize("shape", [(1, 1, 64, 64), (1, 64, 64), (64, 64)])
def test_a_map_keeps_its_values_and_its_maximum_is_the_score(shape: tuple[int, ...]) -> None:
    values = f32(np.random.default_rng(0).random((64, 64)))
    found = decode(ANOMALY, map=values.reshape(shape))

    assert np.array_equal(values, found.maps[0].values)
    assert found.score == float(values.max())
    assert found.maps[0].class_name == "anomaly"


def test_a_graph_with_its_own_score_is_believed() -> None:
    found = decode(AnomalyMapOutput(map="map", score="s"), map=f32(np.zeros((1, 1, 4, 4))), s=f32([[0.75]]))

    assert found.score == 0.75


def test_a_small_map_is_placed_by_its_cells() -> None:
    """80x80 cells over a letterboxed 640x640: 8 input pixels a cell, 2 frame pixels each; 10 rows of padding go."""
    values = np.zeros((1, 1, 80, 80), dtype=np.float32)
    values[0, 0, 10, 0], values[0, 0, 69, 79], values[0, 0, 9, 5], values[0, 0, 70, 5] = 0.5, 0.6, 9.0, 9.0
    found = decode(ANOMALY, LETTERBOX, map=values)
    scores = found.maps[0]

    assert scores.values.shape == (60, 80)
    assert (scores.left_px, scores.top_px, scores.step_x_px, scores.step_y_px) == (0.0, 0.0, 16.0, 16.0)
    assert (float(scores.values[0, 0]), float(scores.values[59, 79])) == (np.float32(0.5), np.float32(0.6))
    assert found.score == np.float32(0.6), "what stands in the padding is nothing about the part"


def test_a_cell_that_lies_partly_in_the_padding_is_kept_and_begins_before_the_frame() -> None:
    placement = Placement(
        frame_width_px=100,
        frame_height_px=50,
        width_px=100,
        height_px=100,
        left_px=0,
        top_px=25,
        content_width_px=100,
        content_height_px=50,
    )
    scores = decode(ANOMALY, placement, map=np.zeros((10, 10), dtype=np.float32)).maps[0]

    assert scores.values.shape == (6, 10)
    assert (scores.top_px, scores.step_y_px) == (-5.0, 10.0)


def test_softmax_over_classes_gives_a_map_for_each_but_the_background() -> None:
    logits = np.zeros((1, 3, 2, 2), dtype=np.float32)
    logits[0, :, 0, 0] = np.log([0.2, 0.7, 0.1])
    logits[0, :, 1, 1] = [1000.0, -1000.0, 0.0]
    found = decode(SEGMENTATION, map=logits)

    assert [each.class_name for each in found.maps] == ["scratch", "dent"]
    assert found.maps[0].values == pytest.approx(np.array([[0.7, 1 / 3], [1 / 3, 0.0]]), abs=1e-6)
    assert found.score == pytest.approx(0.7)


def test_sigmoid_needs_no_background_and_does_not_overflow() -> None:
    output = SegmentationOutput(map="map", classes=("scratch",), activation="sigmoid")
    found = decode(output, map=f32([[[[-2000.0, 0.0], [np.log(3.0), 2000.0]]]]))

    assert found.maps[0].values == pytest.approx(np.array([[0.0, 0.5], [0.75, 1.0]]))


def test_logits_declared_as_probabilities_are_an_error() -> None:
    output = SegmentationOutput(map="map", classes=("scratch",), activation="none")
    with pytest.raises(ModelError, match=r"scores from -3 to 4.*probabilities from 0 to 1"):
        decode(output, map=f32([[[[-3.0, 4.0]]]]))


# Classes


def test_the_score_of_classes_is_one_minus_good() -> None:
    found = decode(CLASSES, scores=f32([np.log([0.6, 0.1, 0.3])]))

    assert found.score == pytest.approx(0.4)
    assert {each.class_name: pytest.approx(each.score) for each in found.findings} == {"scratch": 0.1, "dent": 0.3}
    assert found.findings[0].box == Box(x_px=0.0, y_px=0.0, width_px=64.0, height_px=64.0)
    assert (found.findings[0].area_px, found.findings[0].length_px) == (4096.0, 64.0)


def test_without_a_good_class_the_worst_counts() -> None:
    output = ClassesOutput(scores="scores", classes=("scratch", "dent"), activation="sigmoid")

    assert decode(output, scores=f32([0.0, np.log(3.0)])).score == pytest.approx(0.75)


# Boxes


def test_a_letterboxed_box_comes_back_where_it_was() -> None:
    """Frame 1280x960 at half size with 80 px above: the input's (100, 180) to (140, 200) is the frame's (200, 200)."""
    found = decode(YOLO, LETTERBOX, out=yolo_columns([120.0, 190.0, 40.0, 20.0, 0.25, 0.75]))

    assert [each.class_name for each in found.findings] == ["dent"]
    assert found.findings[0].box == Box(x_px=200.0, y_px=200.0, width_px=80.0, height_px=40.0)
    assert (found.findings[0].area_px, found.findings[0].length_px) == (3200.0, 80.0)
    assert found.score == 0.75


ROW = [200.0, 240.0, 280.0, 320.0]


@pytest.mark.parametrize(
    ("output", "arrays"),
    [
        (YOLO, {"out": yolo_columns([240.0, 280.0, 80.0, 80.0, 0.5, 0.1])}),
        (OBJECTNESS, {"out": f32([[[240.0, 280.0, 80.0, 80.0, 0.5, 1.0, 0.25]]])}),
        (YOLO_NMS, {"out": f32([[[*ROW, 0.5, 0.0], [0.0] * 6]])}),
        (TORCHVISION, {"boxes": f32([ROW]), "scores": f32([0.5]), "labels": np.array([1])}),
        (
            YOLO_NMS.model_copy(update={"coordinates": "normalised"}),
            {"out": f32([[[*(value / 640 for value in ROW), 0.5, 0.0]]])},
        ),
    ],
)
def test_every_variant_says_the_same_of_the_same_box(output: BoxesOutput, arrays: dict[str, NDArray[Any]]) -> None:
    found = decode(output, LETTERBOX, **arrays)

    assert [(each.class_name, each.score) for each in found.findings] == [("scratch", 0.5)]
    assert found.findings[0].box == Box(x_px=400.0, y_px=320.0, width_px=160.0, height_px=160.0)


def test_doubles_of_one_class_are_suppressed_and_the_best_comes_first() -> None:
    found = decode(
        YOLO,
        out=yolo_columns(
            [20.0, 20.0, 10.0, 10.0, 0.6, 0.0],
            [21.0, 20.0, 10.0, 10.0, 0.9, 0.0],  # shares 9 of 11: a double of the first
            [20.0, 20.0, 10.0, 10.0, 0.0, 0.7],  # another class
            [50.0, 50.0, 10.0, 10.0, 0.8, 0.0],  # elsewhere
            [40.0, 10.0, 10.0, 10.0, 0.05, 0.0],  # below min_score
        ),
    )

    assert [(each.class_name, round(each.score, 3)) for each in found.findings] == [
        ("scratch", 0.9),
        ("scratch", 0.8),
        ("dent", 0.7),
    ]


def test_doubles_of_another_class_are_suppressed_where_that_is_declared() -> None:
    rows = yolo_columns([20, 20, 10, 10, 0.9, 0], [21, 20, 10, 10, 0, 0.8])
    across = YOLO.model_copy(update={"nms_across_classes": True})

    assert ["scratch", "dent"] == [each.class_name for each in decode(YOLO, out=rows).findings]
    assert ["scratch"] == [each.class_name for each in decode(across, out=rows).findings]


def test_at_most_so_many_findings_the_best_first() -> None:
    output = YOLO.model_copy(update={"max_findings": 2})
    columns = [[10.0 * index, 10.0, 2.0, 2.0, 0.2 + index / 10, 0.0] for index in range(1, 6)]

    assert [round(each.score, 3) for each in decode(output, out=yolo_columns(*columns)).findings] == [0.7, 0.6]


def test_a_box_beyond_the_frame_is_cut_but_never_dropped() -> None:
    found = decode(
        TORCHVISION, boxes=f32([[-9, -9, 9, 9], [90, 90, 99, 99]]), scores=f32([0.9, 0.8]), labels=np.array([1, 2])
    )

    assert found.findings[0].box == Box(x_px=0.0, y_px=0.0, width_px=9.0, height_px=9.0)
    assert found.findings[1].box == Box(x_px=64.0, y_px=64.0, width_px=0.0, height_px=0.0)


@pytest.mark.parametrize(
    ("output", "arrays"),
    [
        (YOLO, {"out": np.zeros((1, 6, 0), np.float32)}),
        (OBJECTNESS, {"out": np.zeros((1, 0, 7), np.float32)}),
        (YOLO_NMS, {"out": np.zeros((1, 0, 6), np.float32)}),
        (YOLO_NMS, {"out": np.zeros((1, 300, 6), np.float32)}),
        (
            TORCHVISION,
            {
                "boxes": np.zeros((0, 4), np.float32),
                "scores": np.zeros(0, np.float32),
                "labels": np.zeros(0, np.int64),
            },
        ),
    ],
)
def test_no_rows_mean_that_nothing_was_found(output: BoxesOutput, arrays: dict[str, NDArray[Any]]) -> None:
    found = decode(output, **arrays)

    assert (found.score, found.findings) == (0.0, ())


def test_the_score_knows_candidates_below_the_floor() -> None:
    found = decode(YOLO, out=yolo_columns([20.0, 20.0, 5.0, 5.0, 0.0625, 0.0]))

    assert (found.score, found.findings) == (0.0625, ())


# What makes no sense

GOOD: dict[str, tuple[Output, dict[str, NDArray[Any]]]] = {
    "anomaly_map": (ANOMALY, {"map": np.zeros((1, 1, 8, 8), np.float32)}),
    "segmentation": (SEGMENTATION, {"map": np.zeros((1, 3, 8, 8), np.float32)}),
    "classes": (CLASSES, {"scores": np.zeros((1, 3), np.float32)}),
    "yolo": (YOLO, {"out": np.zeros((1, 6, 5), np.float32)}),
    "yolo_objectness": (OBJECTNESS, {"out": np.zeros((1, 5, 7), np.float32)}),
    "yolo_nms": (YOLO_NMS, {"out": np.zeros((1, 5, 6), np.float32)}),
    "torchvision": (
        TORCHVISION,
        {"boxes": np.zeros((5, 4), np.float32), "scores": np.zeros(5, np.float32), "labels": np.ones(5, np.int64)},
    ),
}
FLOAT_OUTPUTS = [(kind, name) for kind, (_, arrays) in GOOD.items() for name in arrays if name != "labels"]
OUTPUTS = [(kind, name) for kind, (_, arrays) in GOOD.items() for name in arrays]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("kind", "name"), FLOAT_OUTPUTS)
def test_one_value_that_is_no_number_is_an_error(kind: str, name: str, value: float) -> None:
    output, arrays = GOOD[kind]
    spoilt = arrays[name].copy()
    spoilt.flat[spoilt.size // 2] = value

    with pytest.raises(ModelError, match=r"1 of \d+ values that are NaN or infinite; expected finite values"):
        decode(output, **(arrays | {name: spoilt}))


@pytest.mark.parametrize(("kind", "name"), OUTPUTS)
def test_another_shape_is_an_error(kind: str, name: str) -> None:
    output, arrays = GOOD[kind]
    array = arrays[name]
    for other in (array[None, None], np.concatenate((array, array)), array.reshape(-1)[:1].reshape(())):
        with pytest.raises(ModelError, match="shape"):
            decode(output, **(arrays | {name: other}))


@pytest.mark.parametrize(("kind", "name"), OUTPUTS)
def test_another_type_is_an_error(kind: str, name: str) -> None:
    output, arrays = GOOD[kind]
    with pytest.raises(ModelError, match=f"output '{name}' is "):
        decode(output, **(arrays | {name: arrays[name].astype(np.uint8)}))


@pytest.mark.parametrize(("kind", "name"), OUTPUTS)
def test_a_missing_output_is_an_error(kind: str, name: str) -> None:
    output, arrays = GOOD[kind]
    with pytest.raises(ModelError, match=f"no output '{name}'"):
        decode(output, **{each: array for each, array in arrays.items() if each != name})


@pytest.mark.parametrize("shape", [(1, 1, 0, 8), (1, 2, 8, 8), (8,)])
def test_a_map_of_no_size_or_several_is_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="expected one map"):
        decode(ANOMALY, map=np.zeros(shape, np.float32))


@pytest.mark.parametrize("label", [0, 3, -1])
def test_a_label_that_is_no_class_is_an_error(label: int) -> None:
    with pytest.raises(ModelError, match=r"expected 1 to 2: \['scratch', 'dent'\]"):
        decode(TORCHVISION, boxes=f32([ROW]), scores=f32([0.9]), labels=np.array([label]))


def test_a_class_that_is_no_whole_number_is_an_error() -> None:
    with pytest.raises(ModelError, match="no whole numbers"):
        decode(YOLO_NMS, out=f32([[[*ROW, 0.9, 0.5]]]))


def test_a_box_turned_inside_out_is_an_error() -> None:
    with pytest.raises(ModelError, match="negative width or height"):
        decode(YOLO_NMS, out=f32([[[280.0, 240.0, 200.0, 320.0, 0.9, 0.0]]]))


def test_scores_that_are_no_probabilities_are_an_error() -> None:
    with pytest.raises(ModelError, match="probabilities"):
        decode(YOLO, out=yolo_columns([20.0, 20.0, 5.0, 5.0, 7.0, 0.0]))


# Properties


@given(st.lists(st.tuples(*[st.integers(0, 40)] * 2, *[st.integers(1, 20)] * 2, st.integers(0, 1)), max_size=30))
def test_what_is_kept_overlaps_little_and_what_is_dropped_overlaps_something_kept(
    boxes: list[tuple[int, int, int, int, int]],
) -> None:
    corners = np.array([(x, y, x + w, y + h) for x, y, w, h, _ in boxes], dtype=np.float32).reshape(-1, 4)
    classes = np.array([kind for *_, kind in boxes], dtype=np.int64)
    kept = [int(index) for index in suppress(corners, classes, 0.5, 1000)]

    def iou(a: int, b: int) -> float:
        sizes = np.minimum(corners[a, 2:], corners[b, 2:]) - np.maximum(corners[a, :2], corners[b, :2])
        shared = float(np.prod(np.maximum(sizes, 0)))
        areas = [float(np.prod(corners[each, 2:] - corners[each, :2])) for each in (a, b)]
        return shared / (sum(areas) - shared)

    for index in range(len(boxes)):
        doubles = [k for k in kept if k < index and classes[k] == classes[index] and iou(k, index) > 0.5]
        assert (index in kept) == (not doubles)
