"""Cursors: what was given out is read back for its list, and nothing else is."""

import base64
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.controllers.pagination import CURSOR_CHARACTERS_MAX, PageQuery, next_cursor, next_id, read_moment
from server.core.errors import InvalidInput

ID = UUID("0192f0c1-9999-7abc-8def-0123456789ab")
AT = datetime(2026, 9, 21, 14, 13, tzinfo=UTC)


def after(cursor: str, name: str = "users", *readers: Any) -> tuple[Any, ...] | None:
    return PageQuery(cursor, 50).after(name, *(readers or (UUID,)))


def test_the_first_page_begins_nowhere_and_the_last_has_no_cursor() -> None:
    assert after("") is None
    assert next_cursor("users", None) == ""


def test_a_key_goes_out_and_comes_back() -> None:
    assert after(next_cursor("users", (ID,))) == (ID,)
    cursor = next_cursor("reviews", (AT, "é:1"))
    assert after(cursor, "reviews", read_moment, str) == (AT, "é:1")
    assert len(cursor) < CURSOR_CHARACTERS_MAX


@pytest.mark.parametrize(
    "told",
    [f'["devices","{ID}"]', '["users"]', f'["users","{ID}","x"]', '["users","x"]', '["users",1]', '["users",null]',
     "[]", "{}", "null", '"users"', "[[[", "[" * 700, f'[["users"],"{ID}"]', "users", "", "1" * 700],
)  # fmt: skip
def test_a_cursor_of_another_list_or_of_nobody_is_refused(told: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        after(base64.urlsafe_b64encode(told.encode()).decode() or "=")
    assert [one.pointer for one in refused.value.problems] == ["#query/cursor"]


@pytest.mark.parametrize("told", ['["words",1]', '["words",null]', '["words","a\\u0000"]', '["words",["a"]]'])
def test_a_part_that_is_no_plain_text_is_refused(told: str) -> None:
    with pytest.raises(InvalidInput):
        after(base64.urlsafe_b64encode(told.encode()).decode(), "words", str)


def test_a_moment_without_an_offset_is_none_of_ours() -> None:
    with pytest.raises(InvalidInput):
        after(next_cursor("reviews", (AT.replace(tzinfo=None), "x")), "reviews", read_moment, str)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_moment_that_no_calendar_has_in_utc_is_refused(moment: str) -> None:
    with pytest.raises(InvalidInput):
        after(next_cursor("reviews", (moment, "x")), "reviews", read_moment, str)


def test_a_list_by_ids_goes_on_behind_the_last_one() -> None:
    id_ = "0192f0c1-7a3e-7abc-8def-0123456789ab"
    assert (next_id("words", None), PageQuery("", 50).after_id("words")) == ("", None)
    assert PageQuery(next_id("words", id_), 50).after_id("words") == id_
    with pytest.raises(InvalidInput):
        PageQuery(next_id("words", "no id"), 50).after_id("words")


def test_a_list_that_is_read_whole_is_given_out_in_parts() -> None:
    items = [f"item {number}" for number in range(7)]
    seen: list[str] = []
    cursor = ""
    for _ in range(4):
        shown, cursor = PageQuery(cursor, 2).part("items", items, str)
        seen += shown
    assert (seen, cursor) == (items, "")
    assert PageQuery("", 7).part("items", items, str) == (items, "")
    assert PageQuery("", 5).part("items", [], str) == ([], "")


def test_a_part_goes_on_behind_an_item_that_moved_or_is_gone() -> None:
    items = [f"item {number}" for number in range(6)]
    _, cursor = PageQuery("", 3).part("items", items, str)
    # Something came before it; it is gone itself; and so is all there was.
    assert PageQuery(cursor, 3).part("items", ["new", *items], str)[0] == items[3:]
    assert PageQuery(cursor, 3).part("items", [one for one in items if one != "item 2"], str)[0] == items[3:]
    assert PageQuery(cursor, 3).part("items", items[:1], str) == ([], "")


@pytest.mark.parametrize("place", ["-1", "x", "", "1.0", "²", "999999999", "100001"])
def test_a_place_that_no_list_has_is_refused(place: str) -> None:
    with pytest.raises(InvalidInput):
        PageQuery(next_cursor("items", ("a", place)), 2).part("items", ["a"], str)


@settings(max_examples=100, deadline=None)
@given(st.text(min_size=1, max_size=60) | st.binary(min_size=1).map(lambda data: base64.b64encode(data).decode()))
def test_nothing_made_up_is_a_cursor(text: str) -> None:
    with pytest.raises(InvalidInput):
        after(text)
