"""The words on the page of evidence, and that a page with a hole in it is not made."""

import base64
import hashlib
import re
from typing import Any

import pytest
from jinja2 import UndefinedError

from server.web.evidence_page import evidence_page, span, step_value, verdict, when, words
from server.web.pages import Pages


@pytest.mark.parametrize(
    ("length_ms", "told"),
    [
        (0, "0 ms"),
        (-999, "999 ms"),
        (1_500, "1.5 s"),
        (61_000, "1 min 1 s"),
        (-3_600_000, "1 h 0 min"),
        (90_000_000, "1 d 1 h"),
    ],
)
def test_a_length_of_time_is_told_in_its_two_largest_units(length_ms: int, told: str) -> None:
    assert span(length_ms) == told


def test_a_time_is_told_to_the_second_with_its_offset() -> None:
    assert when("2026-09-21T15:13:20.123000+01:00") == "2026-09-21 15:13:20 +01:00"
    assert when("2026-09-21T09:13:20-05:00") == "2026-09-21 09:13:20 -05:00"
    assert when(None) == "not known"


def test_a_code_that_nobody_knows_here_is_shown_with_blanks() -> None:
    assert words("came_with_the_bus") == "came with the bus"
    assert words("check_in") == "check-in"


def test_a_changed_value_is_told_by_its_name() -> None:
    assert step_value("", "adult_name", {}) == "nothing"
    assert step_value(None, "headcount", {}) == "nothing"
    assert step_value(0, "headcount", {}) == "0"
    assert step_value("r-1", "room_id", {"r-1": "Foxes"}) == "Foxes"
    assert step_value("r-2", "room_id", {"r-1": "Foxes"}) == "r-2"


def test_what_cannot_be_checked_is_neither_right_nor_wrong() -> None:
    assert [verdict(True), verdict(False), verdict(None)] == ["yes", "NO", "cannot be checked"]


def test_a_page_with_a_value_missing_is_not_made() -> None:
    with pytest.raises(UndefinedError):
        evidence_page({"time_zone": "Europe/Lisbon", "events": [], "names": {}})


def test_the_policy_allows_exactly_the_style_in_the_page() -> None:
    pages = Pages("stay_evidence.html", "stay_evidence.css", {"words": words, "when": when, "span": span,
                  "step_value": step_value, "verdict": verdict})  # fmt: skip
    record: dict[str, Any] = {
        "center_name": "North House", "read_by": "manager", "as_of": None, "child_name": "", "stay": None,
        "stay_id": "s", "sound": True, "complete": True, "findings": [], "events": [], "names": {}, "version": 1,
        "time_zone": "Europe/Lisbon",
    }  # fmt: skip
    page = pages.page(record=record, details={}, numbers={}, keys=[])
    (style,) = re.findall(r"<style>(.*?)</style>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in page.policy
    assert "not on file" in page.text
