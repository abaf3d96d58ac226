"""Who may collect a child on which day, as the desk's records say."""

import pytest

from kiosk.services.knowledge import Knowledge
from kiosk.services.roster import collectors, is_blocked
from kiosk.store.records import StoredRecord
from sync.records import REFERENCE_BUCKET, AdultRecord, Entity, PickupRecord, encode_record
from tests.support.kiosk import CHILD_ID, uuid_of

GRANDMA = uuid_of(71)
DEVICE_ID = uuid_of(72)


def stored(entity: Entity, entity_id: str, record: AdultRecord | PickupRecord) -> StoredRecord:
    return StoredRecord(REFERENCE_BUCKET, entity, entity_id, 1, encode_record(record).decode())


def status_on(today: str, *pickups: PickupRecord) -> tuple[str, bool]:
    """The one collector's status, and whether it stops a release."""
    records = [stored(Entity.ADULT, GRANDMA, AdultRecord(given_name="Rosa", family_name="Lima"))]
    records += [stored(Entity.PICKUP, uuid_of(80 + number), pickup) for number, pickup in enumerate(pickups)]
    (found,) = collectors(knowledge_of(records), CHILD_ID, today)
    return found.status, is_blocked(found)


def knowledge_of(records: list[StoredRecord]) -> Knowledge:
    knowledge = Knowledge(DEVICE_ID)
    knowledge.load(1, records, [])
    return knowledge


def pickup(status: str, valid_from: str = "", valid_to: str = "") -> PickupRecord:
    return PickupRecord(child_id=CHILD_ID, adult_id=GRANDMA, status=status, valid_from=valid_from, valid_to=valid_to)


@pytest.mark.parametrize("status", ["authorised", "temporary"])
@pytest.mark.parametrize(
    ("today", "may_collect"),
    [("2026-11-22", False), ("2026-11-23", True), ("2026-11-25", True), ("2026-11-26", False)],
)
def test_a_permission_counts_from_its_first_day_to_its_last(status: str, today: str, *, may_collect: bool) -> None:
    found = status_on(today, pickup(status, "2026-11-23", "2026-11-25"))
    assert found == ((status, False) if may_collect else ("not_today", True))


def test_a_permission_without_dates_counts_always() -> None:
    assert status_on("2099-12-31", pickup("authorised")) == ("authorised", False)


@pytest.mark.parametrize("today", ["2026-11-22", "2026-11-26"])
def test_a_refusal_holds_whatever_its_dates_say(today: str) -> None:
    assert status_on(today, pickup("not_authorised", "2026-11-23", "2026-11-25")) == ("not_authorised", True)


def test_a_refusal_wins_over_a_permission() -> None:
    assert status_on("2026-11-23", pickup("authorised"), pickup("not_authorised")) == ("not_authorised", True)
    assert status_on("2026-11-23", pickup("not_authorised"), pickup("authorised")) == ("not_authorised", True)


def test_a_status_that_nobody_here_knows_is_no_permission() -> None:
    assert status_on("2026-11-23", pickup("on_weekdays_of_newer_servers")) == (
        "on_weekdays_of_newer_servers",
        True,
    )
