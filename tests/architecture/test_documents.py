"""The documents are whole: links lead somewhere, decisions have their four parts, the map shows every room."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
DECISIONS = sorted((REPOSITORY / "docs" / "decisions").glob("[0-9]*.md"))
PACKAGES = sorted(
    path.name for path in (REPOSITORY / "inspect" / "lineside").iterdir() if path.is_dir() and any(path.rglob("*.py"))
)


def anchors(document: Path) -> set[str]:
    """The names that headings can be linked by, as common renderers make them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_link_leads_to_something_that_exists(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue  # outside: not asked, the tests need no network
        name, _, anchor = target.partition("#")
        linked = (document.parent / name) if name else document
        assert linked.exists(), f"{target} leads nowhere"
        assert not anchor or linked.suffix != ".md" or anchor in anchors(linked), f"{target}: no such heading"


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_four_parts_and_fits_a_page(decision: Path) -> None:
    text = decision.read_text()
    assert re.match(rf"# {decision.name[:4]}\b", text), "the title begins with the number"
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == ["Context", "Decision", "Compared", "Consequences"]
    assert len(text.split()) <= 700


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    assert [path.name[:4] for path in DECISIONS] == [f"{number:04}" for number in range(1, len(DECISIONS) + 1)]
    listed = (REPOSITORY / "docs" / "decisions" / "README.md").read_text()
    assert [path.name for path in DECISIONS if f"]({path.name})" not in listed] == []


def test_the_map_shows_every_room() -> None:
    page = (REPOSITORY / "docs" / "architecture.md").read_text()
    assert not [package for package in PACKAGES if f"{package}/" not in page]
