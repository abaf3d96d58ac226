"""Who is told of a late pick-up: who chose it and may hear it, of what is sure, with the minutes and without a name."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from server.repositories.notices import Hearer, LateStay
from server.services.guardian_notices import Frame
from server.services.late_pick_ups import mails_of
from server.services.usage import Remark, UsageKind, UsageLine

FRAME = Frame("c", "Elm Lane", ZoneInfo("Europe/Lisbon"), "https://rollcall.example.org")
ENDS = datetime(2026, 9, 21, 12, 0, tzinfo=UTC)
OWED = LateStay("c", "u", "child", "b", ENDS)
MOTHER = Hearer("u", "mother@example.org", "child", frozenset({"late_pick_up"}))


def line(*remarks: Remark, kind: UsageKind = UsageKind.LATE_PICK_UP, booking_id: str = "b") -> UsageLine:
    return UsageLine(
        kind=kind, day=date(2026, 9, 21), service_id="s", unit="minute", quantity=Decimal("31.0000"),
        attended_to=datetime(2026, 9, 21, 12, 31, tzinfo=UTC), booking_id=booking_id, remarks=remarks,
    )  # fmt: skip


def test_the_mail_says_when_and_how_late_by_the_clock_of_the_centre() -> None:
    (mail,) = mails_of(FRAME, [MOTHER], [OWED], [line()])
    assert mail.subject == "Elm Lane: A child of yours was picked up late"
    assert "- 2026-09-21 13:31: A child of yours was picked up late, 31 min after the booked end (13:00)." in mail.body
    assert (mail.recipient, mail.user_id, mail.child_id) == ("mother@example.org", "u", "child")
    assert mail.dedupe_key == "late_pick_up:u:b"
    (again,) = mails_of(FRAME, [MOTHER], [OWED], [line(Remark.NO_TERMS)])
    assert again.dedupe_key == mail.dedupe_key, "what it costs does not matter"


def test_nobody_is_told_what_is_not_sure_or_not_theirs_to_hear() -> None:
    for nothing in (
        [line(Remark.DISPUTED)], [line(Remark.ASSUMED_DEPARTURE)], [line(kind=UsageKind.ATTENDED)],
        [line(booking_id="other")], [],
    ):  # fmt: skip
        assert mails_of(FRAME, [MOTHER], [OWED], nothing) == []
    other = Hearer("u", "mother@example.org", "other", frozenset({"late_pick_up"}))
    for hearers in ([], [other], [Hearer("u", "mother@example.org", "child", frozenset({"checked_out"}))]):
        assert mails_of(FRAME, hearers, [OWED], [line()]) == []
