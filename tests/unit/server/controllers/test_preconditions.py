"""If-Match: which states a change is meant for."""

import pytest

from server.controllers.preconditions import is_known, read_if_match
from server.core.errors import InvalidInput, PreconditionFailed, PreconditionRequired
from server.core.etags import etag_of


def test_a_change_without_a_state_is_told_to_name_one() -> None:
    for nothing in (None, "", "  "):
        with pytest.raises(PreconditionRequired):
            read_if_match(nothing)


def test_a_change_is_let_by_in_the_state_that_it_names_only() -> None:
    read_if_match('"a"').require("a")
    read_if_match(' "b" , "a"').require("a")
    read_if_match("*").require("a")
    for stale in ('"b"', 'W/"a"', '"b", "c"', '"A"', '""'):
        with pytest.raises(PreconditionFailed):
            read_if_match(stale).require("a")


@pytest.mark.parametrize("odd", ["a", '"a', 'a"', '"a" "b"', '"a",', ',"a"', '"a";"b"', "*,*", '"é"', "\x00", 'w/"a"'])
def test_what_is_no_list_of_tags_is_refused(odd: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_if_match(odd)
    assert [one.pointer for one in refused.value.problems] == ["#header/if-match"]


def test_two_states_never_share_a_tag() -> None:
    states = [("a", 1), ("a", 11), ("a1", 1), ("a", "1", ""), ("a", "", "1"), ("a\x001",), ()]
    assert len({etag_of(*state) for state in states}) == len(states)
    assert etag_of("a", 1) == etag_of("a", "1")


def test_what_somebody_has_already_is_known_by_its_tag() -> None:
    for header in ('"a"', 'W/"a"', ' "b" , "a"', '"b",W/"a"', " * "):
        assert is_known('"a"', header), header
        assert is_known('W/"a"', header), header
    for header in ("", "**", "a", '"b"', '"A"', '"a" "b"', '"a",', '"' + "a" * 70 + '"', '"a"' + ',"b"' * 300):
        assert not is_known('"a"', header), header
