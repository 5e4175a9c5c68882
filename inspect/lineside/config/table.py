"""Tables of our TOML files as pydantic models, and their complaints in three parts."""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from lineside.config.toml_file import Key, Problem, TomlFile

__all__ = ["ID_PATTERN", "PACKAGE_ID_PATTERN", "Id", "PackageId", "Table", "contradiction", "read_table"]

ID_PATTERN = r"^[a-z0-9][a-z0-9-]{0,63}$"
PACKAGE_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"

Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
"""Lower-case letters, digits and hyphens, at most 64: safe in file names, URLs and on a PLC's display."""

PackageId = Annotated[str, StringConstraints(pattern=PACKAGE_ID_PATTERN)]
"""The id of a model package, as its manifest may have it: safe as the name of a folder."""


class Table(BaseModel):
    """One table of a file. What is not declared here is refused; a string never stands for a number."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


TableT = TypeVar("TableT", bound=BaseModel)


def contradiction(what: str, *, expected: str, remedy: str) -> PydanticCustomError:
    """For validators to raise: keeps the three parts of the message apart."""
    return PydanticCustomError("contradiction", "{what}", {"what": what, "expected": expected, "remedy": remedy})


def read_table(
    model: type[TableT], value: object, file: TomlFile, at: Key = ()
) -> tuple[TableT, list[Problem]] | tuple[None, list[Problem]]:
    """`value`, which stands at `at` in `file`, as `model`; or None with every problem that it has."""
    try:
        return model.model_validate(value), []
    except ValidationError as error:
        details = error.errors(include_url=False)
        return None, [_problem(model, detail, file, at) for detail in details if not _follows_from(detail, details)]


def _follows_from(detail: ErrorDetails, others: list[ErrorDetails]) -> bool:
    # An array all of whose elements are wrong is also "too short": say the causes only.
    loc = detail["loc"]
    return detail["type"] == "too_short" and any(other["loc"][: len(loc)] == loc != other["loc"] for other in others)


def _problem(model: type[BaseModel], detail: ErrorDetails, file: TomlFile, at: Key) -> Problem:
    within = tuple(step for step in detail["loc"] if step != "[key]")
    key = at + within
    name = ".".join(map(str, key))
    meaning = _description_at(model, within)
    got = repr(detail["input"])
    match detail["type"]:
        case "contradiction":
            return file.problem(key, **{part: str(text) for part, text in detail["ctx"].items()})
        case "extra_forbidden":
            known = sorted(_fields_of(_annotation_at(model, within[:-1])))
            near = difflib.get_close_matches(str(within[-1]), known, n=1)
            remedy = f'did you mean "{near[0]}"?' if near else "remove it"
            return file.problem(key, f'unknown key "{name}"', expected=f"one of {', '.join(known)}", remedy=remedy)
        case "missing":
            return file.problem(key, f'key "{name}" is missing', expected=meaning, remedy="add it")
        case "value_error":
            what, _, expected = detail["msg"].removeprefix("Value error, ").partition("; expected ")
            return file.problem(key, f"{name}: {what}" if name else what, expected=expected, remedy="correct it")
        case _:
            return file.problem(
                key,
                f"{name} is {got if len(got) <= 60 else got[:57] + '...'}",
                expected=_lower_first(detail["msg"].removeprefix("Input should be ")),
                remedy=f"correct it ({meaning})" if meaning else "correct it",
            )


def _fields_of(annotation: object) -> Mapping[str, FieldInfo]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {field.alias or name: field for name, field in annotation.model_fields.items()}
    return {}


def _description_at(model: type[BaseModel], key: Key) -> str:
    # The nearest described field around the place: an array's element is explained by its array.
    for length in range(len(key), 0, -1):
        field = _fields_of(_annotation_at(model, key[: length - 1])).get(str(key[length - 1]))
        if field is not None:
            return _lower_first((field.description or "").replace("\n", " ").rstrip("."))
    return ""


def _lower_first(text: str) -> str:
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def _annotation_at(annotation: Any, key: Key) -> Any:
    """The type that is declared at `key` below `annotation`; None where nothing is."""
    for step in key:
        annotation = _bare(annotation)
        if fields := _fields_of(annotation):
            annotation = fields[str(step)].annotation if str(step) in fields else None
        elif get_origin(annotation) in (dict, Mapping):
            annotation = get_args(annotation)[1]
        else:
            annotation = next(iter(get_args(annotation)), None)
    return _bare(annotation)


def _bare(annotation: Any) -> Any:
    """Without `Annotated` and without `| None`."""
    while get_origin(annotation) in (Annotated, Union, types.UnionType):
        annotation = next(arm for arm in get_args(annotation) if arm is not type(None))
    return annotation
