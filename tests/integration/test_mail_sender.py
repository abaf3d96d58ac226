"""Sending to a real mail server on a real socket: what is refused, what is lost, and what comes twice."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from server.core.database import create_engine
from server.core.settings import load_settings
from server.core.smtp import MailServer, mail_server
from server.services.mail import Mail
from server.services.mail_sender import LEASE, Sent
from tests.support.faults.tls import certificate
from tests.support.mailroom import DEADLINE_S, Mailroom, mail_to
from tests.support.post_office import CLOSE, HANG, SENDER, PostOffice, post_office
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres
LEASE_MS = int(LEASE.total_seconds() * 1000)
HOUR_MS = 3_600_000


@pytest.fixture
async def room(database: FreshDatabase) -> AsyncIterator[Mailroom]:
    engine = create_engine(database.urls.app, pool_size=5)
    async with post_office() as office:
        yield Mailroom(engine, office)
    await engine.dispose()


async def test_what_waits_is_sent_and_says_what_it_should(room: Mailroom) -> None:
    subject = "Größe & Ö — Kita „Sonnenblume“ mit einem langen Namen: something critical for you to look at 🌻"
    body = "Zeile eins: ä\n.\n" + "x" * 1500 + "\nFrom here on\n"
    await room.queue(Mail("k", "a@example.org", subject, body))
    queued_at = room.clock.now()
    assert await room.sender().send_due() == Sent(sent=1)
    (found,) = room.office.delivered
    row = await room.row()
    assert (row.state, row.sent_at, row.last_error) == ("sent", room.clock.now(), "")
    assert found.recipient == "a@example.org"
    message = found.message
    assert (message["From"], message["To"], message["Subject"]) == (SENDER, "a@example.org", subject)
    assert message["Message-ID"] == f"<{row.id}@hill.example.org>"
    assert parsedate_to_datetime(message["Date"]) == queued_at.replace(microsecond=0)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "text/plain"
    assert message.get_content().replace("\r\n", "\n") == body
    assert found.raw.isascii()
    assert max(map(len, found.raw.splitlines())) <= 78
    assert await room.sender().send_due() == Sent()


async def test_many_mails_go_over_few_connections(room: Mailroom) -> None:
    names = [f"{name}@example.org" for name in "abcdefghijkl"]
    await room.queue(*map(mail_to, names))
    assert await room.sender().send_due() == Sent(sent=12)
    assert room.office.recipients() == names
    assert room.office.connections == 3


async def test_a_recipient_that_is_refused_for_good_is_given_up_and_the_others_get_theirs(room: Mailroom) -> None:
    room.office.to_recipient["b@example.org"] = ["550 5.1.1 <b@example.org>: no such user here"]
    await room.queue(*(mail_to(f"{name}@example.org") for name in "abc"))
    with capture_logs() as lines:
        assert await room.sender().send_due() == Sent(sent=2, given_up=1)
    assert room.office.recipients() == ["a@example.org", "c@example.org"]
    row = await room.row("b@example.org")
    assert (row.state, row.last_error) == ("given_up", "recipient refused: 550 5.1.1")
    assert "example.org" not in repr(lines)


async def test_a_mail_that_is_refused_for_good_is_given_up(room: Mailroom) -> None:
    room.office.to_data = ["554 5.7.1 looks like spam"]
    await room.queue(mail_to("a@example.org"))
    assert await room.sender().send_due() == Sent(given_up=1)
    assert (await room.row()).last_error == "mail refused: 554 5.7.1"


@pytest.mark.parametrize("answer", ["451 4.7.1 greylisted", CLOSE])
async def test_what_fails_for_now_is_sent_when_it_is_due_again(room: Mailroom, answer: str) -> None:
    room.office.to_recipient["a@example.org"] = [answer]
    await room.queue(mail_to("a@example.org"), mail_to("b@example.org"))
    assert await room.sender().send_due() == Sent(sent=1, put_back=1)
    row = await room.row()
    assert (row.state, row.attempts) == ("waiting", 1)
    assert row.last_error in {"recipient refused: 451 4.7.1", "the connection to the mail server failed or was lost"}
    room.clock.advance_ms(14_999)
    assert await room.sender().send_due() == Sent()
    room.clock.advance_ms(1)
    assert await room.sender().send_due() == Sent(sent=1)
    assert room.office.recipients() == ["a@example.org", "b@example.org"]


async def test_a_mail_whose_answer_was_lost_comes_twice_with_one_message_id(room: Mailroom) -> None:
    room.office.to_data = [CLOSE]
    await room.queue(mail_to("a@example.org"))
    assert await room.sender().send_due() == Sent(put_back=1)
    room.clock.advance_ms(HOUR_MS)
    assert await room.sender().send_due() == Sent(sent=1)
    first, second = room.office.delivered
    assert first.message_id == second.message_id


async def test_a_server_that_hangs_costs_a_deadline_and_the_next_mail_goes_out(room: Mailroom) -> None:
    room.office.to_recipient["a@example.org"] = [HANG]
    await room.queue(mail_to("a@example.org"), mail_to("b@example.org"))
    assert await room.sender(deadline_s=0.5).send_due() == Sent(sent=1, put_back=1)
    assert (await room.row()).last_error == "the mail server did not answer in time"
    assert room.office.recipients() == ["b@example.org"]


async def test_a_server_that_accepts_and_says_nothing_costs_one_deadline_for_all(room: Mailroom) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "localhost", 0, family=2)
    port = silent.sockets[0].getsockname()[1]
    await room.queue(mail_to("a@example.org"), mail_to("b@example.org"))
    async with silent:
        sender = room.sender(MailServer("localhost", port, SENDER, None, starts_tls=False), deadline_s=0.5)
        assert await sender.send_due() == Sent(put_back=2)


async def test_a_server_that_is_away_puts_back_the_batch_and_ends_the_run(room: Mailroom) -> None:
    async with post_office() as gone:
        address = gone.address()
    await room.queue(*(mail_to(f"{name}@example.org") for name in "abcdefg"))
    assert await room.sender(address).send_due() == Sent(put_back=5)
    assert await room.sender().send_due() == Sent(sent=2)
    room.clock.advance_ms(15_000)
    assert await room.sender().send_due() == Sent(sent=5)


async def test_a_sender_who_is_not_wanted_is_no_fault_of_the_mail(room: Mailroom) -> None:
    room.office.to_sender = ["550 5.7.1 not from you"]
    await room.queue(mail_to("a@example.org"))
    assert await room.sender().send_due() == Sent(put_back=1)
    assert (await room.row()).last_error == "sender refused: 550 5.7.1"


async def test_tries_are_further_and_further_apart_up_to_an_hour_and_end_after_three_days(room: Mailroom) -> None:
    room.office.to_recipient["a@example.org"] = ["451 later"] * 1000
    await room.queue(mail_to("a@example.org"))
    begun = room.clock.now()
    waits = []
    sender = room.sender(luck=0.999)
    while (await sender.send_due()).put_back:
        row = await room.row()
        waits.append((row.not_before - room.clock.now()).total_seconds())
        room.clock.advance_ms(int(waits[-1] * 1000) + 1)
    assert waits[:3] == pytest.approx([30, 60, 120], rel=0.01)
    assert max(waits) == pytest.approx(3600, rel=0.01)
    assert (await room.row()).state == "given_up"
    assert 3 <= (room.clock.now() - begun).total_seconds() / 86_400 < 3.1


async def test_a_sender_that_dies_before_it_writes_down_sends_again_with_the_same_message_id(room: Mailroom) -> None:
    room.office.to_data = [HANG]
    await room.queue(mail_to("a@example.org"))
    dying = asyncio.create_task(room.sender().send_due())
    async with asyncio.timeout(DEADLINE_S):
        await room.office.arrived.wait()
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    assert await room.sender().send_due() == Sent(), "the lease holds"
    room.clock.advance_ms(LEASE_MS)
    assert await room.sender().send_due() == Sent(sent=1)
    first, second = room.office.delivered
    assert first.message_id == second.message_id


async def test_two_senders_at_once_send_no_mail_twice(room: Mailroom) -> None:
    names = sorted(f"{number}@example.org" for number in range(20))
    await room.queue(*map(mail_to, names))
    room.office.together = asyncio.Barrier(2)  # a mail is let in when one of the other sender is there too
    async with asyncio.timeout(DEADLINE_S):
        done = await asyncio.gather(room.sender().send_due(), room.sender().send_due())
    assert sum((one.sent for one in done), 0) == 20
    assert room.office.recipients() == names


async def test_nothing_of_the_database_is_held_while_a_mail_is_on_its_way(room: Mailroom) -> None:
    room.office.to_data = [HANG]
    await room.queue(mail_to("a@example.org"))
    sending = asyncio.create_task(room.sender().send_due())
    async with asyncio.timeout(DEADLINE_S):
        await room.office.arrived.wait()
    async with room.engine.connect() as connection:
        busy = await connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND state LIKE 'idle in transaction%%'"
        )
        assert busy.scalar_one() == 0
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


@pytest.mark.parametrize("recipient", ["zoë@example.org", "a b@example.org", "a@-x", "<a@example.org>", "nobody"])
async def test_an_address_that_no_server_could_take_is_given_up(room: Mailroom, recipient: str) -> None:
    await room.queue(mail_to(recipient, "k"))
    assert await room.sender().send_due() == Sent(given_up=1)
    assert (await room.row(recipient)).last_error == "this is no address that mail can be sent to"


async def test_a_domain_with_other_letters_is_sent_in_punycode(room: Mailroom) -> None:
    await room.queue(mail_to("a@bücher.example"))
    assert await room.sender().send_due() == Sent(sent=1)
    assert room.office.recipients() == ["a@xn--bcher-kva.example"]


# What is encrypted, and with whom.


def server_context(folder: Path, host: str = "localhost") -> tuple[ssl.SSLContext, Path]:
    paths = certificate(folder, host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*paths)
    return context, paths[0]


def encrypting_office(context: ssl.SSLContext, mode: str) -> AbstractAsyncContextManager[PostOffice]:
    return post_office(tls=context) if mode == "starttls" else post_office(begins_with_tls=context)


def address_of(office: PostOffice, **more: object) -> MailServer:
    """What the settings of an operator make of it."""
    chosen: dict[str, object] = {"smtp_host": "localhost", "smtp_port": office.port, "smtp_from": SENDER, **more}
    found = mail_server(
        load_settings(env_file=None, environment="test", secret_key="k" * 16 + "zyxwvutsrqponmlk", **chosen)
    )
    assert found is not None
    return found


@pytest.mark.parametrize("mode", ["starttls", "tls"])
async def test_mail_goes_encrypted_to_a_server_whose_certificate_is_trusted(
    room: Mailroom, tmp_path: Path, mode: str
) -> None:
    context, ca_file = server_context(tmp_path)
    await room.queue(mail_to("a@example.org"))
    async with encrypting_office(context, mode) as office:
        sender = room.sender(address_of(office, smtp_tls=mode, smtp_ca_file=ca_file))
        assert await sender.send_due() == Sent(sent=1)
        assert office.recipients() == ["a@example.org"]


@pytest.mark.parametrize("mode", ["starttls", "tls"])
@pytest.mark.parametrize("host", ["localhost", "elsewhere.example"])
async def test_a_certificate_that_is_not_trusted_or_of_another_host_gets_no_mail(
    room: Mailroom, tmp_path: Path, mode: str, host: str
) -> None:
    context, ca_file = server_context(tmp_path, host)
    await room.queue(mail_to("a@example.org"))
    async with encrypting_office(context, mode) as office:
        trusted = {} if host == "localhost" else {"smtp_ca_file": ca_file}
        assert await room.sender(address_of(office, smtp_tls=mode, **trusted)).send_due() == Sent(put_back=1)
        assert office.delivered == []
    assert (await room.row()).last_error == "the certificate of the mail server is not trusted, or TLS failed"


async def test_a_server_without_starttls_gets_no_mail_when_encryption_is_asked_for(room: Mailroom) -> None:
    await room.queue(mail_to("a@example.org"))
    assert await room.sender(address_of(room.office)).send_due() == Sent(put_back=1)
    assert room.office.delivered == []
    assert (await room.row()).last_error == "the mail server cannot do what the settings ask for"


async def test_a_server_that_wants_a_log_in_gets_it(room: Mailroom, tmp_path: Path) -> None:
    context, ca_file = server_context(tmp_path)
    await room.queue(mail_to("a@example.org"), mail_to("b@example.org"))
    async with post_office(tls=context, password=b"open sesame") as office:
        without = address_of(office, smtp_ca_file=ca_file)
        assert await room.sender(without).send_due() == Sent(put_back=2)
        assert (await room.row()).last_error == "sender refused: 530 5.7.0"
        room.clock.advance_ms(HOUR_MS)
        wrong = address_of(office, smtp_ca_file=ca_file, smtp_user="rollcall", smtp_password="open barley")
        assert await room.sender(wrong).send_due() == Sent(put_back=2)
        assert (await room.row()).last_error == "log-in refused: 535 5.7.8"
        room.clock.advance_ms(HOUR_MS)
        right = address_of(office, smtp_ca_file=ca_file, smtp_user="rollcall", smtp_password="open sesame")
        assert await room.sender(right).send_due() == Sent(sent=2)
        assert office.logins[-1] == (b"rollcall", b"open sesame")
    assert "sesame" not in repr(right)
