"""The layers and the walls between vendors hold: see docs/architecture.md."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "inspect" / "lineside"
MODULES = sorted(
    path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if not path.name.endswith(("_pb2.py", "_pb2_grpc.py"))
)

GENICAM = ("cameras/genicam.py", "cameras/gentl.py", "cameras/producers.py")
VENDORS = {
    "onnxruntime": ("detectors/",),
    "openvino": ("detectors/openvino_session.py",),
    "grpc": ("serve/", "client/", "client.py", "bridges/"),
    "grpc_health": ("serve/", "client/", "client.py"),
    "grpc_reflection": ("serve/",),
    "google": ("serve/", "client/", "client.py", "bridges/", "wire/", "detectors/", "commands/"),
    "harvesters": GENICAM,
    "genicam": GENICAM,
    "pymodbus": ("bridges/", "sim/", "commands/"),
    "torch": ("train/",),
    "torchvision": ("train/",),
    "ray": ("reinspect/ray.py", "reinspect/ray_cluster.py"),
    "fsspec": ("reinspect/remote_storage.py", "commands/"),
    "s3fs": (),
    "scipy": ("statistics/", "reinspect/summary/", "commands/"),
    "jinja2": ("page/", "reinspect/report/", "gauge/report/", "commands/"),
    "reportlab": ("calibrate/sheet_pdf.py",),
    "sqlite3": ("journal/",),
    "multiprocessing": ("supervise/", "commands/"),
    "subprocess": ("supervise/", "commands/"),
    "rich": ("cli.py", "commands/"),
    "typer": ("cli.py", "commands/"),
}
"""Who may import what: a vendor stays behind its adapter."""

LIGHT = ("station.py", "ledger.py", "core/", "serve/", "journal/journal")
"""What runs in the station process: it never decodes an image and never runs a model."""


def imports(module: Path) -> Iterator[str]:
    """Dotted names of all that a module imports, inside functions too."""
    for node in ast.walk(ast.parse((PACKAGE / module).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: imports are absolute"
            yield node.module or ""


def test_every_contract_of_import_linter_is_kept() -> None:
    result = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_vendor_is_imported_behind_its_adapter_only() -> None:
    strays = [
        f"{module} imports {name}"
        for module in MODULES
        for name in imports(module)
        if (homes := VENDORS.get(name.partition(".")[0])) and not str(module).startswith(homes)
    ]
    assert not strays


def test_the_station_process_has_no_pictures_library() -> None:
    heavy = {"cv2", "onnx", "onnxruntime"}
    light = [module for module in MODULES if str(module).startswith(LIGHT)]
    assert not [f"{module} imports {name}" for module in light for name in imports(module) if name in heavy]


def test_a_module_fits_a_readers_head() -> None:
    lengths = {str(module): len((PACKAGE / module).read_text().splitlines()) for module in MODULES}
    assert not {module: lines for module, lines in lengths.items() if lines > 450}


def test_only_commands_print() -> None:
    prints = [
        f"{module}:{node.lineno}"
        for module in MODULES
        if not str(module).startswith(("cli.py", "commands/"))
        for node in ast.walk(ast.parse((PACKAGE / module).read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    ]
    assert not prints


def test_the_source_root_is_no_package() -> None:
    # It would shadow the standard library's `inspect` for whoever runs Python in this folder.
    assert not (REPOSITORY / "inspect" / "__init__.py").exists()


def loaded_by(statement: str) -> set[str]:
    """Top-level modules in a fresh interpreter after `statement`."""
    code = f"{statement}; import sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(subprocess.check_output([sys.executable, "-c", code], text=True).split())


def test_importing_the_package_loads_nothing_but_the_standard_library() -> None:
    third_party = loaded_by("import lineside") - sys.stdlib_module_names - loaded_by("pass")
    assert third_party == {"lineside"}


@pytest.mark.skipif(not (PACKAGE / "cli.py").exists(), reason="there is no command line yet")
def test_the_command_line_starts_without_heavy_libraries() -> None:
    heavy = {"cv2", "onnx", "onnxruntime", "torch", "ray", "harvesters", "genicam", "grpc_tools"}
    assert not heavy & loaded_by("import lineside.cli")
