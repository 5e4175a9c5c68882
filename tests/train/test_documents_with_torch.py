"""The page about networks runs whole where torch is; without it, the blocks that need it are left out."""

import sys
from pathlib import Path

import pytest
from test_documents_run import carry_out

PAGE = Path(__file__).parents[2] / "docs" / "train-networks.md"
NEEDS_TORCH = "<!-- not run: it needs torch; tests/train runs it -->\n"


@pytest.mark.timeout(300)  # five commands, each of which starts torch anew
def test_the_blocks_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = PAGE.read_text()
    assert NEEDS_TORCH in page
    shim = tmp_path / "bin" / "lineside"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lineside "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}:{Path('/usr/bin')}:{Path('/bin')}")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    printed = carry_out(page.replace(NEEDS_TORCH, ""), tmp_path)

    assert "trains on CPU" in printed
    for name in (
        "defects.png",
        "models/flaws-network.png",
        "models/flaws/training/curves.png",
        "models/painted",
        "backbone.pt",
        "models/patch-patch.png",
        "models/kinds/training/confusion.png",
    ):
        assert (tmp_path / name).exists()
