"""Writes centres with years behind them, as production writes them: rosters, plans, and every entry by a desk.

Time is played: the clock of all use-cases is moved from one day to the next, and what the desks entered on it is
sealed, signed, and decided by the intake's own parts, each push with its time of arrival. So chains, numbers, stays and
findings are made by the code that makes them every day, and `rollcall-server verify` has nothing to say. Only the
transactions are larger: a day in one (decision 0043). Bookings and schedules go past their use-cases, in bulk.

The same seed gives the same people, days, entries, ids and figures. What nobody may guess is not the same twice: keys
of the desks (which are thrown away), signatures, salts and hashes.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.core.clock import datetime_of, ms_of, utc_offset_min
from server.core.errors import Conflict, InvalidInput
from server.core.ids import Ids, uuid7_from
from server.core.passwords import Passwords
from server.models.absences import Absence
from server.models.devices import Device, DeviceState
from server.models.planning import Schedule
from server.repositories import absences, projections, sample_rows
from server.repositories.unit_of_work import UnitsOfWork
from server.sample.bookings import BookingBook, tariff_hours
from server.sample.day_intake import Arrived, DayIntake
from server.sample.days import Away, Diary, Recording
from server.sample.generate import ROSTER_FILE
from server.sample.played_clock import PlayedClock
from server.sample.towns import TARIFFS, Town, intake_days, roster_csv, towns
from server.services.access import Center, Centers, RoleId, User
from server.services.accounts import Accounts, NewUser
from server.services.auto_close import AutoClose
from server.services.center_days import CenterDays, Days
from server.services.journal_intake import DeviceKey, JournalIntake
from server.services.offers import Offers, OfferWish, ServiceUnit, TermsWish
from server.services.people_days import tell_child
from server.services.projections import RULES
from server.services.ratio_rules import RatioRules, Wish
from server.services.roster_file import SourceFile
from server.services.roster_import import RosterImport
from server.services.schedules import ScheduleWish
from server.services.server_desk import ServerDesk
from sync.attendance import AttendanceEvent, EventKind, encode_event
from sync.journal import Draft, Entry, JournalHead, genesis, head_after, seal
from sync.stamps import next_stamp

DESKS: Final = ("Front desk", "Garden door")
RATIO_PRESET: Final = "naeyc_2018"
TICK_MS: Final = 30 * 60_000
HOUR_MS: Final = 60 * 60_000
DAY_MS: Final = 24 * HOUR_MS
YEARS_MAX: Final = 10
DAYS_MAX: Final = YEARS_MAX * 366
OFFICE: Final = "sample-office@lanterns.example.org"
# On Fridays the office writes the week's calls down.
FRIDAY: Final = 4
_PEOPLE_OF: Final = frozenset({EventKind.STAFF_IN, EventKind.STAFF_OUT})

Progress = Callable[[int, int], None]
"""Takes how many days of centres are written, and of how many."""


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """How many centres, for how many days that end with `last_day`; `children` at a time in each."""

    centres: int
    days: int
    last_day: date
    children: int = 60
    seed: str = "1"
    into_existing: bool = False

    @property
    def first_day(self) -> date:
        """The first day of the history."""
        return self.last_day - timedelta(days=self.days - 1)


@dataclass(slots=True)
class Written:
    """How much was written."""

    centers: int = 0
    children: int = 0
    events: int = 0
    bookings: int = 0
    absences: int = 0


@dataclass(slots=True)
class _Desk:
    """A desk with its journal; `waiting` is what was entered and has not been sent."""

    key: DeviceKey
    private_key: Ed25519PrivateKey
    head: JournalHead
    hlc: int = 0
    waiting: list[Recording] = field(default_factory=list)


@dataclass(slots=True)
class _House:
    """A centre as it is written: its ids by the ids of the roster."""

    town: Town
    diary: Diary
    center: Center
    desks: list[_Desk]
    book: BookingBook
    ids: dict[str, str] = field(default_factory=dict)
    rosters: list[date] = field(default_factory=list)
    away: list[Absence] = field(default_factory=list)
    forgot: bool = False


class History:
    """Writes the sample of years."""

    def __init__(self, units: UnitsOfWork, clock: PlayedClock, luck: Random, secret_key: str) -> None:
        """Write through `units`, whose clock is `clock`; ids come from `luck`, the server's desk from `secret_key`."""
        self._units = units
        self._clock = clock
        self._luck = luck
        self._new_id = Ids(clock, luck.randbytes).new
        self._intake = DayIntake(units)
        server_desk = ServerDesk(units, JournalIntake(units, clock), clock, self._new_id, secret_key)
        self._auto_close = AutoClose(units, server_desk, clock)
        self._boot_id = self._new_id()
        self.written = Written()

    async def write(self, options: HistoryOptions, progress: Progress = lambda _done, _total: None) -> Written:
        """Write everything; memory is bounded by a month of one centre's bookings.

        Raises:
            InvalidInput: the sizes are not within bounds.
            Conflict: there are centres already, and nobody said that it may go beside them; or ours are among them.
            DatabaseUnavailable: what was written before stands.

        """
        made = towns(options.centres, options.first_day, options.last_day, children=options.children, seed=options.seed)
        self._clock.at_ms = ms_of(datetime.combine(options.first_day, time(), datetime_of(0).tzinfo)) - 2 * DAY_MS
        await self._refuse(options, made)
        houses = [await self._open(town, options.seed) for town in made]
        total = options.days * len(houses)
        for number in range(options.days):
            await self._day(houses, options.first_day + timedelta(days=number))
            progress((number + 1) * len(houses), total)
        await self._play(houses, until_ms=self._clock.at_ms + 2 * DAY_MS)
        for house in houses:
            await self._write_absences(house)
            self.written.bookings += await house.book.flush(self._units)
        return self.written

    async def tell_planner(self, books: UnitsOfWork) -> None:
        """Let PostgreSQL look at the tables; `books` works as their owner."""
        async with books.begin() as unit:
            await sample_rows.analyze(unit.connection)

    async def _refuse(self, options: HistoryOptions, made: tuple[Town, ...]) -> None:
        if not 1 <= options.days <= DAYS_MAX:
            raise InvalidInput(f"Ask for 1 to {DAYS_MAX} days")
        async with self._units.begin() as unit:
            centers = await sample_rows.count_centers(unit.session)
            taken = await sample_rows.taken_codes(unit.session, [town.place.code for town in made])
        if taken:
            raise Conflict(f"The sample is here already: {', '.join(taken)}. Use an empty database.")
        if centers and not options.into_existing:
            raise Conflict(
                f"There are {centers} centres in this database. Sample data among real centres cannot be taken out "
                "again; say --into-existing if that is what you want."
            )

    async def _open(self, town: Town, seed: str) -> _House:
        """Make a centre with its calendar, rules, services and desks."""
        await self._tell_roster(town, town.first_day)
        center = await Centers(self._units).by_code(town.place.code)
        office = await self._office(town, center)
        calendar = CenterDays(self._units, self._clock, self._new_id)
        for first, last, reason in town.closures:
            await calendar.close(center, office, Days(first, last, reason))
        wish = Wish("2020-01-01", preset=RATIO_PRESET)
        await RatioRules(self._units, self._clock).put(center, wish, actor=office.id)
        services = await self._offer(town, center, office)
        desks = [self._desk(center) for _ in DESKS]
        async with self._units.begin(origin="sample") as unit:
            # A server that starts has nothing to make again.
            await projections.note_rules(unit.connection, center.id, RULES)
            rows = [self._row(desk, name) for desk, name in zip(desks, DESKS, strict=True)]
            await sample_rows.add(unit.session, rows)
        book = BookingBook(center, services, office.id, self._id_at)
        house = _House(town, Diary(town, seed), center, desks, book)
        house.rosters = intake_days(town.first_day, town.last_day)[1:]
        await self._learn(house, town.first_day)
        self.written.centers += 1
        return house

    async def _office(self, town: Town, center: Center) -> User:
        """The account in whose name plans are made; nobody knows its password."""
        accounts = Accounts(self._units, Passwords(), self._clock, self._new_id)
        user = NewUser(f"{town.place.code}.{OFFICE}", "Sample office", RoleId.MANAGER, town.place.code)
        user_id = await accounts.create(user, secrets.token_urlsafe(32))
        return User(user_id, center.organisation_id, user.email, user.name, is_active=True, grants=())

    async def _offer(self, town: Town, center: Center, office: User) -> dict[str, str]:
        offers, made = Offers(self._units, self._clock), {}
        for tariff in TARIFFS:
            service_id = made[tariff.code] = self._new_id()
            begin, end = tariff_hours(tariff)
            unit = ServiceUnit(tariff.unit)
            wanted = OfferWish(
                tariff.code, tariff.name, unit, town.place.currency, 500, 31, begin, end, None, False, True  # noqa: FBT003
            )  # fmt: skip
            await offers.put(center, office, service_id, wanted)
            terms = TermsWish(Decimal(tariff.price), Decimal("1.00"), 5, 100, 50, 24, 15, requires_booking=True)
            await offers.put_terms(center, office, service_id, town.first_day, terms)
        return made

    def _desk(self, center: Center) -> _Desk:
        key = DeviceKey(center.id, self._new_id())
        return _Desk(key, Ed25519PrivateKey.generate(), genesis(key.device_id, self._new_id()))

    def _row(self, desk: _Desk, name: str) -> Device:
        return Device(
            id=desk.key.device_id,
            center_id=desk.key.center_id,
            name=name,
            state=DeviceState.ACTIVE.value,
            public_key=desk.private_key.public_key().public_bytes_raw(),
            app_version="sample",
            created_at=self._clock.now(),
        )

    async def _tell_roster(self, town: Town, as_of: date) -> None:
        imports = RosterImport(self._units, self._new_id, self._clock)
        report = await imports.run([SourceFile(ROSTER_FILE, roster_csv(town, as_of).encode())])
        if not report.stored:
            raise InvalidInput(f"The sample roster of {town.place.code} is wrong: {report.problems[0].reason}")

    async def _learn(self, house: _House, as_of: date) -> None:
        """Read the ids of a roster, and begin the schedules of the children that are new."""
        async with self._units.read() as connection:
            known = await sample_rows.people(connection, house.center.id)
        new = [child for child in house.town.children if child.external_id in known.keys() - house.ids.keys()]
        house.ids = known
        self.written.children += len(new)
        rows: list[Schedule] = []
        for child in new:
            wish = ScheduleWish(
                self._new_id(), known[child.external_id], house.book.services[child.tariff.code], child.weekdays,
                max(child.first_day, as_of), child.last_day,
            )  # fmt: skip
            house.book.schedules[child.external_id] = wish.id
            rows.append(
                Schedule(
                    center_id=house.center.id, id=wish.id, child_id=wish.child_id, service_id=wish.service_id,
                    weekdays=wish.weekdays, first_day=wish.first_day, last_day=wish.last_day, content=wish.content,
                    created_at=self._clock.now(), made_by=house.book.office_id,
                )
            )  # fmt: skip
        async with self._units.begin(origin="sample") as unit:
            await sample_rows.add(unit.session, rows)

    async def _day(self, houses: list[_House], day: date) -> None:
        for house in houses:
            if house.rosters and house.rosters[0] <= day:
                await self._tell_roster(house.town, house.rosters.pop(0))
                await self._learn(house, day)
            for one in house.diary.recordings(day):
                house.desks[one.desk].waiting.append(one)
            house.forgot = house.diary.forgot
            house.book.add(day, house.diary.visits, house.ids, house.diary.moment(day, 0))
            house.away += [self._absence(house, one) for one in house.diary.away]
        midnight = ms_of(datetime.combine(day + timedelta(days=1), time(3), datetime_of(0).tzinfo))
        await self._play(houses, until_ms=midnight)
        if day.weekday() == FRIDAY:
            for house in houses:
                await self._write_absences(house)
        if (day + timedelta(days=1)).day == 1:
            for house in houses:
                self.written.bookings += await house.book.flush(self._units)

    async def _play(self, houses: list[_House], *, until_ms: int) -> None:
        """Let arrive what can be sent until then, in half hours; then the server assumes what nobody wrote down."""
        arrived = [one for house in houses for desk in house.desks for one in self._sent(house, desk, until_ms)]
        self._clock.at_ms = max(self._clock.at_ms, until_ms)
        if arrived:
            self.written.events += await self._intake.store(arrived)
        if any(house.forgot for house in houses):
            self.written.events += await self._auto_close.run()
        for house in houses:
            house.forgot = False

    def _sent(self, house: _House, desk: _Desk, until_ms: int) -> Iterator[Arrived]:
        """A desk sends in the order in which things were entered: what waits holds back what comes after it."""
        sent: dict[int, list[Recording]] = {}
        count = at_ms = 0
        for one in desk.waiting:
            at_ms = max(at_ms, (one.sent_ms // TICK_MS + 1) * TICK_MS)
            if at_ms > until_ms:
                break
            sent.setdefault(at_ms, []).append(one)
            count += 1
        del desk.waiting[:count]
        for received_ms, ones in sent.items():
            before = desk.head
            yield Arrived(desk.key, before, tuple([self._entry(house, desk, one) for one in ones]), received_ms)

    def _entry(self, house: _House, desk: _Desk, one: Recording) -> Entry:
        subject = house.ids[one.subject]
        event = AttendanceEvent(
            event_id=self._id_at(one.recorded_ms),
            kind=one.kind,
            center_id=house.center.id,
            child_id="" if one.kind in _PEOPLE_OF else subject,
            person_id=subject if one.kind in _PEOPLE_OF else "",
            occurred_at_ms=one.occurred_ms,
            recorded_at_ms=one.recorded_ms,
            utc_offset_min=utc_offset_min(one.recorded_ms, house.town.place.time_zone),
            clock_offset_ms=0,
            clock_error_ms=40,
            room_id=house.ids[one.room] if one.room else "",
            adult_id=house.ids[one.adult] if one.adult else "",
            staff_id=house.ids[one.staff] if one.staff else "",
            auth_method=one.auth,
            identity_check="known_to_staff" if one.staff else "code_match",
        )
        desk.hlc = next_stamp(previous=desk.hlc, wall_ms=one.recorded_ms)
        draft = Draft(
            event_id=event.event_id,
            kind=event.kind.value,
            body=encode_event(event),
            hlc=desk.hlc,
            wall_ms=one.recorded_ms,
            monotonic_ms=one.recorded_ms % DAY_MS,
            boot_id=self._boot_id,
            base_epoch="",
            base_version=0,
        )
        entry = seal(desk.head, draft, desk.private_key.sign)
        desk.head = head_after(entry)
        return entry

    def _id_at(self, wall_ms: int) -> str:
        return str(uuid7_from(wall_ms, self._luck.getrandbits(74)))

    def _absence(self, house: _House, away: Away) -> Absence:
        now = self._clock.now()
        return Absence(
            center_id=house.center.id,
            id=self._id_at(away.informed_ms),
            child_id=house.ids[away.child],
            first_day=away.first_day,
            last_day=away.last_day,
            kind=away.kind,
            informed_at=datetime_of(away.informed_ms),
            informed_by="a parent",
            justified=True,
            created_at=now,
            created_by=house.book.office_id,
            changed_at=now,
        )

    async def _write_absences(self, house: _House) -> None:
        rows, house.away = house.away, []
        if not rows:
            return
        async with self._units.begin(actor=house.book.office_id, origin="sample") as unit:
            await unit.lock_head(house.center.id)
            for row in rows:
                row.created_at = row.changed_at = self._clock.now()
                await absences.add(unit.session, row)
            for child_id in sorted({row.child_id for row in rows}):
                await tell_child(unit, house.center.id, child_id)
        self.written.absences += len(rows)
