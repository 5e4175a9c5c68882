"""The generated code is what `make proto` makes of the .proto; nobody has edited it, nobody forgot to run it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROTO = "lineside/wire/v1/inspection.proto"
GENERATED = ROOT / "inspect" / "lineside" / "wire" / "v1"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("grpc_tools", reason="needs grpcio-tools, of the dev group")
    folder = tmp_path_factory.mktemp("generated")
    outputs = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", str(ROOT / "proto"), *outputs, PROTO]
    subprocess.run(command, check=True, timeout=60)
    return folder / "lineside" / "wire" / "v1"


@pytest.mark.parametrize("name", ["inspection_pb2.py", "inspection_pb2.pyi", "inspection_pb2_grpc.py"])
def test_generated_code_is_what_the_proto_makes(fresh: Path, name: str) -> None:
    assert (GENERATED / name).read_text() == (fresh / name).read_text(), "run `make proto`"


def test_nothing_else_lies_beside_the_generated_code(fresh: Path) -> None:
    made = {path.name for path in fresh.iterdir()}

    assert {path.name for path in GENERATED.iterdir() if path.is_file()} == made | {"__init__.py"}
