"""A real mail server on a real socket, which says what a test tells it to say."""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from server.core.smtp import MailServer

SENDER = "rollcall@hill.example.org"
CLOSE = "close"
HANG = "hang"
OK = "250 OK"


@dataclass
class Delivered:
    """A mail that was taken in."""

    recipient: str
    message: EmailMessage
    raw: bytes

    @property
    def message_id(self) -> str:
        return str(self.message["Message-ID"])


@dataclass
class PostOffice:
    """Takes mail in. Answers are used up one after the other; afterwards everything is welcome.

    An answer is what SMTP says (`451 4.7.1 later`), or `CLOSE` or `HANG`.
    """

    port: int = 0
    delivered: list[Delivered] = field(default_factory=list)
    to_recipient: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    to_data: list[str] = field(default_factory=list)
    to_sender: list[str] = field(default_factory=list)
    connections: int = 0
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    password: bytes = b""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    together: asyncio.Barrier | None = None

    def address(self, tls: ssl.SSLContext | None = None, **more: Any) -> MailServer:
        """How the server is reached; in the clear, or as `more` says."""
        return MailServer("localhost", self.port, SENDER, tls, **{"starts_tls": tls is not None, **more})

    def recipients(self) -> list[str]:
        return sorted(one.recipient for one in self.delivered)

    def login(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == self.password, handled=False)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd finds it by this name
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        said = await self._say(server, self.to_sender)
        if said == OK:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return said

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        said = await self._say(server, self.to_recipient[address])
        if said == OK:
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.together is not None:
            await self.together.wait()
        raw = envelope.content
        assert isinstance(raw, bytes)
        if not self.to_data or self.to_data[0] in {CLOSE, HANG}:
            message = message_from_bytes(raw, policy=default)
            assert isinstance(message, EmailMessage)
            self.delivered.append(Delivered(envelope.rcpt_tos[0], message, raw))
        self.arrived.set()
        return await self._say(server, self.to_data)

    async def _say(self, server: SMTP, answers: list[str]) -> str:
        said = answers.pop(0) if answers else OK
        if said == CLOSE:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        if said in {CLOSE, HANG}:
            await asyncio.Event().wait()  # the end of the connection ends this
        return said


@asynccontextmanager
async def post_office(
    *, tls: ssl.SSLContext | None = None, begins_with_tls: ssl.SSLContext | None = None, password: bytes = b""
) -> AsyncIterator[PostOffice]:
    """Run a mail server; `tls` offers STARTTLS and insists on it, `begins_with_tls` speaks nothing else."""
    office = PostOffice(password=password)
    loop = asyncio.get_running_loop()

    def connected() -> SMTP:
        office.connections += 1
        return SMTP(
            office, hostname="localhost", loop=loop, tls_context=tls, require_starttls=tls is not None,
            auth_required=bool(password), authenticator=office.login,
        )  # fmt: skip

    server = await loop.create_server(connected, "localhost", 0, ssl=begins_with_tls, family=2)
    office.port = server.sockets[0].getsockname()[1]
    async with server:
        yield office
