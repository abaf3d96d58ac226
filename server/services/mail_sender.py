"""Sending of what waits in the outbox: at least once, by any of several servers, never within a transaction.

A mail is taken by moving ahead the time at which it is due (its lease), handed to the mail server, and its fate
written down. Whoever dies in between leaves a mail that is due again when the lease ends; it then goes out a second
time, with the Message-ID that it had.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from server.core.clock import Clock
from server.core.smtp import SEND_DEADLINE_S, Letter, MailServer, MailSession, NotSent, Trouble
from server.repositories import mail_outbox
from server.repositories.mail_outbox import TakenMail
from server.repositories.unit_of_work import UnitsOfWork

BATCH_MAILS: Final = 5
# A batch that takes as long as it may (5 x 60 s), and a minute for writing down and for clocks that differ.
LEASE: Final = timedelta(seconds=BATCH_MAILS * SEND_DEADLINE_S + 60)
# So long a run begins further batches. The last one may take as long as its lease.
RUN_MS: Final = 60_000
RUN_DEADLINE_S: Final = RUN_MS / 1000 + LEASE.total_seconds()

BACKOFF_FIRST_S: Final = 30.0
BACKOFF_MAX_S: Final = 3600.0

KEPT: Final = timedelta(days=90)  # addresses are personal data; by then nobody asks whether a mail went out
FORGET_MAILS: Final = 1_000
NO_RIGHT: Final = "the account may not be told of the child any more"
NEVER_TRIED: Final = "no mail server was set for three days"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """What a run did: how many mails went out, will be tried again, and were given up."""

    sent: int = 0
    put_back: int = 0
    given_up: int = 0

    def __add__(self, other: "Sent") -> "Sent":
        return Sent(self.sent + other.sent, self.put_back + other.put_back, self.given_up + other.given_up)


@dataclass(frozen=True, slots=True)
class Taken:
    """Mails to be sent, out of how many that were due, and how many of these nobody may be told any more."""

    mails: list[TakenMail]
    due: int
    dropped: int


class MailSender:
    """Sends due mails. Its methods are jobs, and each may be run by hand."""

    def __init__(
        self, units: UnitsOfWork, server: MailServer | None, clock: Clock, luck: Callable[[], float],
        *, fill: Callable[[str], str] = lambda body: body, deadline_s: float = SEND_DEADLINE_S,
    ) -> None:  # fmt: skip
        """Send through `server`, or let mails wait when it is None; `luck` gives numbers in [0, 1).

        `fill` puts into a body what must not wait in the table: tokens.
        """
        self._units = units
        self._server = server
        self._clock = clock
        self._luck = luck
        self._fill = fill
        self._deadline_s = deadline_s
        self._has_warned = False

    async def send_due(self) -> Sent:
        """Send what is due until nothing is, the mail server has trouble, or a minute is over.

        Raises:
            DatabaseUnavailable: what was taken and not written down goes out again when its lease ends.

        """
        done = Sent(given_up=await self._give_up_old())
        if self._server is None:
            await self._warn_once()
            return done
        end_ms = self._clock.monotonic_ms() + RUN_MS
        while self._clock.monotonic_ms() < end_ms:
            taken = await self._take()
            done += Sent(given_up=taken.dropped)
            is_well = True
            if taken.mails:
                async with self._server.session(self._deadline_s) as session:
                    batch, is_well = await self._send_batch(session, taken.mails)
                done += batch
            if not is_well or taken.due < BATCH_MAILS:
                break
        if done != Sent():
            _log.info("mail_run_ended", sent=done.sent, put_back=done.put_back, given_up=done.given_up)
        return done

    async def forget_old(self) -> int:
        """Take away what was done with 90 days ago, a thousand mails at a time; gives how many."""
        before = self._clock.now() - KEPT
        async with self._units.begin(origin="mail") as unit:
            return await mail_outbox.forget(unit.connection, before=before, mails_max=FORGET_MAILS)

    async def _take(self) -> Taken:
        now = self._clock.now()
        async with self._units.begin(origin="mail") as unit:
            due = await mail_outbox.take_due(unit.connection, now=now, lease_end=now + LEASE, mails_max=BATCH_MAILS)
            # Who may see a child is asked when the mail goes out: it may have waited for days.
            dropped = await mail_outbox.drop_unentitled(unit.connection, due, reason=NO_RIGHT) if due else set()
        return Taken([one for one in due if one.id not in dropped], len(due), len(dropped))

    async def _send_batch(self, session: MailSession, taken: list[TakenMail]) -> tuple[Sent, bool]:
        """Send one after the other; gives what was done, and whether the mail server is well.

        Each fate is written down before the next mail is sent: the less is in doubt, the less comes twice.
        """
        done = Sent()
        for place, mail in enumerate(taken):
            try:
                body = self._fill(mail.body)
                await session.send(Letter(mail.id, mail.recipient, mail.subject, body, mail.created_at))
            except NotSent as error:
                _log.warning(
                    "mail_not_sent", mail=mail.id, attempts=mail.attempts, about=error.trouble, reason=error.reason
                )
                if error.trouble is Trouble.SERVER:
                    # The others would only be told the same, each after a deadline.
                    return done + await self._put_back(taken[place:], error.reason), False
                done += await self._settle(mail, error)
            else:
                done += await self._note_sent(mail)
        return done, True

    async def _note_sent(self, mail: TakenMail) -> Sent:
        async with self._units.begin(origin="mail") as unit:
            await mail_outbox.note_sent(unit.connection, mail, self._clock.now())
        return Sent(sent=1)

    async def _settle(self, mail: TakenMail, error: NotSent) -> Sent:
        if error.trouble is not Trouble.LASTING:
            return await self._put_back([mail], error.reason)
        async with self._units.begin(origin="mail") as unit:
            await mail_outbox.give_up(unit.connection, mail, reason=error.reason)
        return Sent(given_up=1)

    async def _put_back(self, mails: list[TakenMail], reason: str) -> Sent:
        async with self._units.begin(origin="mail") as unit:
            for mail in mails:
                not_before = self._again_at(mail.attempts)
                await mail_outbox.put_back(unit.connection, mail, not_before=not_before, reason=reason)
        return Sent(put_back=len(mails))

    def _again_at(self, attempts: int) -> datetime:
        return self._clock.now() + timedelta(seconds=backoff_s(attempts=attempts, luck=self._luck()))

    async def _give_up_old(self) -> int:
        async with self._units.begin(origin="mail") as unit:
            given_up = await mail_outbox.give_up_old(unit.connection, now=self._clock.now(), reason=NEVER_TRIED)
        if given_up:
            _log.error("mail_given_up", mails=given_up)
        return given_up

    async def _warn_once(self) -> None:
        if self._has_warned:
            return
        async with self._units.read() as connection:
            has_mail = await mail_outbox.count_waiting(connection, counted_max=1) > 0
        if has_mail:
            self._has_warned = True
            _log.warning("mail_waits", reason="SMTP_HOST is not set")


def backoff_s(*, attempts: int, luck: float) -> float:
    """Seconds to wait after `attempts` failed tries (1 or more): full jitter below 30 s, 60 s, ... an hour.

    At least a second; `luck` is in [0, 1). Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    ceiling_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * (1 << min(attempts - 1, 10)))
    return max(1.0, ceiling_s * luck)
