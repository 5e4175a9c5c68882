"""The watch on what tests leave behind sees each kind of it, and is quiet about tests that clean up."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
CLEAN = """
import asyncio, multiprocessing, os, socket, subprocess, tempfile, threading, time

kept = []

def test_tidy(tmp_path):
    subprocess.run(["true"])
    with socket.socket(), tempfile.TemporaryFile():
        threading.Thread(target=time.sleep, args=(0.01,)).start()
    (tmp_path / "file").touch()

async def test_tidy_tasks():
    await asyncio.to_thread(time.sleep, 0.01)
    task = asyncio.create_task(asyncio.sleep(30))
    task.cancel()
"""


def run_pytest(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    conftest = (TESTS / "conftest.py").read_text()
    (folder / "conftest.py").write_text(re.sub(r"^GRACE_S = .*", "GRACE_S = 0.3", conftest, flags=re.MULTILINE))
    (folder / "test_sample.py").write_text(text)
    shutil.copy2(TESTS.parent / "pyproject.toml", folder)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        f"--rootdir={folder}",
        f"--basetemp={folder}/scratch",
        ".",
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_tidy_tests_pass(tmp_path: Path) -> None:
    result = run_pytest(tmp_path, CLEAN)
    assert result.returncode == 0, result.stdout
    assert "2 passed" in result.stdout


@pytest.mark.parametrize(
    ("leak", "named"),
    [
        ("def test_leak(): kept.append(subprocess.Popen(['sleep', '2']))", "processes: .*sleep 2"),
        ("def test_leak(): threading.Thread(target=time.sleep, args=(1,)).start()", "threads: Thread-"),
        ("async def test_leak(): kept.append(asyncio.create_task(asyncio.sleep(30)))", "tasks: .*sleep"),
        ("def test_leak(): tempfile.mkdtemp(prefix='forgotten')", "temporary files: forgotten"),
        ("def test_leak(): kept.append(socket.socket())", "shared memory: socket:"),
        ("def test_leak(): kept.append(os.memfd_create('frames'))", "shared memory: /memfd:frames"),
    ],
)
def test_a_test_that_leaves_something_behind_fails(leak: str, named: str, tmp_path: Path) -> None:
    result = run_pytest(tmp_path, f"{CLEAN}\n{leak}\n")
    assert result.returncode == 1
    assert re.search(f"left behind: .*{named}", result.stdout), result.stdout
    assert "3 passed, 1 error" in result.stdout
