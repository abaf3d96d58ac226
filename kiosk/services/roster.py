"""Today's roster: who is in, out or not here yet, how sure that is, and how to find a child by name."""

import functools
import unicodedata
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from kiosk.messages import Mark, Presence
from kiosk.services.children import all_children, child_of, is_known, listed_name, without_file
from kiosk.services.errors import DeskError
from kiosk.services.knowledge import Knowledge
from sync.attendance import ChildAttendance, FindingKind, Stay
from sync.journal import Outcome
from sync.records import DAY_BUCKET_PREFIX, AlertRecord, ChildRecord, PickupRecord, bucket_of_day
from sync.resemblance import NAMES_KEPT, folded_words

MAY_COLLECT: Final = frozenset({"authorised", "temporary"})
NOT_TODAY: Final = "not_today"
"""The status of an adult who may collect, but only on other days."""

Span = tuple[int, int]
"""First and first-after millisecond (UTC) of a centre's calendar day."""


@dataclass(frozen=True)
class RosterLine:
    """One child of today's roster; `since_ms` says since when it is in or out (UTC ms since 1970).

    `findings` are what a person must settle about today. `absence` is why a child that has not come is announced not to
    (`sick` and so on); empty: it is not announced. `is_on_file`: the centre has a record of the child.
    """

    child_id: str
    given_name: str
    family_name: str
    display_name: str
    room_id: str
    room_name: str
    status: Presence
    since_ms: int | None
    mark: Mark
    last_event_id: str
    alerts: tuple[AlertRecord, ...]
    findings: tuple[FindingKind, ...] = ()
    absence: str = ""
    is_on_file: bool = True

    @property
    def listed_name(self) -> str:
        """The name as lists show it: with the words beside it for a child who is not on file."""
        return listed_name(self.display_name, is_on_file=self.is_on_file)


@dataclass(frozen=True)
class Collector:
    """An adult who may, or expressly may not, collect a child."""

    adult_id: str
    name: str
    relationship: str
    status: str
    phone: str


@dataclass(frozen=True)
class Standing:
    """How a child stands today."""

    status: Presence
    since_ms: int | None
    mark: Mark
    last_event_id: str
    findings: tuple[FindingKind, ...] = ()
    absence: str = ""


def standing(knowledge: Knowledge, child_id: str, today: Span) -> Standing:
    """How a child stands by everything known."""
    attendance = knowledge.attendance(child_id)
    stay = _stay_of_today(attendance, today)
    orders = [order for order in knowledge.orders(child_id) if _within(order[0], today)]
    current = {order[-1] for order in orders} | ({_began(attendance.open_stay)} - {""})
    findings = tuple(dict.fromkeys(one.kind for one in attendance.findings if not current.isdisjoint(one.event_ids)))
    mark = _mark(knowledge, child_id, today, current, has_findings=bool(findings))
    last = max(orders)[-1] if orders else _began(stay)
    if stay is None:
        absence = _absence(knowledge.children.get(child_id), attendance, today, knowledge.center.time_zone)
        return Standing(Presence.NOT_ARRIVED, None, mark, last, findings, absence)
    if stay.is_open:
        return Standing(Presence.IN, stay.started_at_ms, mark, last, findings)
    return Standing(Presence.OUT, stay.ended_at_ms, mark, last, findings)


def _absence(child: ChildRecord | None, attendance: ChildAttendance, today: Span, time_zone: str) -> str:
    """Why a child is announced not to come today; what began last says most, and what an arrival ended says nothing."""
    announced = () if child is None else child.absences or ()
    day = bucket_of_day(today[0], time_zone).removeprefix(DAY_BUCKET_PREFIX) if announced else ""
    return next(
        (
            one.kind
            for one in reversed(announced)
            if one.first_day <= day <= one.last_day and one.absence_id not in attendance.ended_absences
        ),
        "",
    )


def _stay_of_today(attendance: ChildAttendance, today: Span) -> Stay | None:
    """The stay that goes on, or the last one that ended today."""
    last = attendance.stays[-1] if attendance.stays else None
    if last is None or last.is_open:
        return last
    return last if _within(last.ended_at_ms or 0, today) else None


def _mark(knowledge: Knowledge, child_id: str, today: Span, current: AbstractSet[str], *, has_findings: bool) -> Mark:
    own = knowledge.newest_own(child_id)
    if own is not None and own.outcome is None:
        return Mark.RECORDED
    if own is not None and own.outcome is Outcome.PARKED and _within(own.recorded_at_ms, today):
        return Mark.NEEDS_REVIEW
    if not current.isdisjoint(knowledge.witnessed.unanswered(child_id)):
        return Mark.RECORDED
    if has_findings:
        return Mark.NEEDS_REVIEW
    return Mark.CONFIRMED if current else Mark.NONE


def _began(stay: Stay | None) -> str:
    """The event that began a stay; empty when nobody saw it, or there is no stay."""
    return stay.check_in.event.event_id if stay is not None and stay.check_in is not None else ""


def _within(at_ms: int, span: Span) -> bool:
    return span[0] <= at_ms < span[1]


def line_of(knowledge: Knowledge, child_id: str, today: Span) -> RosterLine:
    """The roster line of a child that is known here, on file or not."""
    child = child_of(knowledge, child_id)
    stand = standing(knowledge, child_id, today)
    room_id = room_now(knowledge, child_id)
    room = knowledge.rooms.get(room_id)
    return RosterLine(
        child_id=child_id,
        given_name=child.given_name,
        family_name=child.family_name,
        display_name=child.display_name,
        room_id=room_id,
        room_name=room.name if room else "",
        status=stand.status,
        since_ms=stand.since_ms,
        mark=stand.mark,
        last_event_id=stand.last_event_id,
        alerts=child.alerts,
        findings=stand.findings,
        absence=stand.absence,
        is_on_file=child.is_on_file,
    )


def room_now(knowledge: Knowledge, child_id: str) -> str:
    """The room where a child is, and for one who is not in its home room; empty when nobody said."""
    stay = knowledge.attendance(child_id).open_stay
    return (stay.room_id if stay else "") or child_of(knowledge, child_id).home_room_id


def roster(knowledge: Knowledge, today: Span) -> tuple[RosterLine, ...]:
    """All enrolled children, and whoever else is in or has been here today, by room and name.

    A child is listed before its first day too: whoever stands at the door is taken in, and a person sees the finding.
    One who is not on file is listed like any other while it is in, and for the rest of the day.
    """
    day = bucket_of_day(today[0], knowledge.center.time_zone).removeprefix(DAY_BUCKET_PREFIX)
    lines = (line_of(knowledge, child_id, today) for child_id in all_children(knowledge))
    shown = [line for line in lines if line.status is Presence.IN or _is_listed(knowledge, line, day)]
    return tuple(sorted(shown, key=lambda line: _order(knowledge, line)))


def _is_listed(knowledge: Knowledge, line: RosterLine, day: str) -> bool:
    """Whether a child that is not in is on the roster of a day (YYYY-MM-DD): it has not left for good.

    Nobody waits for one who is not on file: it was here today, or what was entered of it needs a person.
    """
    child = knowledge.children.get(line.child_id)
    if child is None:
        return line.status is Presence.OUT or line.mark is Mark.NEEDS_REVIEW
    return child.enrolled and (line.status is Presence.OUT or not child.enrolled_to or day <= child.enrolled_to)


def needs_review(knowledge: Knowledge, child_id: str, today: Span) -> bool:
    """Whether a person should look at a child who is on the roster."""
    if _is_beyond_doubt(knowledge, child_id) or not is_known(knowledge, child_id):
        return False
    child, stand = knowledge.children.get(child_id), standing(knowledge, child_id, today)
    return stand.mark is Mark.NEEDS_REVIEW and (child is None or child.enrolled or stand.status is Presence.IN)


def _is_beyond_doubt(knowledge: Knowledge, child_id: str) -> bool:
    """Whether the mark of a child cannot be that it needs review, whatever the day: seen without looking at its day.

    That is so of nearly every child, and asked of each of whom something is learnt.
    """
    own = knowledge.newest_own(child_id)
    if own is not None and own.outcome is None:
        return True
    is_parked = own is not None and own.outcome is Outcome.PARKED
    return not is_parked and not knowledge.attendance(child_id).findings


def _order(knowledge: Knowledge, line: RosterLine) -> tuple[int, str, tuple[str, ...], tuple[str, ...], str]:
    room = knowledge.rooms.get(line.room_id)
    sort = room.sort if room else 2**31
    return (
        sort,
        line.room_name,
        folded_words(line.family_name),
        folded_words(line.given_name),
        line.child_id,
    )


def search(lines: Sequence[RosterLine], text: str) -> tuple[RosterLine, ...]:
    """The lines whose names hold every word of `text`; those where each begins a word come first."""
    words = folded_words(text)
    if not words:
        return tuple(lines)
    begins: list[RosterLine] = []
    holds: list[RosterLine] = []
    for line in lines:
        names = _spaced_names(f"{line.display_name} {line.given_name} {line.family_name}")
        if all(word in names for word in words):
            is_begun = all(f" {word}" in names for word in words)
            (begins if is_begun else holds).append(line)
    return (*begins, *holds)


@functools.lru_cache(maxsize=NAMES_KEPT)
def _spaced_names(names: str) -> str:
    """The words as they are searched for, a space before each: what holds ` a` has a word that begins with a."""
    return "".join(f" {word}" for word in folded_words(names))


def find_by_name(knowledge: Knowledge, name: str) -> str:
    """The child with exactly this name: given or preferred name, and family name; case does not matter.

    A child who is not on file is found by its provisional name while it is in.

    Raises:
        DeskError: unknown_child or ambiguous_name.

    """
    wanted = _exact(name)
    found = [child_id for child_id, child in knowledge.children.items() if wanted in _names(child)]
    found += [child_id for child_id in without_file(knowledge) if _is_in_as(knowledge, child_id, wanted)]
    if not found:
        raise DeskError("unknown_child", "No child with this name is on the roster; check the spelling or search.")
    if len(found) > 1:
        raise DeskError("ambiguous_name", f"{len(found)} children have this name; use the child's id.")
    return found[0]


def _is_in_as(knowledge: Knowledge, child_id: str, wanted: str) -> bool:
    is_in = knowledge.attendance(child_id).open_stay is not None
    return is_in and wanted == _exact(child_of(knowledge, child_id).display_name)


def _names(child: ChildRecord) -> frozenset[str]:
    given = {child.given_name, child.preferred_name} - {""}
    return frozenset(_exact(f"{name} {child.family_name}") for name in given)


def _exact(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def collectors(knowledge: Knowledge, child_id: str, today: str) -> tuple[Collector, ...]:
    """Everybody with a pick-up record for this child, blocked ones last; a refusal always wins.

    `today` is the centre's date (YYYY-MM-DD): who may collect on other days only is shown as such, and blocked.
    """
    strictest: dict[str, Collector] = {}
    for pickup in knowledge.pickups.values():
        if pickup.child_id != child_id:
            continue
        adult = knowledge.adults.get(pickup.adult_id)
        name = f"{adult.given_name} {adult.family_name}".strip() if adult else ""
        found = Collector(
            adult_id=pickup.adult_id,
            name=name,
            relationship=pickup.relationship,
            status=_status_on(pickup, today),
            phone=adult.phone if adult else "",
        )
        known = strictest.get(pickup.adult_id)
        if known is None or (is_blocked(found) and not is_blocked(known)):
            strictest[pickup.adult_id] = found
    return tuple(sorted(strictest.values(), key=lambda one: (is_blocked(one), one.name, one.adult_id)))


def is_blocked(collector: Collector) -> bool:
    """Whether this adult must not collect the child today; a status that nobody here knows is no permission."""
    return collector.status not in MAY_COLLECT


def _status_on(pickup: PickupRecord, today: str) -> str:
    """ISO dates compare as texts. A refusal holds whatever its dates say."""
    may_collect = pickup.status in MAY_COLLECT
    begins_later = bool(pickup.valid_from) and today < pickup.valid_from
    has_ended = bool(pickup.valid_to) and today > pickup.valid_to
    return NOT_TODAY if may_collect and (begins_later or has_ended) else pickup.status
