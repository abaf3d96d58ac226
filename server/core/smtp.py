"""The one conversation with a mail server: what is sent, how safely, how long at most, and what a refusal means."""

import asyncio
import re
import ssl
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import aiosmtplib

from server.core.errors import SettingsError
from server.core.settings import Settings

# For one mail, its share of connecting included. RFC 5321 section 4.5.3.2 would let a server think for ten minutes
# after the last byte; who takes longer than this gets the mail again, with the same Message-ID.
SEND_DEADLINE_S: Final = 60.0
GOODBYE_DEADLINE_S: Final = 2.0
FIRST_LASTING_CODE: Final = 500
# "Closing", and three ways to say that we should have logged in (RFC 5321 section 4.2, RFC 4954 section 6).
CODES_ABOUT_US: Final = frozenset({421, 530, 534, 535, 538})
_ENHANCED_CODE: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?=\s|$)")  # RFC 3463
_LOCAL_PART: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")
_DOMAIN: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")


class Trouble(StrEnum):
    """What a failure is about, and so what helps."""

    SERVER = "server"  # it is away, or will not have us: no other mail will go out now
    PASSING = "passing"  # this mail, for now
    LASTING = "lasting"  # this mail, for good


class NotSent(Exception):
    """A mail did not go out, as far as we know; `reason` holds codes and words of ours, and no address."""

    def __init__(self, trouble: Trouble, reason: str) -> None:
        """Keep both."""
        super().__init__(reason)
        self.trouble = trouble
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as it is put into form; `id` is the same each time that it is sent."""

    id: str
    recipient: str
    subject: str
    body: str
    written_at: datetime


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over. `tls` is None when nothing is encrypted; `starts_tls` when it begins in the clear."""

    host: str
    port: int
    sender: str
    tls: ssl.SSLContext | None
    starts_tls: bool
    user: str = ""
    password: str = field(default="", repr=False)

    def session(self, deadline_s: float = SEND_DEADLINE_S) -> "MailSession":
        """Begin to send; each mail takes `deadline_s` at most."""
        return MailSession(self, deadline_s)


def mail_server(settings: Settings) -> MailServer | None:
    """Give the mail server of the settings, or None when there is none.

    Raises SettingsError when the file of SMTP_CA_FILE is no good.
    """
    if not settings.smtp_host:
        return None
    return MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.smtp_from,
        tls=None if settings.smtp_tls == "none" else _tls_context(settings.smtp_ca_file),
        starts_tls=settings.smtp_tls == "starttls",
        user=settings.smtp_user,
        password=settings.smtp_password.get_secret_value() if settings.smtp_password else "",
    )


class MailSession:
    """Sends one mail after the other over one connection, which is made when it is needed and made anew when lost."""

    def __init__(self, server: MailServer, deadline_s: float) -> None:
        """Only remember; entered as a context, it says goodbye at the end."""
        self._server = server
        self._deadline_s = deadline_s
        self._client: aiosmtplib.SMTP | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        try:
            if kind is None and client.is_connected:
                async with asyncio.timeout(GOODBYE_DEADLINE_S):
                    await client.quit()
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            pass  # the mails are through; what a server says to a goodbye changes nothing
        finally:
            client.close()

    async def send(self, letter: Letter) -> None:
        """Hand a mail over; without an error the server has taken it.

        Raises:
            NotSent: it did not, or did not say so in time. What the server said is not passed on: it holds addresses.

        """
        try:
            recipient = ascii_address(letter.recipient)
            message = composed(letter, self._server.sender, recipient)
        except ValueError:
            raise NotSent(Trouble.LASTING, "this is no address that mail can be sent to") from None
        about = Trouble.SERVER
        try:
            async with asyncio.timeout(self._deadline_s):
                client = await self._connected()
                about = Trouble.PASSING
                await client.sendmail(self._server.sender, [recipient], message)
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            is_answer = isinstance(error, aiosmtplib.SMTPResponseException | aiosmtplib.SMTPRecipientsRefused)
            if about is Trouble.SERVER or not is_answer:
                self._hang_up()
            raise _not_sent(error, about) from None
        except BaseException:
            self._hang_up()
            raise

    async def _connected(self) -> aiosmtplib.SMTP:
        if self._client is not None and self._client.is_connected:
            return self._client
        server = self._server
        self._client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            local_hostname=server.sender.rpartition("@")[2],
            timeout=self._deadline_s,
            use_tls=server.tls is not None and not server.starts_tls,
            start_tls=server.tls is not None and server.starts_tls,
            tls_context=server.tls,
            username=server.user or None,
            password=server.password or None,
        )
        await self._client.connect()
        return self._client

    def _hang_up(self) -> None:
        """Leave a connection of which nobody knows what it will say next."""
        client, self._client = self._client, None
        if client is not None:
            client.close()


def composed(letter: Letter, sender: str, recipient: str) -> bytes:
    """Give a mail as RFC 5322 wants it, in ASCII: subject in encoded words, body quoted-printable.

    Raises ValueError when a header holds a line end.
    """
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(letter.written_at)
    message["Message-ID"] = message_id(letter.id, sender)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    message.set_content(letter.body, charset="utf-8", cte="quoted-printable")
    return message.as_bytes()


def message_id(letter_id: str, sender: str) -> str:
    """Give the Message-ID by which a receiver can tell that a mail came twice."""
    return f"<{letter_id}@{sender.rpartition('@')[2]}>"


def ascii_address(address: str) -> str:
    """Give an address as every mail server takes it, its domain in Punycode.

    Raises ValueError when it is none: among others when it holds a line end, a blank or a bracket, or letters before
    the @ that need SMTPUTF8.
    """
    local_part, _, domain = address.rpartition("@")
    plain_domain = domain.encode("idna").decode("ascii") if domain else ""
    if not _LOCAL_PART.fullmatch(local_part) or not _DOMAIN.fullmatch(plain_domain):
        raise ValueError("this is no e-mail address")
    return f"{local_part}@{plain_domain}"


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"SMTP_CA_FILE names {ca_file}, which cannot be read as certificates (PEM).") from error


def _not_sent(error: Exception, about: Trouble) -> NotSent:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return _refused(error.recipients[0], about, "recipient")
    if isinstance(error, aiosmtplib.SMTPSenderRefused):
        # Whom we send as is for the operator to settle: it says nothing of this mail.
        return _refused(error, Trouble.SERVER, "sender")
    if isinstance(error, aiosmtplib.SMTPResponseException):
        stage = {Trouble.SERVER: "connecting"}.get(about, "mail")
        return _refused(error, about, "log-in" if isinstance(error, aiosmtplib.SMTPAuthenticationError) else stage)
    return NotSent(about, _in_words(error))


def _refused(error: aiosmtplib.SMTPResponseException, about: Trouble, stage: str) -> NotSent:
    if error.code in CODES_ABOUT_US:
        about = Trouble.SERVER
    elif about is not Trouble.SERVER and error.code >= FIRST_LASTING_CODE:
        about = Trouble.LASTING
    enhanced = _ENHANCED_CODE.match(error.message)
    return NotSent(about, f"{stage} refused: {error.code}{f' {enhanced[0]}' if enhanced else ''}")


def _in_words(error: Exception) -> str:
    if any(isinstance(link, ssl.SSLError) for link in (error, error.__cause__, error.__context__)):
        return "the certificate of the mail server is not trusted, or TLS failed"
    if isinstance(error, TimeoutError):
        return "the mail server did not answer in time"
    if isinstance(error, OSError):
        return "the connection to the mail server failed or was lost"
    return "the mail server cannot do what the settings ask for"
