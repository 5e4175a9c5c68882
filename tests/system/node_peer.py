"""Peers in JavaScript: a folder beside the tests with a script, its package.json and its lock."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund")


def installed(folder: str) -> Path:
    """The folder with its packages as locked, which `make test` has installed there. Skips where they cannot be had."""
    sources = Path(__file__).with_name(folder)
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("needs node and npm, which are not installed here")
    if not (sources / "node_modules" / ".package-lock.json").exists():
        done = subprocess.run([npm, *_INSTALL], cwd=sources, capture_output=True, text=True, timeout=100, check=False)
        if done.returncode:
            pytest.skip(f"npm could not install the packages of {folder}: {done.stderr.strip()[-500:]}")
    return sources
