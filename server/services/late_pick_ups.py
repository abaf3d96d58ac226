"""Guardians who chose it are told by mail when a child was picked up late: what statements call `late_pick_up`.

Whether it was late is worked out by the rules of usage each time, from bookings and stays as they are known; that it
was told is in the outbox, by account and booking. So a correction, a rebuild or a second run tells nobody twice.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final
from zoneinfo import ZoneInfo

from server.core.clock import Clock
from server.repositories import bookings, notices, offers
from server.repositories.notices import Hearer, LateStay
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.analytics_usage import stayed_of
from server.services.guardian_notices import CHOICES, Frame, letter
from server.services.mail import Mail, Outbox
from server.services.notifications import one_line
from server.services.places import SPAN_MAX
from server.services.statements import booked_of, offered_of
from server.services.usage import Remark, UsageKind, UsageLine, usage

# A desk that was away hands in what happened days ago; what is older is on the statement.
TOLD_FOR: Final = timedelta(days=7)
STAYS_A_RUN: Final = 200

LATE: Final = "late_pick_up"


class LatePickUps:
    """Tells guardians. `run` is a job, and may be run by hand."""

    def __init__(self, units: UnitsOfWork, outbox: Outbox, clock: Clock, base_url: str) -> None:
        """Queue into `outbox`; links begin with `base_url`."""
        self._units = units
        self._outbox = outbox
        self._clock = clock
        self._base_url = base_url

    async def run(self) -> int:
        """Queue what is to be told, and give how many mails that were; what was told is not told again.

        Raises:
            DatabaseUnavailable: what was not told is told by the next run.

        """
        now = self._clock.now()
        async with self._units.begin() as unit:
            found = await notices.late_stays(unit.connection, since=now - TOLD_FOR, now=now, limit=STAYS_A_RUN)
        of_child = groupby(found, key=lambda one: (one.center_id, one.child_id))
        return sum([await self._tell(center_id, child_id, list(late)) for (center_id, child_id), late in of_child])

    async def _tell(self, center_id: str, child_id: str, late: Sequence[LateStay]) -> int:
        async with self._units.begin(origin="notices") as unit:
            name, time_zone = await notices.times_of(unit.connection, center_id)
            frame = Frame(center_id, one_line(name), ZoneInfo(time_zone), self._base_url)
            hearers = await notices.hearers(unit.connection, center_id, [child_id])
            lines = await self._lines(unit, frame, child_id, late)
            return await self._outbox.queue(unit, mails_of(frame, hearers, late, lines))

    async def _lines(self, unit: UnitOfWork, frame: Frame, child_id: str, late: Sequence[LateStay]) -> list[UsageLine]:
        """Give the usage of a child around these bookings, as a statement of now would."""
        ends = [one.ends_at for one in late]
        since, before = min(ends) - 2 * SPAN_MAX, max(ends) + 2 * SPAN_MAX
        rows = await bookings.of_child(unit.session, frame.center_id, child_id, since=since, before=before)
        stays = await notices.stays_around(unit.connection, frame.center_id, child_id, since=since, before=before)
        services = await offers.of_center(unit.session, frame.center_id)
        terms = await offers.terms(unit.session, frame.center_id, [one.id for one in services])
        return usage(
            [booked_of(row) for row in rows],
            [stayed_of(row) for row in stays],
            offered_of(services, terms),
            zone=frame.zone,
            as_of=self._clock.now(),
        )


def mails_of(
    frame: Frame, hearers: Iterable[Hearer], late: Sequence[LateStay], lines: Iterable[UsageLine]
) -> list[Mail]:
    """Give the mails about one child: to each account that is owed one, of each late end that is sure."""
    addresses = {(one.user_id, one.child_id): one.email for one in hearers if LATE in one.kinds}
    sure = {one.booking_id: one for one in lines if one.kind is UsageKind.LATE_PICK_UP and _is_sure(one)}
    return [
        _mail(frame, owed, addresses[owed.user_id, owed.child_id], sure[owed.booking_id])
        for owed in late
        if owed.booking_id in sure and (owed.user_id, owed.child_id) in addresses
    ]


def _is_sure(line: UsageLine) -> bool:
    """Whether nobody has to look first; that no terms say what it costs makes nobody less late."""
    return set(line.remarks) <= {Remark.NO_TERMS}


def _mail(frame: Frame, owed: LateStay, email: str, line: UsageLine) -> Mail:
    left = _local(line.attended_to or owed.ends_at, frame)
    said = f"{CHOICES[LATE]}, {int(line.quantity)} min after the booked end ({_local(owed.ends_at, frame):%H:%M})"
    body = letter(frame, [f"- {left:%Y-%m-%d %H:%M}: {said}."])
    key = notices.late_key(owed.user_id, owed.booking_id)
    return Mail(key, email, f"{frame.name}: {CHOICES[LATE]}", body, frame.center_id, owed.child_id, owed.user_id)


def _local(moment: datetime, frame: Frame) -> datetime:
    return moment.astimezone(frame.zone)
