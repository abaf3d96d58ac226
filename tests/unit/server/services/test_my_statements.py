"""Which months of which children there are statements of, and where the next page begins."""

from datetime import date
from itertools import islice

import pytest

from server.services.my_statements import last_of, months_of

SEPTEMBER, AUGUST, JULY = date(2026, 9, 1), date(2026, 8, 1), date(2026, 7, 1)


def test_months_go_back_to_the_first_of_each_child_and_go_on_after_a_key() -> None:
    spans = {"a": (AUGUST, SEPTEMBER), "b": (JULY, SEPTEMBER)}
    everything = [(SEPTEMBER, "a"), (SEPTEMBER, "b"), (AUGUST, "a"), (AUGUST, "b"), (JULY, "b")]
    assert list(months_of(spans, None)) == everything
    for place, key in enumerate(everything):
        assert list(months_of(spans, key)) == everything[place + 1 :]
    assert list(months_of({}, None)) == []
    # A first booking that lies ahead, and a cursor that was made up.
    assert list(months_of({"a": (SEPTEMBER, AUGUST)}, None)) == []
    assert list(islice(months_of(spans, (date(2099, 1, 1), "z")), 1)) == [(SEPTEMBER, "a")]


@pytest.mark.parametrize(
    ("month", "last"),
    [
        (SEPTEMBER, date(2026, 9, 30)), (date(2026, 2, 1), date(2026, 2, 28)), (date(2028, 2, 1), date(2028, 2, 29)),
        (date(2099, 12, 1), date(2099, 12, 31)),
    ],
)  # fmt: skip
def test_a_month_ends_with_its_last_day(month: date, last: date) -> None:
    assert last_of(month) == last
