"""What is public is named, and what the pages say of the code is so."""

import ast
import inspect
import re
from pathlib import Path

from lineside.core import errors

PACKAGE = Path(__file__).parents[2] / "inspect" / "lineside"
PUBLIC = sorted(
    path.relative_to(PACKAGE)
    for path in PACKAGE.rglob("*.py")
    if not path.name.startswith("_") and "_pb2" not in path.name and not path.is_relative_to(PACKAGE / "commands")
)


def bound_names(tree: ast.Module) -> set[str]:
    """What the top level of a module defines, assigns or imports."""
    names: set[str] = set()
    for node in tree.body:
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                names.add(node.name)
            case ast.Assign():
                names |= {ast.unparse(target) for target in node.targets}
            case ast.AnnAssign():
                names.add(ast.unparse(node.target))
            case ast.Import() | ast.ImportFrom():
                names |= {alias.asname or alias.name for alias in node.names}
    return names


def test_every_public_module_says_what_it_is_and_what_is_public() -> None:
    wrong = []
    for module in PUBLIC:
        tree = ast.parse((PACKAGE / module).read_text())
        if not ast.get_docstring(tree):
            wrong.append(f"{module} does not say in one sentence what it is")
        values = [
            node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        ]
        if not values and module.name != "__init__.py":
            wrong.append(f"{module} has no __all__")
        elif values and (missing := set(ast.literal_eval(values[0])) - bound_names(tree)):
            wrong.append(f"{module} names in __all__ what it does not have: {sorted(missing)}")
    assert not wrong


def test_the_errors_are_the_tree_that_is_drawn() -> None:
    drawn: list[tuple[str, str, str]] = []  # class, its base, its sentence
    branch = ["LinesideError"]
    for rails, name, sentence in re.findall(
        r"^    ([│ ]*)[├└]── (\w+) +(.+)$", errors.__doc__ or "", flags=re.MULTILINE
    ):
        branch = [*branch[: 1 + len(rails) // 4], name]
        drawn.append((name, branch[-2], f"{sentence}.".lower()))
    classes = [
        (name, cls.__base__.__name__, cls.__doc__.lower())
        for name, cls in vars(errors).items()
        if inspect.isclass(cls) and issubclass(cls, errors.LinesideError) and cls is not errors.LinesideError
    ]
    assert sorted(drawn) == sorted(classes)
    assert set(errors.__all__) == {name for name, _, _ in classes} | {"LinesideError"}
