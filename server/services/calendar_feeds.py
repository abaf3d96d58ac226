"""The bookings of a family as a calendar, at an address that only its account knows and can take back.

A calendar program sends no password, so the address is the secret: 256 bits, given out once and kept as a hash. What it
shows is worked out by today's rights at each reading.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from server.core.clock import Clock
from server.core.errors import NotFound
from server.core.icalendar import CalendarEvent, EventStatus, calendar
from server.core.ids import Luck
from server.models.calendar_feeds import CalendarFeed
from server.models.planning import BookingStatus
from server.repositories import accounts, calendar_feeds, guardian_accounts
from server.repositories.calendar_feeds import FeedBooking
from server.repositories.guardian_accounts import FamilyChild
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.access import User
from server.services.auth import user_from
from server.services.clients import Client
from server.services.devices import from_base64url, to_base64url
from server.services.family_live import centers_of
from server.services.throttles import CALENDAR_ADDRESS, Throttles

__all__ = ["CalendarFeed", "CalendarFeeds", "NewFeed"]

TOKEN_BYTES: Final = 32
TOKEN_CHARACTERS: Final = 43
PAST: Final = timedelta(days=31)
AHEAD: Final = timedelta(days=366)
READING_NOTED_EVERY: Final = timedelta(hours=1)
_SURE: Final = frozenset({BookingStatus.CONFIRMED, BookingStatus.ATTENDED, BookingStatus.NO_SHOW})
_WORDS: Final = {
    BookingStatus.REQUESTED: "Requested: the centre has not answered yet",
    BookingStatus.WAITLISTED: "On the waiting list",
    BookingStatus.CONFIRMED: "Booked",
    BookingStatus.ATTENDED: "Attended",
    BookingStatus.NO_SHOW: "Did not come",
}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NewFeed:
    """A feed, and what is in its address: it is told once."""

    feed: CalendarFeed
    token: str


class CalendarFeeds:
    """Makes feeds, and reads them for calendar programs."""

    def __init__(self, units: UnitsOfWork, throttles: Throttles, clock: Clock, luck: Luck) -> None:
        """Draw tokens from `luck`."""
        self._units = units
        self._throttles = throttles
        self._clock = clock
        self._luck = luck

    async def mine(self, user: User) -> CalendarFeed:
        """Give the feed of an account, without its address. Raises NotFound when it has none."""
        async with self._units.begin() as unit:
            found = await calendar_feeds.of_user(unit.session, user.id)
        if found is None:
            raise NotFound("You have no calendar feed")
        return found

    async def make(self, user: User) -> NewFeed:
        """Give an account a feed with a new address; the one before is no good any more."""
        token = to_base64url(self._luck(TOKEN_BYTES))
        feed = CalendarFeed(user_id=user.id, token_hash=_hash(token), made_at=self._clock.now())
        async with self._units.begin(actor=user.id, origin="my") as unit:
            # Held, so that of two at a time the later one stands.
            await accounts.lock(unit.session, user.id)
            await calendar_feeds.put(unit.session, feed)
        _log.info("calendar_feed_made", user=user.id)
        return NewFeed(feed, token)

    async def remove(self, user: User) -> None:
        """Take the feed of an account away; safe to repeat."""
        async with self._units.begin(actor=user.id, origin="my") as unit:
            was_there = await calendar_feeds.remove(unit.session, user.id)
        if was_there:
            _log.info("calendar_feed_removed", user=user.id)

    async def read(self, token: str, client: Client) -> bytes:
        """Give the calendar at an address.

        Raises:
            NotFound: no feed has this address, not any more, or its account was switched off.
            RateLimited: `client` has asked for too many addresses that there are not.

        """
        now = self._clock.now()
        async with self._units.begin(origin="calendar") as unit:
            feed = await self._feed(unit, token)
            account = None if feed is None else await accounts.find(unit.session, feed.user_id)
            if feed is not None and account is not None and account.is_active:
                if feed.last_read_at is None or now - feed.last_read_at >= READING_NOTED_EVERY:
                    await calendar_feeds.note_reading(unit.session, feed.user_id, now=now)
                user = user_from(account, await accounts.memberships(unit.session, account.id))
                return await self._calendar(unit, user)
        await self._throttles.take((CALENDAR_ADDRESS, client.block))
        raise NotFound("There is no calendar at this address, or not any more")

    async def _feed(self, unit: UnitOfWork, token: str) -> CalendarFeed | None:
        if from_base64url(token, TOKEN_BYTES) is None:
            return None
        return await calendar_feeds.find(unit.session, _hash(token))

    async def _calendar(self, unit: UnitOfWork, user: User) -> bytes:
        now = self._clock.now()
        await unit.reach_also(*centers_of(user))
        found = await guardian_accounts.children(unit.connection, user.id)
        children = {one.child_id: one for one in found if one.can_view and one.can_book}
        events: list[CalendarEvent] = []
        for center_id in dict.fromkeys(one.center_id for one in children.values()):
            ids = [one.child_id for one in children.values() if one.center_id == center_id]
            booked = await calendar_feeds.bookings(
                unit.connection, center_id, ids, since=now - PAST, before=now + AHEAD
            )
            events += [event_of(one, children[one.child_id]) for one in booked]
        return calendar(name_of(children.values()), events, time_zone=_zone_of(list(children.values())))


def event_of(booking: FeedBooking, child: FamilyChild) -> CalendarEvent:
    """Give a booking as an event: what the child is called, what is booked, and how it stands; no family name."""
    return CalendarEvent(
        uid=f"{booking.id}@rollcall",
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        changed_at=booking.changed_at,
        summary=f"{_called(child)}: {booking.service_name}",
        description=_WORDS[booking.status],
        location=child.center_name,
        status=EventStatus.CONFIRMED if booking.status in _SURE else EventStatus.TENTATIVE,
    )


def name_of(children: Iterable[FamilyChild]) -> str:
    """Give what a calendar of these children is called."""
    return ", ".join(dict.fromkeys(_called(one) for one in children)) or "Rollcall"


def _called(child: FamilyChild) -> str:
    return child.preferred_name or child.given_name


def _zone_of(children: Sequence[FamilyChild]) -> str:
    """The zone of all of them; none when there are several."""
    zones = {one.time_zone for one in children}
    return zones.pop() if len(zones) == 1 else ""


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
