"""Records of all kinds beside any facts: spans of time and calendar days find the same."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from sync.attendance import Fact, fold
from sync.records import (
    AbsenceRecord,
    CenterRecord,
    ChildRecord,
    ClosureRecord,
    LockRecord,
    PickupRecord,
    StaffRecord,
    StatusChange,
)
from sync.reference import circumstances_of, employment
from tests.unit.sync.builders import CHILD, at_ms, uuid_of
from tests.unit.sync.naive_attendance import decide, shown
from tests.unit.sync.test_attendance_laws import some_facts

ADULTS = (uuid_of(0xA1), uuid_of(0xA2))
STAFF = (uuid_of(0x51), uuid_of(0x52))
# Midnight there is 17 minutes behind the first minute of the facts.
ZONE = "Australia/Darwin"
DAYS = ("2026-09-21", "2026-09-22", "2026-09-23")
STATUSES = ("authorised", "temporary", "suspended", "not_authorised")

day = st.sampled_from(DAYS)
days = st.tuples(day, day).map(sorted)
some_day = st.sampled_from(("", *DAYS))
minute = st.integers(-30, 70)


def _pickup(adult_id: str, status: str, changes: list[tuple[int, str]], valid: tuple[str, str]) -> PickupRecord:
    ordered = sorted(changes, key=lambda change: change[0])
    history = tuple(StatusChange(since_ms=at_ms(at), status=said) for at, said in ordered)
    begun = (StatusChange(since_ms=0, status=status), *history) if history else ()
    return PickupRecord(
        child_id=CHILD,
        adult_id=adult_id,
        status=ordered[-1][1] if ordered else status,
        valid_from=min(valid) if all(valid) else valid[0],
        valid_to=max(valid) if all(valid) else valid[1],
        history=begun or msgspec.UNSET,
    )


def _staff(first: str, last: str) -> StaffRecord:
    ends = sorted((first, last)) if first and last else (first, last)
    told = [one or msgspec.UNSET for one in ends]
    return StaffRecord(given_name="", family_name="", role="educator", employed_from=told[0], employed_to=told[1])


def _child(absences: list[list[str]], since: str) -> ChildRecord:
    told = tuple(
        AbsenceRecord(absence_id=uuid_of(0xB0 + number), first_day=first, last_day=last, kind="sick")
        for number, (first, last) in enumerate(absences)
    )
    return ChildRecord(
        given_name="", family_name="", absences=told or msgspec.UNSET, enrolled_from=since or msgspec.UNSET
    )


def _center(closures: list[list[str]], locks: list[tuple[list[str], int]]) -> CenterRecord:
    shut = tuple(ClosureRecord(first_day=first, last_day=last) for first, last in closures)
    stand = tuple(LockRecord(first_day=first, last_day=last, locked_at_ms=at_ms(at)) for (first, last), at in locks)
    return CenterRecord(code="", name="", time_zone=ZONE, closures=shut or msgspec.UNSET, locks=stand or msgspec.UNSET)


status = st.sampled_from(STATUSES)
change = st.tuples(minute, status)
pickups = st.lists(
    st.builds(_pickup, st.sampled_from(ADULTS), status, st.lists(change, max_size=3), st.tuples(some_day, some_day)),
    max_size=2,
    unique_by=lambda pickup: pickup.adult_id,
)
staff = st.dictionaries(st.sampled_from(STAFF), st.builds(_staff, some_day, some_day), max_size=2)
children = st.builds(_child, st.lists(days, max_size=2), some_day)
centers = st.builds(_center, st.lists(days, max_size=1), st.lists(st.tuples(days, minute), max_size=1))


def _attested(facts: list[Fact], who: list[tuple[int, int, bool]]) -> list[Fact]:
    """The same facts, with people on file beside some of them."""
    found = []
    for fact, (adult, member, is_suspect) in zip(facts, who, strict=False):
        more: dict[str, Any] = {"staff_id": ("", *STAFF)[member], "clock_suspect": is_suspect}
        if adult and fact.event.kind in ("check_out", "review_resolved"):
            more["adult_id"] = ADULTS[adult - 1]
        found.append(msgspec.structs.replace(fact, event=msgspec.structs.replace(fact.event, **more)))
    return found


@given(
    facts=some_facts(),
    who=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.booleans()), min_size=10, max_size=10),
    records=st.tuples(centers, children, pickups, staff),
    delays=st.lists(minute, min_size=10, max_size=10),
)
def test_two_reducers_find_the_same_by_any_records(
    facts: list[Fact],
    who: list[tuple[int, int, bool]],
    records: tuple[CenterRecord, ChildRecord, list[PickupRecord], dict[str, StaffRecord]],
    delays: list[int],
) -> None:
    facts = _attested(facts, who)
    center, child, allowed, members = records
    received = {
        fact.event.event_id: fact.at_ms + delay * 60_000
        for fact, delay in zip(facts, delays, strict=False)
        if delay > 0
    }
    known = circumstances_of(center, allowed, received, child=child, employed=employment(members, ZONE))
    plain = msgspec.to_builtins
    around = {
        "center": plain(center), "child": plain(child), "pickups": plain(allowed), "staff": plain(members),
        "received": received,
    }  # fmt: skip
    assert shown(fold(facts, known)) == decide(facts, around)
