"""Bookings: places that are asked for, given, waited for and given back."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final

from server.core.asking import asking_now
from server.core.clock import Clock
from server.core.errors import Conflict, FieldProblem, InvalidInput, NotFound, RollcallError
from server.models.planning import Booking, BookingSource, BookingStatus, EndCause, Service
from server.models.rooms import Center
from server.repositories import bookings, offers
from server.repositories.bookings import AHEAD, Filter, Listed
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.access import STAFF_AND_UP, User
from server.services.booking_board import Asker, Board, IfFull, NoPlace, Wish, is_chargeable, is_near, span_of
from server.services.booking_steps import Ending, end_all, promote
from server.services.guardian_rights import GuardianRights
from server.services.places import SPAN_MAX
from server.services.planning_calendar import Calendar, read_calendar, today_at

__all__ = [
    "BATCH_MAX", "BookingStatus", "Bookings", "Cancellation", "CancelledBy", "Decision", "EndCause", "Filter",
    "IfFull", "Listed", "Page", "Result", "Wish",
]  # fmt: skip

BATCH_MAX: Final = 100
# A rush is for one service mostly, whose row is held by one at a time: who waits here holds no connection meanwhile,
# and does not run into the time-out of a lock.
AT_ONCE_MAX: Final = 3
# A change bears the time at which its request began, and is seen when it commits: so much later at most. A request
# waits for locks and for other tasks, and the database ends it long before (`core/database.py`).
UNSEEN: Final = timedelta(minutes=2)
# What is asked for is looked for in a span that holds every window of its day.
_MARGIN: Final = timedelta(days=2)
_ENDED_BY: Final = {
    BookingSource.PARENT: (BookingStatus.CANCELLED_BY_PARENT, EndCause.PARENT),
    BookingSource.STAFF: (BookingStatus.CANCELLED_BY_CENTRE, EndCause.CENTRE),
}


class CancelledBy(StrEnum):
    """On whose behalf staff cancel."""

    PARENT = "parent"
    CENTRE = "centre"


class Decision(StrEnum):
    """What staff answer to a request, or to somebody who waits."""

    CONFIRM = "confirm"
    DECLINE = "decline"


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Why a booking is given back, and on whose behalf when staff do it."""

    reason: str = ""
    on_behalf_of: CancelledBy = CancelledBy.CENTRE


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a wish: its booking, or why there is none."""

    wish: Wish
    listed: Listed | None
    refusal: RollcallError | None = None


After = tuple[datetime, str]


@dataclass(frozen=True, slots=True)
class Page:
    """Some bookings, and behind which (its begin and its id) there are more; None at the end.

    `as_of` (aware): whoever asks for what was updated since then misses nothing, and is told some again.
    """

    items: Sequence[Listed]
    after: After | None
    as_of: datetime


class Bookings:
    """Gives places to children."""

    def __init__(self, units: UnitsOfWork, clock: Clock, rights: GuardianRights) -> None:
        """Write through `units`; `rights` say which accounts speak for which children."""
        self._units = units
        self._clock = clock
        self._rights = rights
        self._turns = asyncio.Semaphore(AT_ONCE_MAX)

    async def book(self, center: Center, user: User, wish: Wish) -> Listed:
        """Book a place, or wait for one. Asking again with the same id gives the same booking.

        Raises:
            NotFound: there is no such service, or no such child that the user may book for.
            InvalidInput: the service does not take place then, or the id belongs to another booking.
            Conflict: it cannot be booked as things are; `NoPlace` and `AlreadyBooked` among others.

        """
        (result,) = await self.book_each(center, user, [wish])
        if result.refusal is not None:
            raise result.refusal
        assert result.listed is not None
        return result.listed

    async def book_all(self, center: Center, user: User, wishes: Sequence[Wish]) -> list[Listed]:
        """Book all of at most `BATCH_MAX` wishes or none of them; raises as `book`, and says which one it was."""
        results = await self._book(center, user, wishes, is_whole=True)
        return [result.listed for result in results if result.listed is not None]

    async def book_each(self, center: Center, user: User, wishes: Sequence[Wish]) -> list[Result]:
        """Book what can be booked of at most `BATCH_MAX` wishes, in their order, and say of the others why not."""
        return await self._book(center, user, wishes, is_whole=False)

    async def page(self, center: Center, user: User, wanted: Filter, *, after: After | None, limit: int) -> Page:
        """Give bookings by the moment at which they begin, behind `after`; a parent asks for one child.

        Raises:
            NotFound: the user may not see bookings of this child, or of all.

        """
        await self._asker(center, user, {wanted.child_id or ""})
        as_of = self._clock.now() - UNSEEN
        async with self._units.begin() as unit:
            found = await bookings.page(unit.session, center.id, wanted, after=after, limit=limit + 1)
        last = found[limit - 1].booking if len(found) > limit else None
        return Page(found[:limit], (last.starts_at, last.id) if last else None, as_of)

    async def find(self, center: Center, user: User, booking_id: str) -> Listed:
        """Give a booking. Raises NotFound when there is none that the user may see."""
        async with self._units.begin() as unit:
            found = (await bookings.listed(unit.session, center.id, [booking_id])).get(booking_id)
        if found is None:
            raise NotFound("There is no such booking")
        await self._asker(center, user, {found.booking.child_id}, what="booking")
        return found

    async def cancel(self, center: Center, user: User, booking_id: str, wanted: Cancellation) -> Listed:
        """Give a place back; who waits for it gets it in the same transaction. A second time changes nothing.

        A parent who cancels later than the terms allow is charged; the centre never charges for what it cancels.

        Raises:
            NotFound: there is no such booking that the user may cancel.
            Conflict: it has been used or declined, has begun (for a parent), or the figures of its day stand.

        """
        known = await self.find(center, user, booking_id)
        asker = await self._asker(center, user, {known.booking.child_id}, what="booking")
        if asker.source is BookingSource.STAFF and wanted.on_behalf_of is CancelledBy.PARENT:
            by = BookingSource.PARENT
        else:
            by = asker.source
        status, cause = _ENDED_BY[by]
        now = self._clock.now()
        async with self._turns, self._units.begin(actor=user.id, origin="api") as unit:
            services, booking = await _held(unit, center, known.booking)
            if booking.status == status.value:
                return await _shown(unit, booking)
            if booking.status not in AHEAD:
                raise Conflict("This booking has been used or has ended, and cannot be cancelled")
            if asker.source is BookingSource.PARENT and booking.starts_at <= now:
                raise Conflict("It has begun; ask the centre")
            _refuse_locked(await read_calendar(unit, center.id), booking.day)
            if by is BookingSource.PARENT:
                free_hours = await _free_hours(unit, booking)
                booking.chargeable = is_chargeable(BookingStatus(booking.status), booking.starts_at, free_hours, now)
            await end_all(unit, services, [booking], Ending(status, cause, now, user.id, wanted.reason))
            return await _shown(unit, booking)

    async def decide(self, center: Center, user: User, booking_id: str, decision: Decision, reason: str = "") -> Listed:
        """Answer a request, or somebody who waits; the same answer again changes nothing. For staff only.

        Raises:
            NotFound: there is no such booking.
            NoPlace: the child waits, and there is still no place.
            Conflict: it is neither a request nor waiting, or has begun.

        """
        known = await self.find(center, user, booking_id)
        now = self._clock.now()
        async with self._turns, self._units.begin(actor=user.id, origin="api") as unit:
            services, booking = await _held(unit, center, known.booking)
            wanted = BookingStatus.CONFIRMED if decision is Decision.CONFIRM else BookingStatus.DECLINED
            if booking.status == wanted.value:
                return await _shown(unit, booking)
            if booking.status not in (BookingStatus.REQUESTED, BookingStatus.WAITLISTED):
                raise Conflict("This booking does not wait for an answer")
            _refuse_locked(await read_calendar(unit, center.id), booking.day)
            if decision is Decision.DECLINE:
                await end_all(unit, services, [booking], Ending(wanted, EndCause.CENTRE, now, user.id, reason))
            else:
                await _confirm(unit, services[booking.service_id], booking, user, now)
            return await _shown(unit, booking)

    async def _book(self, center: Center, user: User, wishes: Sequence[Wish], *, is_whole: bool) -> list[Result]:
        if not 1 <= len(wishes) <= BATCH_MAX:
            raise InvalidInput(f"Ask for 1 to {BATCH_MAX} bookings at once")
        asker = await self._asker(center, user, {wish.child_id for wish in wishes})
        now = self._clock.now()
        async with self._turns, self._units.begin(actor=user.id, origin="api") as unit:
            board = await _board(unit, center, wishes, today_at(center, now))
            known = await bookings.find_many(unit.session, center.id, {wish.id for wish in wishes})
            made: dict[str, Booking] = {}
            outcomes: list[tuple[Wish, RollcallError | None]] = []
            for number, wish in enumerate(wishes):
                refusal = _try(board, wish, asker, now, known, made)
                if refusal is not None and is_whole:
                    raise _of_batch(refusal, number)
                outcomes.append((wish, refusal))
            await _store(unit, made)
            for booking_id in made:  # a statement stored them, past the session
                unit.note_change(center.id, asking_now(), "booking", booking_id)
            found = await bookings.listed(unit.session, center.id, {wish.id for wish in wishes})
        return [Result(wish, None if refusal else found[wish.id], refusal) for wish, refusal in outcomes]

    async def _asker(self, center: Center, user: User, child_ids: Collection[str], what: str = "child") -> Asker:
        """As whom the user asks about these children. Raises NotFound."""
        if user.roles_at(center) & STAFF_AND_UP:
            return Asker(user.id, BookingSource.STAFF)
        for child_id in child_ids:
            if not child_id or not await self._rights.may_book(user, center.id, child_id):
                raise NotFound(f"There is no such {what} among yours")
        return Asker(user.id, BookingSource.PARENT)


async def _board(unit: UnitOfWork, center: Center, wishes: Sequence[Wish], today: date) -> Board:
    """Hold the services that are asked for, and read what stands."""
    services = await offers.lock(unit.session, center.id, {wish.service_id for wish in wishes})
    # Days that are further away are refused by themselves.
    days = [wish.day for wish in wishes if is_near(wish.day, today)] or [today]
    since, before = (datetime.combine(day, datetime.min.time(), UTC) for day in (min(days), max(days)))
    live = await bookings.live(
        unit.session, center.id, services, since=since - _MARGIN, before=before + _MARGIN + SPAN_MAX
    )
    known = await bookings.children(unit.session, center.id, {wish.child_id for wish in wishes})
    return Board(center, await read_calendar(unit, center.id), services, known, live)


def _try(
    board: Board, wish: Wish, asker: Asker, now: datetime, known: dict[str, Booking], made: dict[str, Booking]
) -> RollcallError | None:
    """Let a wish become a booking in `made`, unless it is one already; gives why it cannot."""
    standing = made.get(wish.id) or known.get(wish.id)
    if standing is not None:
        return None if standing.content == wish.content else _taken_id()
    try:
        made[wish.id] = board.decide(wish, asker, now)
    except RollcallError as refusal:
        return refusal
    return None


async def _store(unit: UnitOfWork, made: dict[str, Booking]) -> None:
    rows = [made[booking_id] for booking_id in sorted(made)]
    if await bookings.add(unit.session, rows) != len(rows):
        raise _taken_id()  # by somebody who asked for another service at the same moment


def _taken_id() -> InvalidInput:
    detail = "This id belongs to another booking; ids are used once, for ever"
    return InvalidInput(detail, (FieldProblem("/id", detail),))


def _of_batch(refusal: RollcallError, number: int) -> RollcallError:
    """The same refusal, which says of which booking of the batch it speaks, counted from 0."""
    detail = f"Nothing was booked. Booking {number}: {refusal.detail}"
    if isinstance(refusal, InvalidInput):
        pointers = [problem.pointer for problem in refusal.problems] or [""]
        problems = tuple(FieldProblem(f"/items/{number}{pointer}", refusal.detail) for pointer in pointers)
        return InvalidInput(detail, problems)
    return type(refusal)(detail)


async def _held(unit: UnitOfWork, center: Center, known: Booking) -> tuple[dict[str, Service], Booking]:
    """Hold the service of a booking, and read the booking as it is then."""
    services = await offers.lock(unit.session, center.id, [known.service_id])
    booking = await bookings.find(unit.session, center.id, known.id)
    assert booking is not None  # no booking is ever removed
    return services, booking


async def _confirm(unit: UnitOfWork, service: Service, booking: Booking, user: User, now: datetime) -> None:
    if booking.starts_at <= now:
        raise Conflict("It has begun; book it anew if the child is to have it")
    if booking.status == BookingStatus.WAITLISTED and booking.id not in await promote(
        unit, service, span_of(booking), now
    ):
        raise NoPlace("There is still no free place, or somebody waits for longer")
    row = await bookings.find(unit.session, booking.center_id, booking.id)
    assert row is not None
    row.status, row.answer_by = BookingStatus.CONFIRMED.value, None
    row.changed_at, row.changed_by = now, user.id
    await unit.session.flush()


async def _free_hours(unit: UnitOfWork, booking: Booking) -> int | None:
    """Until how many hours before its begin a booking may be cancelled for nothing; None: there are no terms."""
    rows = await offers.terms(unit.session, booking.center_id, [booking.service_id])
    begun = [row for row in rows if row.effective_from <= booking.day]
    return begun[-1].cancel_free_hours if begun else None


async def _shown(unit: UnitOfWork, booking: Booking) -> Listed:
    await unit.session.flush()
    return (await bookings.listed(unit.session, booking.center_id, [booking.id]))[booking.id]


def _refuse_locked(calendar: Calendar, day: date) -> None:
    if calendar.locked_at(day) is not None:
        raise Conflict("The figures of this day stand")
