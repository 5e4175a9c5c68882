"""Environments for tools that are tested with, and not had: each of its own, made once below `.venv-foreign/`.

None is a dependency of Lineside: Ultralytics is AGPL-3.0 and a peer to compare with, no more. torch is seen from
where it is installed already, if it is; else pip brings it.
"""

import hashlib
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENTS = REPOSITORY / ".venv-foreign"
ASKED_FOR = "LINESIDE_TEST_FOREIGN"

Exporter = Callable[[str, Path], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These take minutes and gigabytes, so they run when asked for."""
    for item in items:
        if Path(__file__).parent in item.path.parents and ASKED_FOR not in os.environ:
            item.add_marker(pytest.mark.skip(reason="run by `make test-foreign`: needs environments of its own"))


@pytest.fixture(scope="session")
def exporter() -> Exporter:
    """Runs `tests/foreign/<script>.py FOLDER` with the interpreter of the tool that its name begins with."""

    def run(script: str, folder: Path) -> None:
        python = environment(script.partition("_")[0])
        quiet = {
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "TRUST_REMOTE_CODE": "1",  # anomalib asks for it before it opens what it has just written itself
            "YOLO_AUTOINSTALL": "false",
            "YOLO_OFFLINE": "true",
            "YOLO_CONFIG_DIR": str(folder),
            "HOME": str(folder),
        }
        command = [str(python), str(Path(__file__).with_name(f"{script}.py")), str(folder)]
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, **quiet}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]

    return run


def environment(tool: str) -> Path:
    """The interpreter of the tool's environment, made where it is not there yet; skips with the reason if it fails."""
    wanted = Path(__file__).with_name(f"{tool}.txt")
    folder = ENVIRONMENTS / tool
    python = folder / "bin" / "python"
    ready, stamp = folder / ".ready", hashlib.sha256(wanted.read_bytes()).hexdigest()
    if ready.is_file() and ready.read_text() == stamp:
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    if tool == "openvino":  # a provider of the station: beside all that the station has
        (site / "station.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    elif torch := torch_at():
        (site / "torch.pth").write_text(f"{torch}\n")
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    done = subprocess.run([*pip, "--requirement", str(wanted)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{tool} could not be installed: {done.stderr.strip()[-500:]}")
    ready.write_text(stamp)
    return python


def torch_at() -> Path | None:
    """The site-packages that hold torch: the training environment's, or this interpreter's."""
    for found in REPOSITORY.glob(".venv-train/lib/python*/site-packages/torch/__init__.py"):
        return found.parents[1]
    spec = find_spec("torch")
    return None if spec is None or spec.origin is None else Path(spec.origin).parents[1]
