"""The roll-call on paper: a plain text that any printer takes; `sheets.py` keeps it."""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Final

from kiosk.services.moments import clock_words, day_words
from kiosk.services.people import NO_ROOM
from kiosk.services.rollcalls import RollLine, RollState, RollView
from sync.presence import Group

WIDTH: Final = 78
MAY_BE_CUT_OFF: Final = "A silent desk may be cut off."
_BOX: Final = {
    RollState.TO_DO: "[ ]",
    RollState.MISSING: "[!]",
    RollState.SAFE: "[x]",
    RollState.ELSEWHERE: "[>]",
}
GROUP_WORDS: Final = {Group.CHILD: "child", Group.STAFF: "staff", Group.VISITOR: "visitor"}


class Place:
    """Whose list it is, and where: for the head of the sheet and for every time on it."""

    def __init__(self, center_name: str, device_name: str, time_zone: str) -> None:
        self.center_name = center_name
        self.device_name = device_name
        self.time_zone = time_zone

    def clock(self, at_ms: int | None) -> str:
        """`07:41` by the centre's clocks."""
        return clock_words(at_ms, self.time_zone)


def sheet(view: RollView, place: Place, now_ms: int) -> str:
    """The whole list as lines of at most 78 characters; who is missing, or not accounted for, comes first."""
    return "\n".join([*_head(view, place, now_ms), *_open(view, place), *_rooms(view, place), ""])


def count_words(view: RollView) -> str:
    """The counts in one line, the worst first."""
    parts = [f"{view.count(state)} {state.value}" for state in (RollState.MISSING, RollState.TO_DO, RollState.SAFE)]
    if elsewhere := view.count(RollState.ELSEWHERE):
        parts.append(f"{elsewhere} elsewhere")
    return f"{', '.join(parts)}; {len(view.lines)} on the list"


def stage_words(view: RollView, place: Place) -> str:
    """Where the roll-call stands."""
    if view.started_at_ms is None:
        return "Not begun"
    begun = f"Begun {place.clock(view.started_at_ms)}"
    if view.started_by:
        begun += f" by {view.started_by}"
    return f"{begun}, goes on" if view.goes_on else f"{begun}, ended {place.clock(view.ended_at_ms)}"


def heard_words(
    view: RollView, place: Place, now_ms: int, fits: Callable[[str], bool] = lambda _: True
) -> tuple[str, str]:
    """What this list can know, and what it cannot: of this desk, and of the others.

    Where a line does not fit, names give way and warnings stay: first that of this desk, then those of the desks that
    were heard last.
    """
    names = (place.device_name, "this desk")
    first = _first_that_fits((_own_words(view, place, now_ms, name) for name in names), fits)
    if not view.desks:
        return first, "No other desk has written anything lately."
    return first, _first_that_fits(_desks_words(view, place), fits)


def _own_words(view: RollView, place: Place, now_ms: int, name: str) -> str:
    own = f"Complete to {place.clock(now_ms)} from {name}"
    if view.is_current:
        return f"{own}; the server is heard now."
    if view.as_of_ms is None:
        return f"{own}; this desk has never heard the server."
    return f"{own}; entries of other desks since {place.clock(view.as_of_ms)} are NOT here."


def _desks_words(view: RollView, place: Place) -> Iterator[str]:
    """All other desks, the last heard first; then ever fewer, the longest silent first; then none by name."""
    said = [f"{desk.name} {place.clock(desk.at_ms)}" for desk in view.desks]
    yield f"Last entry elsewhere: {', '.join(said)}. {MAY_BE_CUT_OFF}"
    silent = said[::-1]
    for count in range(len(said) - 1, 0, -1):
        yield f"Longest silent: {', '.join(silent[:count])}, {len(said) - count} later. {MAY_BE_CUT_OFF}"
    since = place.clock(view.desks[-1].at_ms)
    yield f"{len(said)} other desks, one silent since {since}!"


def _first_that_fits(candidates: Iterable[str], fits: Callable[[str], bool]) -> str:
    """The first of these that fits, or the last of them, which is the shortest."""
    words = ""
    for words in candidates:
        if fits(words):
            break
    return words


def brief_words(line: RollLine, place: Place) -> str:
    """When and where the last word was said, for a line that shows the word itself."""
    last = [f"{place.clock(word.at_ms)} {word.desk}" for word in line.words[-1:]]
    return "; ".join([*last, *_remarks(line, place)])


def line_words(line: RollLine, place: Place) -> str:
    """What is said of somebody, by whom and when, and what else should be known."""
    said = line.words if line.is_disagreed else line.words[-1:]
    parts = [f"{word.state.value} {place.clock(word.at_ms)} {word.desk}" for word in said]
    return "; ".join([*parts, *_remarks(line, place)])


def _remarks(line: RollLine, place: Place) -> Iterator[str]:
    if line.left_at_ms is not None:
        yield f"checked out {place.clock(line.left_at_ms)}"
    elif line.is_unlisted:
        yield "was on no list"


def _head(view: RollView, place: Place, now_ms: int) -> list[str]:
    lines = [
        f"ROLL CALL  {place.center_name}",
        f"Printed {day_words(now_ms, place.time_zone)} by {place.device_name}",
        f"{stage_words(view, place)}.",
        f"{count_words(view)}.",
        *heard_words(view, place, now_ms),
    ]
    wrapped = [piece for line in lines for piece in _wrapped(line)]
    return [*wrapped, "[x] safe   [>] elsewhere, known where   [!] MISSING   [ ] not yet", "=" * WIDTH]


def _open(view: RollView, place: Place) -> Iterator[str]:
    """Those who are to be looked for."""
    wanted = [line for state in (RollState.MISSING, RollState.TO_DO) for line in view.lines if line.state is state]
    if view.started_at_ms is None or not wanted:
        return
    yield f"TO BE FOUND ({len(wanted)})"
    for line in wanted:
        yield from _row(line, place, line.person.room_name or NO_ROOM)
    yield ""


def _rooms(view: RollView, place: Place) -> Iterator[str]:
    for room_name, lines in groupby(view.lines, key=lambda line: line.person.room_name or NO_ROOM):
        there = list(lines)
        yield f"{room_name} ({len(there)})"
        for line in there:
            yield from _row(line, place, GROUP_WORDS[line.person.group])
        yield ""


def _row(line: RollLine, place: Place, what: str) -> Iterator[str]:
    yield f"{_BOX[line.state]} {line.person.listed_within(44):<44} {what[:28]}".rstrip()
    for words in (line_words(line, place), line.person.note):
        if words:
            yield from (f"      {piece}" for piece in _wrapped(words, WIDTH - 6))


def _wrapped(text: str, width: int = WIDTH) -> Iterator[str]:
    row = ""
    for word in text.split():
        if row and len(row) + 1 + len(word) > width:
            yield row
            row = ""
        row = f"{row} {word}".strip()
        while len(row) > width:
            yield row[:width]
            row = row[width:]
    if row:
        yield row
