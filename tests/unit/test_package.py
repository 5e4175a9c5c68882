"""A package loads whole and unchanged, or not at all."""

import hashlib
import os
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from model_graphs import blur, blur_package, blur_spec, draft, model, noise
from onnx import TensorProto, helper

from lineside.core.errors import ConfigError, PackageError
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.manifest import AnomalyMapOutput
from lineside.detectors.onnx_detector import open_detector
from lineside.detectors.package import ModelPackage, load_package, write_package

EVERY_FILE = ("model.onnx", "package.toml", "package.sha256", "reference/0.png", "reference/1.npz")


@pytest.fixture
def package(tmp_path: Path) -> ModelPackage:
    return blur_package(tmp_path / "tiny")


def rewrite(folder: Path, change: dict[str, Any]) -> None:
    """Changes keys of the manifest ("input scale") and seals it anew, as somebody would who knows how."""
    values = tomllib.loads((folder / "package.toml").read_text())
    for path, value in change.items():
        *tables, key = path.split()
        table = values
        for name in tables:
            table = table[int(name)] if isinstance(table, list) else table[name]
        table[key] = value
    data = tomli_w.dumps(values).encode()
    (folder / "package.toml").write_bytes(data)
    (folder / "package.sha256").write_text(f"{hashlib.sha256(data).hexdigest()}  package.toml\n")


def test_a_package_comes_back_as_it_was_written(package: ModelPackage) -> None:
    loaded = load_package(package.folder)

    assert package == loaded
    assert ("tiny", 1, 64) == (loaded.identity.id, loaded.identity.revision, len(loaded.identity.sha256))
    assert 0.5 == loaded.threshold
    assert ("anomaly",) == loaded.class_names
    assert np.array_equal(noise(32, 48, seed=1), loaded.reference_frames()[1])


def test_the_identity_is_the_hash_of_the_manifest_and_sha256sum_can_check_it(package: ModelPackage) -> None:
    data = (package.folder / "package.toml").read_bytes()

    assert hashlib.sha256(data).hexdigest() == package.identity.sha256
    assert f"{package.identity.sha256}  package.toml\n" == (package.folder / "package.sha256").read_text()


def test_the_same_parts_make_the_same_package(tmp_path: Path) -> None:
    assert blur_package(tmp_path / "one").identity == blur_package(tmp_path / "two").identity


@pytest.mark.parametrize("name", EVERY_FILE)
def test_one_changed_byte_anywhere_refuses_to_load(package: ModelPackage, name: str) -> None:
    path = package.folder / name
    whole = path.read_bytes()
    for position in sorted({*range(0, len(whole), max(1, len(whole) // 23)), len(whole) - 1}):
        changed = bytearray(whole)
        changed[position] ^= 1
        path.write_bytes(changed)
        with pytest.raises(PackageError, match="SHA-256"):
            load_package(package.folder)
    path.write_bytes(whole)

    assert package == load_package(package.folder)


@pytest.mark.parametrize("name", EVERY_FILE)
def test_a_byte_more_or_less_refuses_to_load(package: ModelPackage, name: str) -> None:
    path = package.folder / name
    whole = path.read_bytes()
    for changed in (whole + b"\n", whole[:-1], b""):
        path.write_bytes(changed)
        with pytest.raises(PackageError, match="SHA-256"):
            load_package(package.folder)


def test_a_comment_in_the_manifest_is_a_change_too(package: ModelPackage) -> None:
    path = package.folder / "package.toml"
    path.write_text("# harmless?\n" + path.read_text())

    with pytest.raises(PackageError, match=r"package\.toml: its SHA-256.*expected the one in package\.sha256"):
        load_package(package.folder)


@pytest.mark.parametrize("name", EVERY_FILE)
def test_a_missing_file_is_named(package: ModelPackage, name: str) -> None:
    (package.folder / name).unlink()

    with pytest.raises(PackageError, match=name):
        load_package(package.folder)


def test_a_file_that_the_manifest_does_not_list_is_refused(package: ModelPackage) -> None:
    (package.folder / "reference" / "notes.txt").write_text("x")

    with pytest.raises(PackageError, match=r"unlisted files \['reference/notes.txt'\]"):
        load_package(package.folder)


def test_a_link_is_refused_even_to_the_same_bytes(package: ModelPackage, tmp_path: Path) -> None:
    graph = package.folder / "model.onnx"
    graph.rename(tmp_path / "elsewhere.onnx")
    graph.symlink_to(tmp_path / "elsewhere.onnx")

    with pytest.raises(PackageError, match="link"):
        load_package(package.folder)


def test_a_named_pipe_is_refused_and_not_waited_for(package: ModelPackage) -> None:
    os.mkfifo(package.folder / "pipe")

    with pytest.raises(PackageError, match="device"):
        load_package(package.folder)


def test_a_manifest_of_absurd_size_is_not_even_read(package: ModelPackage) -> None:
    with (package.folder / "package.toml").open("ab") as file:
        file.truncate(1 << 31)

    with pytest.raises(PackageError, match="2147483648 bytes; expected at most 1048576"):
        load_package(package.folder)


def test_a_folder_that_is_none_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="no such folder"):
        load_package(tmp_path / "nothing")
    with pytest.raises(PackageError, match=r"no package\.toml.*lineside models pack"):
        load_package(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "format 2; expected format 1"),
        ({"colour": "red"}, "colour: Extra inputs"),
        ({"input pixel_format": "BayerRG8"}, "spoken by cameras only"),
        ({"input pixel_format": "Mono9"}, "input.pixel_format"),
        ({"input shape": [1, 3, 32, 48]}, "shape has 3 channels"),
        ({"input shape": [2, 1, 32, 48]}, "a batch of 2"),
        ({"input shape": [1, 1, 32]}, "3 dimensions; expected 4"),
        ({"input shape": [1, 1, 32, 999999]}, "less than or equal to 16384"),
        ({"input scale": float("inf")}, "input.scale"),
        ({"input in_graph": True}, "expected neither scale, mean nor std"),
        ({"input resize": "letterbox"}, "without interpolation"),
        ({"input mean": [0.1, 0.2]}, "mean has 2 values; expected 1"),
        ({"output kind": "boxs"}, "output"),
        ({"threshold value": float("nan")}, "threshold.value"),
        ({"references": []}, "references"),
        ({"references 0 input": "reference/9.png"}, "without a hash"),
        ({"references 0 abs_tolerance": -1.0}, "abs_tolerance"),
        ({"files": {"model.onnx": "abc"}}, "files.model.onnx"),
    ],
)
def test_a_sealed_manifest_that_makes_no_sense_is_refused(
    package: ModelPackage, change: dict[str, Any], said: str
) -> None:
    rewrite(package.folder, change)

    with pytest.raises(PackageError) as refused:
        load_package(package.folder)
    assert said in str(refused.value)


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/passwd", "reference/../model.onnx", "a\\b"])
def test_a_path_out_of_the_folder_is_refused(package: ModelPackage, name: str) -> None:
    files = tomllib.loads((package.folder / "package.toml").read_text())["files"]
    rewrite(package.folder, {"files": {**files, name: "0" * 64}})

    with pytest.raises(PackageError, match="no plain path"):
        load_package(package.folder)


def test_a_graph_that_answers_otherwise_does_not_open_and_says_by_how_much(package: ModelPackage) -> None:
    graph = blur().replace(np.float32(1 / 9).tobytes(), np.float32(1 / 8).tobytes())
    assert graph != blur()
    (package.folder / "model.onnx").write_bytes(graph)
    rewrite(package.folder, {"files model.onnx": hashlib.sha256(graph).hexdigest()})

    with pytest.raises(PackageError, match=r"differs by up to 0\.\d+ .*expected at most 0\.001"):
        open_detector(load_package(package.folder))


def test_a_graph_that_is_no_graph_is_a_package_error(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="cannot load the graph"):
        write_package(
            tmp_path / "broken",
            graph=b"not an onnx graph",
            draft=draft(blur_spec(), AnomalyMapOutput(map="map")),
            reference_inputs=[noise(32, 48)],
        )


@pytest.mark.parametrize(
    ("spec", "output", "said"),
    [
        (blur_spec(name="picture"), AnomalyMapOutput(map="map"), "named 'picture'"),
        (blur_spec(shape=(1, 1, 32, 32)), AnomalyMapOutput(map="map"), r"expected float32\[1, 1, 32, 32\]"),
        (blur_spec(dtype="uint8", scale=None, in_graph=True), AnomalyMapOutput(map="map"), "expected uint8"),
        (blur_spec(), AnomalyMapOutput(map="mop"), r"no outputs \['mop'\]"),
    ],
)
def test_a_declaration_that_the_graph_contradicts_makes_no_package(
    tmp_path: Path, spec: Any, output: Any, said: str
) -> None:
    with pytest.raises(PackageError, match=said):
        write_package(tmp_path / "wrong", graph=blur(), draft=draft(spec, output), reference_inputs=[noise(32, 48)])
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (noise(32, 32), "exactly 48x32 px"),
        (noise(32, 48, pixel_format=PixelFormat.RGB8), "declared Mono8"),
        (noise(32, 48, pixel_format=PixelFormat.MONO16), "declared Mono8"),
    ],
)
def test_a_reference_frame_of_another_kind_makes_no_package(tmp_path: Path, pixels: Any, said: str) -> None:
    with pytest.raises(PackageError, match=said):
        write_package(
            tmp_path / "wrong",
            graph=blur(),
            draft=draft(blur_spec(), AnomalyMapOutput(map="map")),
            reference_inputs=[pixels],
        )


def test_an_existing_package_is_replaced_only_when_asked(package: ModelPackage) -> None:
    with pytest.raises(PackageError, match="exists"):
        blur_package(package.folder)
    newer = write_package(
        package.folder,
        graph=blur(),
        draft=draft(blur_spec(), AnomalyMapOutput(map="map"), revision=2),
        reference_inputs=[noise(32, 48)],
        replace=True,
    )

    assert 2 == load_package(package.folder).identity.revision
    assert newer == load_package(package.folder)


def test_a_package_that_fails_to_be_made_leaves_the_old_one(package: ModelPackage) -> None:
    with pytest.raises(PackageError):
        write_package(
            package.folder,
            graph=b"",
            draft=draft(blur_spec(), AnomalyMapOutput(map="map")),
            reference_inputs=[noise(32, 48)],
            replace=True,
        )

    assert package == load_package(package.folder)


def test_weights_beside_the_graph_are_part_of_the_package(tmp_path: Path) -> None:
    weights = np.full((1, 1, 3, 3), 1 / 9, dtype=np.float32)
    tensor = helper.make_tensor("weights", TensorProto.FLOAT, [1, 1, 3, 3], weights.tobytes(), raw=True)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="model.onnx.data")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weights"], ["map"], pads=[1, 1, 1, 1])],
        "graph",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 32, 48])],
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, [1, 1, 32, 48])],
        [tensor],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    package = write_package(
        tmp_path / "large",
        graph=made.SerializeToString(),
        draft=draft(blur_spec(), AnomalyMapOutput(map="map")),
        reference_inputs=[noise(32, 48)],
        other_files={"model.onnx.data": weights.tobytes()},
    )
    assert "cpu" == open_detector(package).provider

    (package.folder / "model.onnx.data").write_bytes(weights.tobytes()[:-1] + b"\0")
    with pytest.raises(PackageError, match=r"model\.onnx\.data: its SHA-256"):
        load_package(package.folder)


def test_a_reference_answer_with_nan_makes_no_package(tmp_path: Path) -> None:
    graph = model(
        [helper.make_node("Log", ["below"], ["map"]), helper.make_node("Sub", ["image", "one"], ["below"])][::-1],
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 32, 48])],
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, [1, 1, 32, 48])],
        {"one": np.float32(1).reshape(())},
    )
    with pytest.raises(PackageError, match="NaN"):
        write_package(
            tmp_path / "nan",
            graph=graph,
            draft=draft(blur_spec(), AnomalyMapOutput(map="map")),
            reference_inputs=[noise(32, 48)],
        )


def test_frames_that_a_recipe_declares_otherwise_are_a_config_error(package: ModelPackage) -> None:
    package.check_frames(PixelFormat.MONO8, 48, 32)
    with pytest.raises(ConfigError, match=r"frames in RGB8.*expected Mono8"):
        package.check_frames(PixelFormat.RGB8, 48, 32)
    with pytest.raises(ConfigError, match="frames of 640x480 px"):
        package.check_frames(PixelFormat.MONO8, 640, 480)


@pytest.mark.parametrize(
    "pixel_format", [PixelFormat.MONO8, PixelFormat.MONO12, PixelFormat.MONO16, PixelFormat.RGB8, PixelFormat.BGR8]
)
def test_reference_frames_keep_every_pixel_in_every_format(tmp_path: Path, pixel_format: PixelFormat) -> None:
    pixels = noise(32, 48, pixel_format=pixel_format)
    count = pixel_format.channels
    package = write_package(
        tmp_path / "any",
        graph=blur(channels=count),
        draft=draft(blur_spec(shape=(1, count, 32, 48), pixel_format=pixel_format), AnomalyMapOutput(map="map")),
        reference_inputs=[pixels],
    )

    assert np.array_equal(pixels, package.reference_frames()[0])
