"""torch is here, and yet nothing but `train/` touches it: a station with it installed starts as one without."""

import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "inspect" / "lineside"

LOADED = """
import importlib, sys
for name in {names!r}:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name != "openvino":  # an extra that does not go beside the plain runtime
            raise
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""


def modules(*, of_train: bool) -> list[str]:
    paths = sorted(path.relative_to(PACKAGE.parent).with_suffix("") for path in PACKAGE.rglob("*.py"))
    names = [".".join(path.parts).removesuffix(".__init__") for path in paths if path.name != "__main__"]
    return [name for name in names if name.startswith("lineside.train.") == of_train]


def loaded_by(names: list[str]) -> set[str]:
    return set(subprocess.check_output([sys.executable, "-c", LOADED.format(names=names)], text=True).split())


def test_no_module_outside_train_imports_torch() -> None:
    names = modules(of_train=False)

    assert {"lineside.station", "lineside.running", "lineside.commands.train"} <= set(names)
    assert not {"torch", "torchvision"} & loaded_by(names)


def test_what_says_that_torch_is_missing_does_not_import_it() -> None:
    assert "torch" not in loaded_by(["lineside.train.torch_extra", "lineside.train.dataset", "lineside.train.bank"])


def test_the_loop_that_fits_networks_does_import_it() -> None:
    """So that the tests above can fail."""
    assert "torch" in loaded_by(["lineside.train.fitting"])
