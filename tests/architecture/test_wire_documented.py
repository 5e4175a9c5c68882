"""docs/wire.md says something about every call, and about nothing that is no call."""

import re
from pathlib import Path

from lineside.client import StationClient
from lineside.serve.dispatch import method_name
from lineside.serve.service import InspectionService
from lineside.wire.v1 import inspection_pb2 as pb

DOCS = Path(__file__).parents[2] / "docs"
CALLS = {method.name for method in pb.DESCRIPTOR.services_by_name["Inspection"].methods}


def test_every_call_has_a_section_of_its_own() -> None:
    sections = re.findall(r"^### (\w+)$", (DOCS / "wire.md").read_text(), flags=re.MULTILINE)

    assert sorted(sections) == sorted(CALLS)


def test_every_call_is_answered_by_a_method_of_its_name() -> None:
    assert [call for call in CALLS if not callable(getattr(InspectionService, method_name(call), None))] == []


def test_every_method_of_the_client_is_in_its_guide() -> None:
    page = (DOCS / "client.md").read_text()
    methods = [name for name in vars(StationClient) if not name.startswith("_")]

    assert [name for name in methods if f"`{name}" not in page and f".{name}(" not in page] == []
