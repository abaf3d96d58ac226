"""What all shapes that come in have in common, whatever their fields say."""

import pytest
from pydantic import ValidationError

from server.schemas.base import Input, Moment


class _Inner(Input):
    """A part of a shape."""

    word: str


class _Shape(Input):
    """A shape whose fields say nothing of what a text may hold."""

    word: str = ""
    words: tuple[str, ...] = ()
    inner: tuple[_Inner, ...] = ()
    at: Moment | None = None


@pytest.mark.parametrize(
    ("sent", "where"),
    [
        ('{"word": "a\\u0000b"}', ("word",)),
        ('{"words": ["a", "\\u0000"]}', ("words",)),
        ('{"inner": [{"word": "\\u0000"}]}', ("inner", 0, "word")),
        ('{"at": "2026-09-21T08:00:00"}', ("at",)),
        ('{"at": "0001-01-01T00:00:00+14:00"}', ("at",)),
        ('{"at": "9999-12-31T23:59:59-14:00"}', ("at",)),
        ('{"at": "1999-12-31T23:59:59Z"}', ("at",)),
        ('{"more": 1}', ("more",)),
    ],
)
def test_what_no_table_can_hold_is_refused_at_its_field(sent: str, where: tuple[str | int, ...]) -> None:
    with pytest.raises(ValidationError) as refused:
        _Shape.model_validate_json(sent)
    assert refused.value.errors()[0]["loc"] == where


def test_what_makes_sense_is_taken() -> None:
    taken = _Shape.model_validate_json(
        '{"word": "Zoë\\u2603", "words": ["a"], "inner": [{"word": "b"}], "at": "2026-09-21T08:00:00+01:00"}'
    )
    assert (taken.word, taken.words, taken.inner[0].word) == ("Zoë☃", ("a",), "b")
