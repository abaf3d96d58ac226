"""The outbox on real PostgreSQL: a mail exists with its fact, is queued once, taken by one, and ends one day."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

from server.core.database import create_engine
from server.repositories import mail_outbox
from server.services import mail as mail_service
from server.services.mail import GIVE_UP_AFTER, MailState, OutboxStatus
from server.services.mail_sender import KEPT, LEASE, MailSender, Sent
from tests.support.mailroom import Mailroom, mail_to
from tests.support.post_office import PostOffice
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres
DAY_MS = 86_400_000


@pytest.fixture
async def room(database: FreshDatabase) -> AsyncIterator[Mailroom]:
    engine = create_engine(database.urls.app, pool_size=5)
    yield Mailroom(engine, PostOffice())
    await engine.dispose()


def sender_without_server(room: Mailroom) -> MailSender:
    return MailSender(room.units, None, room.clock, lambda: 0.5)


async def test_the_same_notification_is_queued_once_ever(room: Mailroom) -> None:
    assert await room.queue(mail_to("a@example.org"), mail_to("b@example.org")) == 2
    assert await room.queue(mail_to("b@example.org"), mail_to("c@example.org")) == 1
    assert await room.states() == dict.fromkeys(("a@example.org", "b@example.org", "c@example.org"), "waiting")


async def test_one_notification_that_is_there_twice_is_one_mail(room: Mailroom) -> None:
    assert await room.queue(mail_to("a@example.org"), mail_to("a@example.org")) == 1


async def test_a_transaction_that_is_undone_leaves_no_mail_and_wakes_nobody(room: Mailroom) -> None:
    async def undone() -> None:
        async with room.units.begin() as unit:
            assert await room.outbox.queue(unit, [mail_to("a@example.org")]) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await undone()
    assert await room.states() == {}
    assert room.woken == 0


async def test_the_sender_is_woken_when_the_mail_can_be_seen_and_not_before(room: Mailroom) -> None:
    async with room.units.begin() as unit:
        await room.outbox.queue(unit, [mail_to("a@example.org")])
        assert room.woken == 0
    assert room.woken == 1
    await room.queue(mail_to("a@example.org"))
    assert room.woken == 1, "nothing was new"


async def test_two_takers_at_once_take_different_mails_and_wait_for_nobody(room: Mailroom) -> None:
    await room.queue(*(mail_to(f"{name}@example.org") for name in "abcd"))
    now = room.clock.now()
    async with room.units.begin() as first, room.units.begin() as second:
        mine = await mail_outbox.take_due(first.connection, now=now, lease_end=now + LEASE, mails_max=2)
        yours = await mail_outbox.take_due(second.connection, now=now, lease_end=now + LEASE, mails_max=5)
    assert (len(mine), len(yours)) == (2, 2)
    assert not {mail.id for mail in mine} & {mail.id for mail in yours}


async def test_a_mail_that_was_taken_is_due_again_when_the_lease_ends(room: Mailroom) -> None:
    await room.queue(mail_to("a@example.org"))

    async def take() -> list[int]:
        now = room.clock.now()
        async with room.units.begin() as unit:
            taken = await mail_outbox.take_due(unit.connection, now=now, lease_end=now + LEASE, mails_max=5)
        return [mail.attempts for mail in taken]

    assert await take() == [1]
    assert await take() == []
    room.clock.advance_ms(int(LEASE.total_seconds() * 1000))
    assert await take() == [2]


async def test_who_was_overtaken_cannot_put_back_what_another_has_but_can_say_that_it_went_out(room: Mailroom) -> None:
    await room.queue(mail_to("a@example.org"))
    taken = []
    for _ in range(2):
        now = room.clock.now()
        async with room.units.begin() as unit:
            taken += await mail_outbox.take_due(unit.connection, now=now, lease_end=now + LEASE, mails_max=5)
        room.clock.advance_ms(int(LEASE.total_seconds() * 1000))
    async with room.units.begin() as unit:
        await mail_outbox.give_up(unit.connection, taken[0], reason="late")
        await mail_outbox.put_back(unit.connection, taken[0], not_before=room.clock.now(), reason="late")
    row = await room.row()
    assert (row.state, row.last_error) == ("waiting", "")
    async with room.units.begin() as unit:
        await mail_outbox.note_sent(unit.connection, taken[0], room.clock.now())
    assert (await room.row()).state == "sent"


async def test_without_a_mail_server_mails_wait_and_one_warning_says_so(room: Mailroom) -> None:
    sender = sender_without_server(room)
    with capture_logs() as lines:
        await sender.send_due()
    assert lines == []
    await room.queue(mail_to("a@example.org"))
    with capture_logs() as lines:
        await sender.send_due()
        await sender.send_due()
    assert [(line["event"], line["log_level"]) for line in lines] == [("mail_waits", "warning")]
    assert (await room.row()).attempts == 0


async def test_after_three_days_a_mail_is_given_up_and_retry_gives_it_three_more(room: Mailroom) -> None:
    sender = sender_without_server(room)
    await room.queue(mail_to("a@example.org"))
    room.clock.advance_ms(3 * DAY_MS - 1)
    assert await sender.send_due() == Sent()
    room.clock.advance_ms(1)
    assert await sender.send_due() == Sent(given_up=1)
    row = await room.row()
    assert (row.state, row.last_error) == ("given_up", "no mail server was set for three days")
    assert await room.desk.retry() == 1
    assert await sender.send_due() == Sent()
    row = await room.row()
    assert (row.state, row.attempts, row.last_error) == ("waiting", 0, "")
    assert row.give_up_at == room.clock.now() + GIVE_UP_AFTER


async def test_what_was_done_with_is_forgotten_after_ninety_days_and_what_waits_is_not(room: Mailroom) -> None:
    sender = sender_without_server(room)
    await room.queue(mail_to("a@example.org"))
    room.clock.advance_ms(3 * DAY_MS)
    await sender.send_due()
    room.clock.advance_ms(int(KEPT.total_seconds() * 1000) - 3 * DAY_MS)
    await room.queue(mail_to("b@example.org"))
    assert await sender.forget_old() == 0
    room.clock.advance_ms(1)
    assert await sender.forget_old() == 1
    assert await room.states() == {"b@example.org": "waiting"}


async def test_a_full_outbox_drops_mail_aloud_and_lets_the_fact_stand(
    room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_service, "WAITING_MAX", 2)
    with capture_logs() as lines:
        assert await room.queue(*(mail_to(f"{name}@example.org") for name in "abc")) == 2
        assert await room.queue(mail_to("d@example.org")) == 0
    assert [(line["event"], line["mails"]) for line in lines] == [("mail_dropped", 1), ("mail_dropped", 1)]


async def test_the_status_counts_and_tells_no_address(room: Mailroom) -> None:
    assert await room.desk.status() == OutboxStatus(0, 0, 0, None, ())
    first_at = room.clock.now()
    await room.queue(mail_to("a@example.org"))
    room.clock.advance_ms(1000)
    await room.queue(mail_to("b@example.org"), mail_to("c@example.org"))
    now = room.clock.now()
    async with room.units.begin() as unit:
        taken = await mail_outbox.take_due(unit.connection, now=now, lease_end=now + timedelta(0), mails_max=2)
        await mail_outbox.give_up(unit.connection, taken[1], reason="recipient refused: 550 5.1.1")
    status = await room.desk.status()
    assert (status.waiting, status.sent, status.given_up, status.oldest_waiting_at) == (2, 0, 1, first_at)
    assert [(one.state, one.mails, one.last_error) for one in status.reasons] == [
        (MailState.GIVEN_UP, 1, "recipient refused: 550 5.1.1")
    ]


@pytest.mark.parametrize("column", ["recipient", "subject"])
async def test_the_table_itself_takes_no_line_end_into_a_header(room: Mailroom, column: str) -> None:
    await room.queue(mail_to("a@example.org"))
    statement = f"UPDATE mail_outbox SET {column} = 'a' || chr(13) || chr(10) || 'Bcc: b@example.org'"
    with pytest.raises(IntegrityError, match=f"ck_mail_outbox_{column}"):
        async with room.engine.begin() as connection:
            await connection.exec_driver_sql(statement)
