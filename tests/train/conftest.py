"""What is below this folder needs torch: it is collected in `.venv-train` only, by the first half of `make test`."""

import importlib.util
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "system"))  # small projects, stations that run

HAS_TORCH = importlib.util.find_spec("torch") is not None

collect_ignore_glob = [] if HAS_TORCH else ["test_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("train")


@pytest.fixture(scope="session", autouse=True)
def torch_has_its_folder(own_temporary_folder: Path) -> None:
    """The first step of an optimiser makes a folder for compiled code, once for all. One thread: pictures are tiny."""
    import torch

    torch.set_num_threads(1)
    weight = torch.nn.Parameter(torch.ones(1))
    optimiser = torch.optim.AdamW([weight])
    weight.sum().backward()
    optimiser.step()
