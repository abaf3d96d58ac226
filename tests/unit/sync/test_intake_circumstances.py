"""What an intake knows beside the facts: who may collect, when the server got what, and what it can be asked for."""

import msgspec

from sync.attendance import EventKind
from sync.circumstances import NOTHING_KNOWN
from sync.intake import Decision, Intake, Origin, StoredFact
from sync.journal import Outcome
from sync.records import CenterRecord, ChildRecord, PickupRecord, StaffRecord, StatusChange
from sync.reference import employment
from tests.unit.sync.builders import CENTER, DEVICE, at_ms, came, draft, event, uuid_of
from tests.unit.sync.test_intake import entry_of

ADULT = uuid_of(0xAD)
CHILD = event(1).child_id
BLOCKED = PickupRecord(
    child_id=CHILD,
    adult_id=ADULT,
    status="suspended",
    history=(StatusChange(since_ms=0, status="authorised"), StatusChange(since_ms=at_ms(30), status="suspended")),
)


def intake(*, knows_center: bool = True) -> Intake:
    center = CenterRecord(code="elm", name="Elm", time_zone="Europe/Berlin")
    known = Intake(
        center_id=CENTER,
        time_zone="Europe/Berlin",
        head_version=40,
        known_children=[CHILD],
        stored=[StoredFact(came(1, 0), 7, received_at_ms=at_ms(1))],
        center=center if knows_center else None,
    )
    known.learn(known_children=(), stored=(), pickups={CHILD: [BLOCKED]})
    return known


def decide(known: Intake, minute: int, *, received: int = 600) -> Decision:
    left = msgspec.structs.replace(event(2, minute=minute, kind=EventKind.CHECK_OUT), adult_id=ADULT)
    origin = Origin(device_id=DEVICE, device_name="Door", is_entitled=True, received_at_ms=at_ms(received))
    return known.decide(entry_of(draft(left)), origin)


def test_a_release_after_a_block_is_a_conflict_and_one_before_it_is_none() -> None:
    assert decide(intake(), 60).outcome.outcome is Outcome.CONFLICT
    assert decide(intake(), 20).outcome.outcome is Outcome.APPLIED


def test_an_event_that_happened_after_the_server_got_it_is_a_conflict() -> None:
    assert decide(intake(), 20, received=18).outcome.outcome is Outcome.CONFLICT


def test_who_knows_no_centre_judges_nothing_by_it() -> None:
    known = intake(knows_center=False)
    assert known.circumstances(CHILD) is NOTHING_KNOWN
    assert decide(known, 60).outcome.outcome is Outcome.APPLIED


def test_facts_are_given_before_and_after_they_were_folded() -> None:
    known = intake()
    assert [fact.event.event_id for fact in known.facts(CHILD)] == [uuid_of(1)]
    decide(known, 20)
    assert [fact.event.event_id for fact in known.facts(CHILD)] == [uuid_of(1), uuid_of(2)]
    assert list(known.facts(uuid_of(0xEE))) == []
    assert known.holds(uuid_of(2))
    assert not known.holds(uuid_of(3))


def test_it_remembers_when_the_server_got_what_stood_and_what_is_new() -> None:
    known = intake()
    decide(known, 20)
    assert known.received_at_ms == {uuid_of(1): at_ms(1), uuid_of(2): at_ms(600)}


def test_days_of_the_child_and_of_the_staff_judge_what_comes() -> None:
    known = intake()
    assert decide(known, 20).outcome.outcome is Outcome.APPLIED
    early = intake()
    early.learn(
        known_children=(),
        stored=(),
        children={CHILD: ChildRecord(given_name="", family_name="", enrolled_from="2099-01-01")},
    )
    assert decide(early, 20).outcome.outcome is Outcome.CONFLICT
    member = StaffRecord(given_name="", family_name="", role="", employed_from="2099-01-01")
    left = intake()
    left.learn(known_children=(), stored=(), employed=employment({ADULT: member}, "Europe/Berlin"))
    assert left.circumstances(CHILD).employed.keys() == {ADULT}
