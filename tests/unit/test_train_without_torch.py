"""Without the extra train: methods that need torch say so, what to install, and what works without."""

import importlib.util
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lineside.commands.train import train_app
from lineside.core.errors import ConfigError


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is here")
@pytest.mark.parametrize("method", ["segment", "synthetic"])
def test_the_method_says_what_to_install(method: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(train_app, [method, str(tmp_path), "-o", str(tmp_path / "model")])

    assert isinstance(result.exception, ConfigError)
    assert f"lineside train {method} needs torch and torchvision" in result.exception.what
    for words in ("pip install 'lineside[train]'", "requirements/train.txt", "lineside train bank"):
        assert words in result.exception.remedy
