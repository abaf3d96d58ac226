"""A desk finds what the server finds: it judges events by the same dated records."""

import msgspec
import pytest

from kiosk.messages import Mark
from kiosk.services.knowledge import Knowledge
from kiosk.services.roster import line_of, roster, standing
from kiosk.store.records import StoredRecord
from kiosk.widgets.wording import FINDING_WORDS, notes_text, status_text
from sync.attendance import EventKind, FindingKind
from sync.change_log import Change, Operation
from sync.records import (
    AbsenceRecord,
    AlertRecord,
    CenterRecord,
    ChildRecord,
    ClosureRecord,
    Entity,
    PickupRecord,
    StaffRecord,
    StatusChange,
    encode_record,
)
from tests.support.kiosk import CHILD_ID, NOON_MS, event_of, uuid_of
from tests.unit.kiosk.services.own_entries import TODAY
from tests.unit.kiosk.services.test_knowledge_kinds import record_of

ADULT, PICKUP, CENTER = uuid_of(0xAD), uuid_of(0xB0), uuid_of(0xC0)
PLAIN = CenterRecord(code="elm", name="Elm", time_zone="UTC")
MAY = PickupRecord(child_id=CHILD_ID, adult_id=ADULT, status="authorised")
BLOCKED = msgspec.structs.replace(
    MAY,
    status="suspended",
    history=(
        StatusChange(since_ms=0, status="authorised"),
        StatusChange(since_ms=NOON_MS - 60_000, status="suspended"),
    ),
)


def stored(entity: Entity, entity_id: str, record: msgspec.Struct, version: int = 1) -> StoredRecord:
    return StoredRecord("reference", entity, entity_id, version, encode_record(record).decode())


def change(entity: Entity, entity_id: str, record: msgspec.Struct | None) -> Change:
    body = b"" if record is None else encode_record(record)
    operation = Operation.REMOVE if record is None else Operation.PUT
    return Change(9, "reference", entity, entity_id, operation, body, b"", b"", True)


@pytest.fixture
def knowledge() -> Knowledge:
    """A desk that knows a child, who may collect it, and a day on which that adult collected it."""
    came, left = event_of(1), msgspec.structs.replace(event_of(2), kind=EventKind.CHECK_OUT, adult_id=ADULT)
    known = Knowledge("device")
    records = [stored(Entity.CENTER, CENTER, PLAIN), stored(Entity.PICKUP, PICKUP, MAY)]
    known.load(4, [*records, record_of(came, 1), record_of(left, 2)], ())
    return known


def found(knowledge: Knowledge) -> list[str]:
    return [finding.kind.value for finding in knowledge.attendance(CHILD_ID).findings]


def test_a_block_that_comes_later_with_its_moment_marks_the_release_that_came_after_it(knowledge: Knowledge) -> None:
    assert found(knowledge) == []
    assert standing(knowledge, CHILD_ID, TODAY).mark is Mark.CONFIRMED
    knowledge.apply(5, [change(Entity.PICKUP, PICKUP, BLOCKED)])
    assert found(knowledge) == ["released_on_stale_authorisation"]
    assert standing(knowledge, CHILD_ID, TODAY).mark is Mark.NEEDS_REVIEW
    assert CHILD_ID in knowledge.take_stirred()
    knowledge.apply(6, [change(Entity.PICKUP, PICKUP, None)])
    assert found(knowledge) == []


def test_a_closure_is_found_and_taken_back(knowledge: Knowledge) -> None:
    day = ClosureRecord(first_day="2026-09-21", last_day="2026-09-21")
    knowledge.apply(5, [change(Entity.CENTER, CENTER, msgspec.structs.replace(PLAIN, closures=(day,)))])
    assert found(knowledge) == ["presence_on_closure"]
    knowledge.apply(6, [change(Entity.CENTER, CENTER, PLAIN)])
    assert found(knowledge) == []


def test_what_the_server_got_before_it_happened_is_doubted(knowledge: Knowledge) -> None:
    ahead = msgspec.structs.replace(event_of(3), occurred_at_ms=NOON_MS + 120_000, recorded_at_ms=NOON_MS + 120_000)
    knowledge.load(5, [stored(Entity.CENTER, CENTER, PLAIN), record_of(ahead, 3)], ())
    assert found(knowledge) == ["time_uncertain"]


def test_a_pick_up_that_goes_to_another_child_says_nothing_of_the_first(knowledge: Knowledge) -> None:
    knowledge.apply(5, [change(Entity.PICKUP, PICKUP, BLOCKED)])
    other = msgspec.structs.replace(BLOCKED, child_id=uuid_of(0xEE))
    knowledge.apply(6, [change(Entity.PICKUP, PICKUP, other)])
    assert found(knowledge) == []


def test_a_new_beginning_forgets_what_was_known(knowledge: Knowledge) -> None:
    knowledge.apply(5, [change(Entity.PICKUP, PICKUP, BLOCKED)])
    knowledge.load(6, [stored(Entity.CENTER, CENTER, PLAIN)], ())
    knowledge.apply(7, [change(Entity.PICKUP, PICKUP, None)])
    assert found(knowledge) == []


def test_a_roster_line_says_what_a_person_must_settle_behind_its_alerts(knowledge: Knowledge) -> None:
    alert = AlertRecord(kind="allergy", severity="critical", text="Peanuts")
    child = ChildRecord(given_name="Ada", family_name="Byron", alerts=(alert,))
    knowledge.apply(5, [change(Entity.PICKUP, PICKUP, BLOCKED), change(Entity.CHILD, CHILD_ID, child)])
    line = line_of(knowledge, CHILD_ID, TODAY)
    assert line.findings == (FindingKind.RELEASED_ON_STALE_AUTHORISATION,)
    assert notes_text(line) == "Peanuts; ! given to somebody not allowed"


ADA = ChildRecord(given_name="Ada", family_name="Byron")
ILL = AbsenceRecord(absence_id=uuid_of(0xAB), first_day="2026-09-20", last_day="2026-09-22", kind="sick")


def test_a_member_of_staff_who_had_left_is_found_and_taken_back(knowledge: Knowledge) -> None:
    ruth = StaffRecord(given_name="Ruth", family_name="Appiah", role="educator")
    attested = msgspec.structs.replace(event_of(3), staff_id=ADULT)
    records = [stored(Entity.CENTER, CENTER, PLAIN), stored(Entity.STAFF, ADULT, ruth), record_of(attested, 3)]
    knowledge.load(5, records, ())
    assert found(knowledge) == []
    gone = msgspec.structs.replace(ruth, employed_to="2026-09-20")
    knowledge.apply(6, [change(Entity.STAFF, ADULT, gone)])
    assert found(knowledge) == ["actor_not_entitled"]
    renamed = msgspec.structs.replace(gone, family_name="Owusu")
    knowledge.take_stirred()
    knowledge.apply(7, [change(Entity.STAFF, ADULT, renamed)])
    assert knowledge.take_stirred() == set()
    knowledge.apply(8, [change(Entity.CENTER, CENTER, msgspec.structs.replace(PLAIN, time_zone="Pacific/Pago_Pago"))])
    assert found(knowledge) == ["actor_not_entitled"]
    knowledge.apply(9, [change(Entity.STAFF, ADULT, None)])
    assert found(knowledge) == []


def test_what_came_before_the_first_day_of_a_child_is_uncertain_once_the_desk_knows_the_day(
    knowledge: Knowledge,
) -> None:
    knowledge.apply(5, [change(Entity.CHILD, CHILD_ID, msgspec.structs.replace(ADA, enrolled_from="2026-09-22"))])
    assert found(knowledge) == ["time_uncertain", "time_uncertain"]
    knowledge.apply(6, [change(Entity.CHILD, CHILD_ID, ADA)])
    assert found(knowledge) == []


def test_a_child_that_is_announced_is_absent_until_it_comes() -> None:
    known = Knowledge("device")
    child = msgspec.structs.replace(ADA, absences=(ILL,))
    known.load(4, [stored(Entity.CENTER, CENTER, PLAIN), stored(Entity.CHILD, CHILD_ID, child)], ())
    line = line_of(known, CHILD_ID, TODAY)
    assert (line.absence, status_text(line), notes_text(line)) == ("sick", "– Absent", "absent today (sick)")
    over = msgspec.structs.replace(child, absences=(msgspec.structs.replace(ILL, last_day="2026-09-20"),))
    later = msgspec.structs.replace(ILL, absence_id=uuid_of(0xAC), first_day="2026-09-21", kind="strike")
    known.apply(5, [change(Entity.CHILD, CHILD_ID, over)])
    assert line_of(known, CHILD_ID, TODAY).absence == ""
    known.apply(6, [change(Entity.CHILD, CHILD_ID, msgspec.structs.replace(child, absences=(ILL, later)))])
    assert notes_text(line_of(known, CHILD_ID, TODAY)) == "absent today (announced)"
    came, left = event_of(1), msgspec.structs.replace(event_of(2), kind=EventKind.CHECK_OUT)
    records = [stored(Entity.CENTER, CENTER, PLAIN), stored(Entity.CHILD, CHILD_ID, child)]
    known.load(7, [*records, record_of(came, 6), record_of(left, 7)], ())
    assert line_of(known, CHILD_ID, TODAY).absence == ""
    assert known.attendance(CHILD_ID).ended_absences == (ILL.absence_id,)
    tomorrow = (TODAY[1], TODAY[1] + TODAY[1] - TODAY[0])
    assert line_of(known, CHILD_ID, tomorrow).absence == ""


def test_a_child_that_left_for_good_is_on_no_roster_after_its_last_day(knowledge: Knowledge) -> None:
    for last_day, listed in (("2026-09-21", 1), ("2026-09-20", 1)):
        gone = msgspec.structs.replace(ADA, enrolled_to=last_day)
        knowledge.apply(5, [change(Entity.CHILD, CHILD_ID, gone)])
        assert len(roster(knowledge, TODAY)) == listed
    next_day = (TODAY[1], TODAY[1] + TODAY[1] - TODAY[0])
    assert roster(knowledge, next_day) == ()


def test_every_finding_has_words_that_fit_their_column() -> None:
    assert FINDING_WORDS.keys() == set(FindingKind)
    assert all(len(words) <= 30 for words in FINDING_WORDS.values())
