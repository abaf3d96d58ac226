"""Guardians are told by mail what they chose to hear of their children; no mail names a person.

What happened is read from the change log and the noted events by position, as webhooks do, and the mails are queued in
the transaction that moves the position on: each thing is told once. What a desk without a network hands in days later
is no news: it is one summary, with the times at which it happened.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from server.core.clock import Clock
from server.repositories import center_events, notices
from server.repositories.notices import Hearer, NoticePlace
from server.repositories.unit_of_work import UnitsOfWork
from server.services import webhook_messages
from server.services.mail import Mail, Outbox
from server.services.notifications import one_line

PAGE_ROWS: Final = 200
PAGES_MAX: Final = 20  # of all centres in one run; the next run goes on
# News is what happened within the hour; somebody who reads "came" at noon must not think of now.
NEWS: Final = timedelta(hours=1)
# So much news of a child in one page is a mail each; more is a summary too.
NEWS_EACH_MAX: Final = 3
LINES_MAX: Final = 50

CHOICES: Final[dict[str, str]] = {
    "checked_in": "A child of yours was checked in",
    "checked_out": "A child of yours was checked out",
    "booking": "A booking for a child of yours changed",
    "pickups": "The list of people who may collect a child of yours changed",
    # These two are told by who finds them out: `late_pick_ups.py` and `absence_follow_up.py`.
    "late_pick_up": "A child of yours was picked up late",
    "absence_asked": "A child of yours is expected and not here",
}
_OF_KIND: Final = {
    "attendance.checked_in": "checked_in",
    "attendance.checked_out": "checked_out",
    "booking.changed": "booking",
    "pickup.changed": "pickups",
}
_OF_STATUS: Final = {
    "confirmed": "is confirmed", "waitlisted": "waits for a place", "requested": "waits for an answer",
    "declined": "was declined", "cancelled_by_parent": "was cancelled",
    "cancelled_by_centre": "was cancelled by the centre",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that can be told of a child: `choice` is who wants to hear it, `key` makes it once."""

    key: str
    choice: str
    child_id: str
    at: datetime
    words: str


class GuardianNotices:
    """Tells guardians. `run` is a job, and may be run by hand."""

    def __init__(self, units: UnitsOfWork, outbox: Outbox, clock: Clock, base_url: str) -> None:
        """Queue into `outbox`; links begin with `base_url`."""
        self._units = units
        self._outbox = outbox
        self._clock = clock
        self._base_url = base_url

    async def run(self) -> int:
        """Queue what is to be told, and give how many mails that were.

        Raises:
            DatabaseUnavailable: what was not told is told by the next run.

        """
        queued = 0
        for _ in range(PAGES_MAX):
            page = await self._tell_page()
            if page is None:
                break
            queued += page
        return queued

    async def _tell_page(self) -> int | None:
        """Tell a page of each centre that is behind; None when there is none."""
        async with self._units.begin(origin="notices") as unit:
            behind = await notices.behind(unit.connection)
            mails: list[Mail] = []
            for place in behind:
                mails += await self._of_center(unit.connection, place)
            queued = await self._outbox.queue(unit, mails)
        return queued if behind else None

    async def _of_center(self, connection: Any, place: NoticePlace) -> list[Mail]:
        center_id = place.center_id
        ends = await center_events.ends(connection, center_id)
        begin, number = min(place.version, ends.version), min(place.number, ends.number)
        entities = webhook_messages.ENTITIES
        changes = await center_events.logged_after(
            connection, center_id, version=begin, entities=entities, limit=PAGE_ROWS
        )
        events = await center_events.noted_after(connection, center_id, number=number, limit=PAGE_ROWS)
        messages = [webhook_messages.of_change(center_id, ends.epoch or "", one) for one in changes]
        messages += [webhook_messages.of_event(center_id, one) for one in events]
        name, time_zone = await notices.times_of(connection, center_id)
        told = [one for one in (notice_of(each) for each in messages if each is not None) if one is not None]
        await notices.move(
            connection, center_id, epoch=ends.epoch,
            version=changes[-1].version if len(changes) == PAGE_ROWS else ends.version,
            number=events[-1].number if len(events) == PAGE_ROWS else ends.number,
        )  # fmt: skip
        if not told:
            return []
        hearers = await notices.hearers(connection, center_id, {one.child_id for one in told})
        frame = Frame(center_id, one_line(name), ZoneInfo(time_zone), self._base_url)
        return [mail for hearer in hearers for mail in mails_of(frame, hearer, told, self._clock.now())]


@dataclass(frozen=True, slots=True)
class Frame:
    """What the mails of a centre have in common."""

    center_id: str
    name: str
    zone: ZoneInfo
    base_url: str


def letter(frame: Frame, lines: Sequence[str]) -> str:
    """Give the text of a mail to a guardian around what it tells."""
    return "\n".join(
        (
            f"At {frame.name} (times there):",
            "",
            *lines,
            "",
            f"Open Rollcall to see more, or to choose what you are told: {frame.base_url}",
            "",
            "It names nobody on purpose: mail is read on many screens.",
            "",
        )
    )


def notice_of(message: webhook_messages.Message) -> Notice | None:
    """Give what a message tells guardians; None when it is nothing that they can choose."""
    choice = _OF_KIND.get(message.kind)
    said = msgspec.json.decode(message.body, type=dict[str, Any])
    data = said["data"]
    if choice is None or not data.get("child_id"):
        return None
    words = CHOICES[choice]
    if choice == "booking":
        status = _OF_STATUS.get(data["status"])
        if status is None:  # attended and no-show follow from what was told already
            return None
        words = f"A booking for a child of yours on {data['day']} {status}"
    at = datetime.fromisoformat(str(data.get("occurred_at", said["timestamp"])))
    return Notice(str(data.get("event_id", message.id)), choice, data["child_id"], at, words)


def mails_of(frame: Frame, hearer: Hearer, told: Iterable[Notice], now: datetime) -> list[Mail]:
    """Give the mails to one account about one child: one for each piece of news, and one for what is older."""
    mine = [one for one in told if one.child_id == hearer.child_id and one.choice in hearer.kinds]
    news = [one for one in mine if now - one.at < NEWS]
    if len(news) > NEWS_EACH_MAX:
        news = []
    older = [one for one in mine if one not in news]
    mails = [_mail(frame, hearer, [one], one.words) for one in news]
    if older:
        mails.append(_mail(frame, hearer, older, "What was recorded earlier about a child of yours"))
    return mails


def _mail(frame: Frame, hearer: Hearer, told: Sequence[Notice], subject: str) -> Mail:
    in_order = sorted(told, key=lambda one: one.at)
    lines = [f"- {one.at.astimezone(frame.zone):%Y-%m-%d %H:%M}: {one.words}." for one in in_order[:LINES_MAX]]
    more = len(in_order) - len(lines)
    late = ["", "A desk had no network, or much happened at once: this is not of now."] if len(told) > 1 else []
    body = letter(frame, [*lines, *([f"- and {more} more"] if more else []), *late])
    material = "\0".join((frame.center_id, hearer.user_id, hearer.child_id, *sorted(one.key for one in told)))
    key = f"guardian_notice:{hashlib.sha256(material.encode()).hexdigest()}"
    return Mail(key, hearer.email, f"{frame.name}: {subject}", body, frame.center_id, hearer.child_id, hearer.user_id)
