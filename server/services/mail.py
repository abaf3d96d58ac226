"""Queueing of mail within the transaction of what it tells, and what an operator may ask of the outbox.

A mail exists exactly when the fact does that it is about: it is a row that commits with it. Sending is another matter
(`server.services.mail_sender`), so a mail server that is away holds up nobody.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from server.core.clock import Clock
from server.models.columns import NAME_MAX
from server.models.mail import BODY_MAX, DEDUPE_KEY_MAX, SUBJECT_MAX, MailState
from server.repositories import mail_outbox
from server.repositories.mail_outbox import NewMail, Reason
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork

__all__ = ["Mail", "MailOffice", "MailState", "Outbox", "OutboxStatus", "Reason"]

# A mail server that is mended after a long weekend still gets what waited; older news helps no manager.
GIVE_UP_AFTER: Final = timedelta(days=3)
# Twenty critical findings an hour for three days, each told to seven managers.
WAITING_MAX: Final = 10_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Mail:
    """What somebody is to be told by mail; `dedupe_key` says which notification to whom, and is queued once ever.

    Mail is read on locked screens, and by every server that passes it on. Subject and body name no child, no adult
    and no desk: they say at which centre something happened and of what kind, and to open Rollcall to see the rest.
    A dedupe key holds ids or hashes, no address. One with a guardian's account and a child is sent only while that
    account may be told of the child.

    Raises:
        ValueError: a text is empty, too long, or (but for the body) holds a line end or another control character.

    """

    dedupe_key: str
    recipient: str
    subject: str
    body: str
    center_id: str | None = None
    child_id: str | None = None
    user_id: str | None = None

    def __post_init__(self) -> None:
        """Refuse what can be no mail; a header that holds a line end would be two headers."""
        for what, text, length_max in (
            ("dedupe key", self.dedupe_key, DEDUPE_KEY_MAX),
            ("recipient", self.recipient, NAME_MAX),
            ("subject", self.subject, SUBJECT_MAX),
        ):
            if any(unicodedata.category(character) in {"Cc", "Zl", "Zp", "Cs"} for character in text):
                raise ValueError(f"the {what} of a mail holds a control character")
            if not 0 < len(text) <= length_max:
                raise ValueError(f"the {what} of a mail must have 1 to {length_max} characters")
        if not 0 < len(self.body) <= BODY_MAX or "\0" in self.body:
            raise ValueError(f"the body of a mail must have 1 to {BODY_MAX} characters, and no NUL")


class Outbox:
    """Takes mails in."""

    def __init__(self, clock: Clock, new_id: Callable[[], str], on_queued: Callable[[], None] = lambda: None) -> None:
        """Name mails by `new_id`; `on_queued` is called when new ones are committed, and must not wait."""
        self._clock = clock
        self._new_id = new_id
        self._on_queued = on_queued

    async def queue(self, unit: UnitOfWork, mails: Sequence[Mail]) -> int:
        """Write mails within the caller's transaction, each dedupe key once ever; gives how many are new.

        With `WAITING_MAX` mails waiting, further ones are dropped with an error in the log: what they tell stands
        where it was recorded, and a mail server that is away must not fill the disk.
        """
        if not mails:
            return 0
        waiting = await mail_outbox.count_waiting(unit.connection, counted_max=WAITING_MAX)
        kept = mails[: WAITING_MAX - waiting]
        if len(kept) < len(mails):
            _log.error("mail_dropped", mails=len(mails) - len(kept), waiting=waiting)
        now = self._clock.now()
        rows = [
            NewMail(
                self._new_id(),
                mail.center_id,
                mail.dedupe_key,
                mail.recipient,
                mail.subject,
                mail.body,
                mail.child_id,
                mail.user_id,
            )
            for mail in kept
        ]
        queued = await mail_outbox.queue(unit.connection, rows, now, now + GIVE_UP_AFTER)
        if queued:
            unit.after_commit(self._on_queued)
        return queued


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """How many mails there are by state, since when the oldest waits, and why some wait or were given up."""

    waiting: int
    sent: int
    given_up: int
    oldest_waiting_at: datetime | None
    reasons: tuple[Reason, ...]


class MailOffice:
    """What an operator does with the outbox."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Work through `units`."""
        self._units = units
        self._clock = clock

    async def status(self) -> OutboxStatus:
        """Say how the outbox stands; addresses, subjects and bodies stay where they are."""
        async with self._units.read() as connection:
            found = await mail_outbox.reasons(connection)
            oldest = await mail_outbox.oldest_waiting(connection)
        mails = {state: sum(one.mails for one in found if one.state == state) for state in MailState}
        told = tuple(one for one in found if one.last_error)
        return OutboxStatus(mails[MailState.WAITING], mails[MailState.SENT], mails[MailState.GIVEN_UP], oldest, told)

    async def retry(self) -> int:
        """Let everything that was given up wait again, for as long as new mail; gives how many."""
        now = self._clock.now()
        async with self._units.begin(origin="mail") as unit:
            return await mail_outbox.retry(unit.connection, now=now, give_up_at=now + GIVE_UP_AFTER)
