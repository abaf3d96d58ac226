"""Cursors: what was given out is read back for its list, and nothing else is."""

import base64
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.controllers.pagination import CURSOR_CHARACTERS_MAX, PageQuery, next_cursor
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
    cursor = next_cursor("reviews", (AT.isoformat(), "é:1"))
    assert after(cursor, "reviews", datetime.fromisoformat, str) == (AT, "é:1")
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


@settings(max_examples=100, deadline=None)
@given(st.text(min_size=1, max_size=60) | st.binary(min_size=1).map(lambda data: base64.b64encode(data).decode()))
def test_nothing_made_up_is_a_cursor(text: str) -> None:
    with pytest.raises(InvalidInput):
        after(text)
