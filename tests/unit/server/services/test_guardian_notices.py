"""Which mails a guardian gets, and that what is old is not told as news."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

from server.repositories.notices import Hearer
from server.schemas.my_notifications import NoticeKind
from server.services.guardian_notices import CHOICES, Frame, Notice, mails_of, notice_of
from server.services.webhook_messages import Message

NOW = datetime(2026, 9, 21, 14, 13, tzinfo=UTC)
FRAME = Frame("c", "Elm Lane", ZoneInfo("Europe/Lisbon"), "https://rollcall.example.org")
MOTHER = Hearer("u", "mother@example.org", "child", frozenset({"checked_in", "booking"}))


def came(minutes_ago: float, key: str = "e", child: str = "child", choice: str = "checked_in") -> Notice:
    return Notice(key, choice, child, NOW - timedelta(minutes=minutes_ago), CHOICES[choice])


def message(kind: str, **data: Any) -> Message:
    return Message("m", kind, json.dumps({"type": kind, "timestamp": "2026-09-21T14:00:00Z", "data": data}).encode())


def test_the_choices_are_those_of_the_api() -> None:
    assert tuple(CHOICES) == get_args(NoticeKind)


def test_news_is_a_mail_each_and_says_when_by_the_clock_of_the_centre() -> None:
    (mail,) = mails_of(FRAME, MOTHER, [came(5)], NOW)
    assert (mail.recipient, mail.user_id, mail.child_id) == ("mother@example.org", "u", "child")
    assert mail.subject == "Elm Lane: A child of yours was checked in"
    assert "2026-09-21 15:08: A child of yours was checked in." in mail.body
    assert "no network" not in mail.body
    assert mails_of(FRAME, MOTHER, [came(5)], NOW + timedelta(minutes=1))[0].dedupe_key == mail.dedupe_key


def test_what_is_old_is_one_summary_however_much_it_is() -> None:
    days = [came(60 * hours, key=str(hours)) for hours in range(2, 100)]
    mails = mails_of(FRAME, MOTHER, [*days, came(1)], NOW)
    assert [one.subject for one in mails] == [
        "Elm Lane: A child of yours was checked in", "Elm Lane: What was recorded earlier about a child of yours",
    ]  # fmt: skip
    assert "- and 48 more" in mails[1].body
    assert "this is not of now" in mails[1].body
    assert "2026-09-17 12:13" in mails[1].body
    # Much at once is no row of mails either.
    assert len(mails_of(FRAME, MOTHER, [came(one, key=str(one)) for one in range(4)], NOW)) == 1


def test_an_hour_is_where_news_ends() -> None:
    for minutes, subject in ((59.9, "was checked in"), (60, "recorded earlier")):
        (mail,) = mails_of(FRAME, MOTHER, [came(minutes)], NOW)
        assert subject in mail.subject


def test_nobody_hears_of_another_child_or_of_what_was_not_chosen() -> None:
    assert mails_of(FRAME, MOTHER, [came(1, child="other"), came(1, choice="pickups")], NOW) == []


def test_only_what_can_be_chosen_is_told() -> None:
    found = notice_of(
        message("attendance.checked_in", child_id="child", event_id="e", occurred_at="2026-09-21T07:00:00Z")
    )
    assert found is not None
    assert (found.key, found.at.hour) == ("e", 7)
    booked = notice_of(message("booking.changed", child_id="child", status="confirmed", day="2026-10-05"))
    assert booked is not None
    assert booked.words == "A booking for a child of yours on 2026-10-05 is confirmed"
    for nothing in (
        message("booking.changed", child_id="child", status="attended", day="2026-10-05"),
        message("attendance.moved", child_id="child"),
        message("pickup.changed", pickup_id="p"),
    ):
        assert notice_of(nothing) is None
