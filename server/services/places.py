"""Who gets a place: how many hold one at a moment, who is next, and what would be too many; pure.

A service has so many places at each moment. A booking holds one from its begin to its end; whoever finds none may
wait. Two rules hold after every change: at no moment do more hold a place than there are, and nobody waits whose whole
time has a free place. Who waits is served in the order in which they came, as far as their time fits: a place that is
free from eight to nine is given to whoever wants these hours, also when somebody before them wants the whole morning.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from server.services.day_windows import Span

# As the table of bookings has it: a day of 24 hours on which the clocks are set back, by two hours at most.
SPAN_MAX: Final = timedelta(hours=26)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody who waits for a place, since a moment."""

    id: str
    span: Span
    since: datetime


def peak(held: Iterable[Span], within: Span) -> int:
    """Give the largest number of spans that overlap at one moment within a span."""
    steps: list[tuple[datetime, int]] = []
    for one in held:
        if one.overlaps(within):
            steps += [(max(one.starts_at, within.starts_at), 1), (one.ends_at, -1)]
    highest = there = 0
    for _, step in sorted(steps):  # at one moment those who go (-1) come before those who come
        there += step
        highest = max(highest, there)
    return highest


def has_place(held: Iterable[Span], wanted: Span, capacity: int) -> bool:
    """Whether one more fits for the whole of its time."""
    return peak(held, wanted) < capacity


def promotions(waiting: Iterable[Waiting], held: Iterable[Span], capacity: int) -> list[str]:
    """Give who of those that wait gets a place now, in order."""
    given: list[str] = []
    taken = sorted(held, key=_begin)
    for one in sorted(waiting, key=lambda each: (each.since, each.id)):
        if has_place(_near(taken, one.span), one.span, capacity):
            given.append(one.id)
            insort(taken, one.span, key=_begin)
    return given


def too_many(held: Iterable[Span], capacity: int) -> list[datetime]:
    """Give the moments from which on more hold a place than `capacity`, in order, each once."""
    steps: list[tuple[datetime, int]] = []
    for one in held:
        steps += [(one.starts_at, 1), (one.ends_at, -1)]
    found: list[datetime] = []
    there = 0
    for moment, step in sorted(steps):
        there += step
        if step > 0 and there > capacity and moment not in found[-1:]:
            found.append(moment)
    return found


def _near(ordered: list[Span], span: Span) -> list[Span]:
    """Those of some spans, ordered by their begin, that can overlap a span: none is longer than `SPAN_MAX`."""
    first = bisect_left(ordered, span.starts_at - SPAN_MAX, key=_begin)
    return ordered[first : bisect_left(ordered, span.ends_at, key=_begin)]


def _begin(span: Span) -> datetime:
    return span.starts_at
