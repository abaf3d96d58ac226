"""An outbox on PostgreSQL, a mail server, and senders between them."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from server.core.ids import Ids
from server.core.smtp import MailServer
from server.repositories.unit_of_work import UnitsOfWork
from server.services.mail import Mail, MailOffice, Outbox
from server.services.mail_sender import MailSender
from tests.support.clock import FakeClock
from tests.support.post_office import PostOffice

DEADLINE_S = 20.0


def mail_to(recipient: str, key: str = "") -> Mail:
    """A mail that says nothing much."""
    return Mail(key or f"test:{recipient}", recipient, "Elm Lane: something for you to look at", "Open Rollcall.\n")


@dataclass
class Mailroom:
    """`woken` counts how often the sender was told that there is work."""

    engine: AsyncEngine
    office: PostOffice
    clock: FakeClock = field(default_factory=FakeClock)
    woken: int = 0

    def __post_init__(self) -> None:
        ids = Ids(self.clock)
        self.units = UnitsOfWork(self.engine, clock=self.clock, luck=bytes, new_id=ids.new)
        self.outbox = Outbox(self.clock, ids.new, self._wake)
        self.desk = MailOffice(self.units, self.clock)

    def sender(
        self, server: MailServer | None = None, *, luck: float = 0.5, deadline_s: float = DEADLINE_S
    ) -> MailSender:
        """One of any number of senders; each could be in a process of its own."""
        return MailSender(self.units, server or self.office.address(), self.clock, lambda: luck, deadline_s=deadline_s)

    async def queue(self, *mails: Mail) -> int:
        """Queue in a transaction that holds nothing else."""
        async with self.units.begin() as unit:
            return await self.outbox.queue(unit, mails)

    async def row(self, recipient: str = "a@example.org") -> Any:
        """The mail to somebody as the table has it."""
        async with self.engine.connect() as connection:
            found = await connection.execute(text("SELECT * FROM mail_outbox WHERE recipient = :r"), {"r": recipient})
            return found.one()

    async def states(self) -> dict[str, str]:
        """State by recipient."""
        async with self.engine.connect() as connection:
            rows = await connection.execute(text("SELECT recipient, state FROM mail_outbox ORDER BY recipient"))
            return {row.recipient: row.state for row in rows}

    def _wake(self) -> None:
        self.woken += 1
