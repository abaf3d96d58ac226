"""Places: never more are given than there are, and nobody waits beside a free one."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from server.services.day_windows import Span
from server.services.places import Waiting, has_place, peak, promotions, too_many

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
spans = st.builds(lambda begin, length: span(begin, begin + length), st.integers(0, 90), st.integers(1, 26))


def span(begin: int, end: int) -> Span:
    return Span(NOON + timedelta(hours=begin), NOON + timedelta(hours=end))


def count(held: list[Span], hour: int) -> int:
    """How many hold a place in an hour; begins and ends are whole hours here."""
    return sum(one.starts_at <= NOON + timedelta(hours=hour) < one.ends_at for one in held)


@given(st.lists(spans, max_size=12), spans)
def test_the_peak_is_that_of_the_fullest_hour(held: list[Span], within: Span) -> None:
    first = (within.starts_at - NOON) // timedelta(hours=1)
    last = (within.ends_at - NOON) // timedelta(hours=1)
    assert peak(held, within) == max(count(held, hour) for hour in range(first, last))


@given(st.lists(spans, max_size=12), st.integers(0, 4))
def test_what_is_too_many_begins_where_the_number_is_exceeded(held: list[Span], capacity: int) -> None:
    over = [hour for hour in range(120) if count(held, hour) > capacity]
    rises = [
        NOON + timedelta(hours=hour)
        for hour in over
        if any(one.starts_at == NOON + timedelta(hours=hour) for one in held)
    ]
    assert too_many(held, capacity) == rises


def test_those_who_came_first_are_served_first_as_far_as_they_fit() -> None:
    held = [span(0, 2)]
    row = [
        Waiting("late", span(2, 4), NOON + timedelta(minutes=2)),
        Waiting("long", span(1, 4), NOON),
        Waiting("short", span(2, 3), NOON + timedelta(minutes=1)),
    ]
    assert promotions(row, held, 1) == ["short"]
    assert promotions(row, held, 2) == ["long", "short"]
    assert promotions(row, [], 1) == ["long"]
    assert promotions([Waiting("b", span(0, 1), NOON), Waiting("a", span(0, 1), NOON)], [], 1) == ["a"]
    assert promotions(row, [], 0) == []


steps = st.lists(
    st.one_of(
        st.tuples(st.just("book"), spans),
        st.tuples(st.just("refuse"), spans),
        st.tuples(st.just("cancel"), st.integers(0, 30)),
        st.tuples(st.just("capacity"), st.integers(0, 5)),
    ),
    max_size=40,
)


@settings(max_examples=150)
@given(steps)
def test_no_sequence_of_changes_overbooks_or_leaves_somebody_waiting_beside_a_free_place(
    taken: list[tuple[str, object]],
) -> None:
    """The rules as the use-cases apply them: book, cancel and promote, refuse to shrink below what is taken."""
    capacity = 2
    held: dict[str, Span] = {}
    row: dict[str, Waiting] = {}
    for number, (what, value) in enumerate(taken):
        if isinstance(value, Span):
            if has_place(held.values(), value, capacity):
                held[str(number)] = value
            elif what == "book":
                row[str(number)] = Waiting(str(number), value, NOON + timedelta(seconds=number))
        elif isinstance(value, int) and what == "cancel" and (held or row):
            key = sorted([*held, *row])[value % (len(held) + len(row))]
            held.pop(key, None)
            row.pop(key, None)
        elif isinstance(value, int) and what == "capacity" and not too_many(held.values(), value):
            capacity = value
        for key in promotions(row.values(), held.values(), capacity):
            held[key] = row.pop(key).span
        assert all(peak(held.values(), one) <= capacity for one in held.values())
        assert not any(has_place(held.values(), one.span, capacity) for one in row.values())
