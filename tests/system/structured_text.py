"""Runs a small part of IEC 61131-3 structured text, one call for each scan: what docs/plc.md shows, no more.

The grammar is not ours (tree-sitter-iec61131-3-st); the meaning of statements and operators is written here after the
standard. Names are those of the program's own variables and of `host`; a host's callables are functions and instances
of function blocks.
"""

from __future__ import annotations

import contextlib
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

import tree_sitter
import tree_sitter_iec61131_3_st

__all__ = ["Program"]

_WRAPS = {"UINT": 0xFFFF, "UDINT": 0xFFFF_FFFF}
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "AND": lambda left, right: left and right,
    "OR": lambda left, right: left or right,
}


class _Return(Exception):
    """RETURN ends the scan."""


class Program:
    """A PROGRAM with its variables, which keep their values from scan to scan. Raises: ValueError for bad syntax."""

    def __init__(self, source: str, host: Mapping[str, Any]) -> None:
        language = tree_sitter.Language(tree_sitter_iec61131_3_st.language())
        root = tree_sitter.Parser(language).parse(source.encode()).root_node
        if root.has_error:
            raise ValueError(f"this is no structured text: {root}")
        [program] = [node for node in root.named_children if node.type == "program_declaration"]
        self._body = program.children_by_field_name("body")
        self._types: dict[str, str] = {}
        self.values: dict[str, Any] = dict(host)
        for declaration in _all(program, "variable_declaration"):
            kind = _text(declaration.child_by_field_name("type"))
            for name in declaration.children_by_field_name("names"):
                if name.is_named:
                    self._types[_text(name)] = kind
                    self.values.setdefault(_text(name), 0)

    def scan(self) -> None:
        """One call of the program."""
        with contextlib.suppress(_Return):
            self._run(self._body)

    def _run(self, statements: list[tree_sitter.Node]) -> None:
        for node in statements:
            match node.type:
                case "assignment_statement":
                    self._assign(node.child_by_field_name("left"), self._value(node.child_by_field_name("right")))
                case "invocation_statement":
                    self._value(node.named_children[0])
                case "if_statement":
                    self._choose(node)
                case "return_statement":
                    raise _Return
                case "empty_statement":
                    pass
                case unknown:
                    raise ValueError(f"no meaning is given here to {unknown}: {_text(node)}")

    def _choose(self, node: tree_sitter.Node) -> None:
        if self._value(node.child_by_field_name("condition")):
            self._run(node.children_by_field_name("consequence"))
            return
        for clause in node.named_children:
            condition = clause.child_by_field_name("condition")
            if clause.type == "else_clause" or (clause.type == "elsif_clause" and self._value(condition)):
                self._run(clause.children_by_field_name("body"))
                return

    def _assign(self, left: tree_sitter.Node | None, value: Any) -> None:
        assert left is not None
        if left.type == "member_access_expression":
            setattr(self._value(left.child_by_field_name("object")), _text(left.child_by_field_name("member")), value)
            return
        name = _text(left)
        wrap = _WRAPS.get(self._types.get(name, ""))
        self.values[name] = value if wrap is None else value & wrap

    def _value(self, node: tree_sitter.Node | None) -> Any:
        assert node is not None
        match node.type:
            case "identifier":
                return self.values[_text(node)]
            case "integer_literal":
                return int(_text(node))
            case "boolean_literal":
                return _text(node) == "TRUE"
            case "time_literal":
                found = re.fullmatch(r"T#(\d+)ms", _text(node))
                assert found is not None, _text(node)
                return int(found[1]) / 1000
            case "member_access_expression":
                return getattr(
                    self._value(node.child_by_field_name("object")), _text(node.child_by_field_name("member"))
                )
            case "unary_expression":
                assert _text(node.child_by_field_name("operator")) == "NOT", _text(node)
                return not self._value(node.child_by_field_name("operand"))
            case "binary_expression":
                meaning = _OPERATORS[_text(node.child_by_field_name("operator"))]
                left, right = (self._value(node.child_by_field_name(side)) for side in ("left", "right"))
                return meaning(left, right)
            case "call_expression":
                arguments = {
                    _text(each.child_by_field_name("name")): self._value(each.child_by_field_name("value"))
                    for each in _all(node, "named_argument")
                }
                return self.values[_text(node.child_by_field_name("function"))](**arguments)
            case unknown:
                raise ValueError(f"no meaning is given here to {unknown}: {_text(node)}")


def _all(node: tree_sitter.Node, kind: str) -> list[tree_sitter.Node]:
    found = [node] if node.type == kind else []
    return found + [each for child in node.named_children for each in _all(child, kind)]


def _text(node: tree_sitter.Node | None) -> str:
    assert node is not None and node.text is not None
    return node.text.decode()
