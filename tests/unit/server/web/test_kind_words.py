"""Every event of a child has words of its own on the pages for people, the same ones wherever a label is told of."""

import re
from pathlib import Path

import pytest

from server.web import evidence_page
from sync.attendance import EventKind

WORDS_JS = Path(evidence_page.__file__).parent / "static" / "words.js"
OF_NO_CHILD = ("staff_", "visitor_", "rollcall_", "headcount")
OF_A_CHILD = [kind.value for kind in EventKind if not kind.value.startswith(OF_NO_CHILD)]
LABEL = "label sent to the printer, perhaps not the only one"


def _in_the_browser() -> dict[str, str]:
    (kinds,) = re.findall(r"const KINDS = \{(.*?)\};", WORDS_JS.read_text(encoding="utf-8"), re.DOTALL)
    return dict(re.findall(r'(\w+): "([^"]+)"', kinds))


def _on_paper() -> dict[str, str]:
    return dict(evidence_page._WORDS)


@pytest.mark.parametrize("words", [_in_the_browser(), _on_paper()], ids=["browser", "paper"])
def test_each_kind_has_words_and_a_label_those_that_are_true(words: dict[str, str]) -> None:
    assert [kind for kind in OF_A_CHILD if not words.get(kind)] == []
    assert words["label_reprinted"].lower() == LABEL
