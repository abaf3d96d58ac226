"""The mails that wait, as the people they are for will read them."""

import re
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from server.core.mailed_tokens import MailedTokens
from tests.support.api import SECRET, Api

_TOKEN = re.compile(r"#token=(\S+)")


@dataclass(frozen=True)
class WaitingLetter:
    """A mail as it stands in the table, and as it goes out."""

    recipient: str
    subject: str
    stored: str

    @property
    def body(self) -> str:
        return MailedTokens(SECRET).fill(self.stored)

    @property
    def token(self) -> str:
        found = _TOKEN.search(self.body)
        assert found is not None, self.stored
        return found[1]


@dataclass
class Letters:
    """Looks into the outbox of an app."""

    api: Api
    engine: AsyncEngine

    async def to(self, recipient: str) -> list[WaitingLetter]:
        """Give the mails to somebody, oldest first, once everything that was asked for is looked up."""
        await self.api.services.recoveries.answer_asked()
        async with self.engine.begin() as connection:
            # Waits for the job of the app, which may be at the same rows.
            await connection.execute(text("SELECT id FROM recovery_request FOR UPDATE"))
        async with self.engine.connect() as connection:
            statement = text("SELECT recipient, subject, body FROM mail_outbox WHERE recipient = :r ORDER BY id")
            rows = await connection.execute(statement, {"r": recipient})
            return [WaitingLetter(row.recipient, row.subject, row.body) for row in rows]
