"""docs/protocol.md as tests read it: its sections and its tables."""

import re
from pathlib import Path
from typing import Final

DOCUMENT: Final = Path(__file__).resolve().parents[2] / "docs" / "protocol.md"
TEXT: Final = DOCUMENT.read_text(encoding="utf-8")

Row = tuple[str, ...]


def section(heading: str) -> str:
    """The text below a heading up to the next one of its level or above."""
    found = re.search(rf"^(#+) {re.escape(heading)}$", TEXT, re.MULTILINE)
    assert found, f"docs/protocol.md has no section {heading!r}"
    rest = TEXT[found.end() :]
    following = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: following.start()] if following else rest


def table(text: str) -> list[Row]:
    """The cells of the first table of a text, without its heading."""
    lines = re.search(r"(^\|.*\n)+", text, re.MULTILINE)
    assert lines, "a table is missing"
    rows = [tuple(cell.strip().strip("`") for cell in line.strip("|").split("|")) for line in lines[0].splitlines()]
    return rows[2:]
