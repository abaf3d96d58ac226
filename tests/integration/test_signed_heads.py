"""Signed days of the books: whoever owns the database and writes a chain anew, or cuts it off, is named."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from server.core.asking import NOBODY, THE_SERVER, asks, operator_asks
from server.core.audit_chain import GENESIS, next_hash
from server.core.database import sqlstate_of
from server.core.ids import Ids
from server.core.signed_heads import HeadKey, from_line
from server.repositories import audit, signed_heads
from server.repositories.unit_of_work import UnitsOfWork
from server.services.heads_file import read_sheets
from server.services.heads_mail import HeadsMail
from server.services.mail import Outbox
from server.services.signed_heads import SignedHeads
from server.services.verification import Verification
from server.services.verification_heads import HeadsVerification
from tests.support.books import Books, Tampering, books_on
from tests.support.postgres import FreshDatabase, PostgresServer

pytestmark = pytest.mark.postgres
SECRET: Final = "a secret for the tests of signed heads, 48 bytes."
DAY_MS: Final = 86_400_000
ANEW: Final = "UPDATE audit_entry SET actor = :actor, hash = :hash WHERE chain_id = :c AND seq = :seq"
HEAD_ANEW: Final = "UPDATE audit_head SET hash = :hash WHERE chain_id = :c"
HEAD_BACK: Final = """
    UPDATE audit_head SET seq = :end,
        hash = (SELECT hash FROM audit_entry WHERE chain_id = :c AND seq = :end) WHERE chain_id = :c
"""
JOURNAL_BACK: Final = """
    UPDATE device_journal SET last_seq = 2, evidence_seq = 2, last_hash = entry.hash, evidence = entry.evidence
    FROM journal_entry AS entry
    WHERE entry.center_id = :c AND entry.seq = 2 AND device_journal.center_id = :c
"""


@pytest.fixture
async def books(postgres_server: PostgresServer, database: FreshDatabase) -> AsyncIterator[Books]:
    async with books_on(postgres_server, database) as opened:
        with asks(operator_asks("import")):
            await opened.take_in()
        await opened.morning()
        yield opened


class Keeper:
    """Signs the days of the books, and checks them as `verify` does."""

    def __init__(self, books: Books, path: Path) -> None:
        self.books, self.path = books, path
        self.key = HeadKey(SECRET)
        self.units = books.units
        mail = HeadsMail(Outbox(books.clock, Ids(books.clock).new), ["auditor@example.org"])
        self.job = SignedHeads(books.world.units, books.clock, self.key, path, mail)

    async def sign_a_day(self) -> None:
        with asks(THE_SERVER):
            await self.job.run()
        self.books.clock.advance_ms(DAY_MS)

    async def wrong(self, path: Path | None = None, key: HeadKey | None = None) -> list[str]:
        """What `verify` names, the signed days first."""
        outside = read_sheets(path)[0] if path else []
        with asks(THE_SERVER):
            report, pins = await HeadsVerification(self.units, (key or self.key).public_key).check(outside)
            verification = Verification(self.units)
            ids = {*await verification.center_ids(), *(chain_id for _, chain_id, _ in pins)}
            reports = [await verification.check(center_id, pins=pins) for center_id in sorted(ids)]
        findings = [*report.findings, *(one for part in reports for one in part.findings)]
        return [f"{one.table} {one.key}: {one.what}" for one in findings]


async def anew(forger: Tampering, center: str, from_seq: int) -> None:
    """Write the audit log of a centre anew from a number on, with every hash and the head, as its owner can."""
    async with forger.read() as connection:
        rows = [row async for row in audit.chain(connection, center)]
        last = GENESIS
        for entry, _ in rows:
            changed = replace(entry, actor="x") if entry.seq >= from_seq else entry
            last = next_hash(last, changed)
            values = {"actor": changed.actor, "hash": last, "c": center, "seq": entry.seq}
            await connection.execute(text(ANEW), values)
        await connection.execute(text(HEAD_ANEW), {"hash": last, "c": center})


async def test_a_day_is_signed_once_carried_out_and_right(books: Books, tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    keeper, second = Keeper(books, path), Keeper(books, tmp_path / "of another server.jsonl")
    with asks(THE_SERVER):
        await keeper.job.run()
        await second.job.run()
    (sheet,) = read_sheets(path)[0]
    assert read_sheets(second.path)[0] == [sheet]
    # Whom the operator names gets it by mail, once, and what a mail holds is what `verify` takes.
    async with books.units.read() as connection:
        mails = (await connection.execute(text("SELECT recipient, subject, body FROM mail_outbox"))).all()
    assert [(one.recipient, one.subject) for one in mails] == [
        ("auditor@example.org", f"Rollcall: signed heads of {sheet.sheet.day}, number 1")
    ]
    (line,) = [one for one in mails[0].body.splitlines() if one.startswith("{")]
    assert from_line(line.encode()) == sheet
    assert sheet.sheet.digest.hex() in mails[0].body
    assert {(head.kind, head.chain_id) for head in sheet.sheet.heads} >= {
        ("log", await books.center("elm")), ("log", await books.center("oak")),
        ("journal", await books.center("elm")), ("audit", await books.center("elm")),
    }  # fmt: skip
    books.clock.advance_ms(DAY_MS)
    # Nothing moved but one log; a new secret signs at once, and vouches for the days before.
    await books.rename("elm", "C-1", "Later")
    await keeper.sign_a_day()
    assert [head.kind for head in read_sheets(path)[0][1].sheet.heads] == ["log"]
    assert await keeper.wrong(path) == []
    new = HeadKey("another secret, as after it was lost, 48 bytes..")
    assert (await keeper.wrong(path, new))[0].startswith("signed_day number 2: it was not signed with the key")
    with asks(THE_SERVER):
        await SignedHeads(books.world.units, books.clock, new, path).run()
    assert await keeper.wrong(path, new) == []
    # Nobody changes what was signed, and the server's own role may not even try.
    for units in (books.units, books.world.units):
        for statement in ("UPDATE signed_head SET seq = 1", "DELETE FROM signed_day", "TRUNCATE signed_head"):
            with asks(THE_SERVER), pytest.raises(DBAPIError) as refused:
                async with units.begin() as unit:
                    await unit.connection.execute(text(statement))
            assert sqlstate_of(refused.value) == "42501"
    with asks(NOBODY):
        async with books.world.units.read() as connection:
            assert await signed_heads.last(connection) is None, "nobody sees it who is not the server"


async def test_whoever_writes_anew_or_cuts_off_what_was_signed_is_named(books: Books, tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    keeper, elm = Keeper(books, path), await books.center("elm")
    with asks(operator_asks("import")):
        await books.rename("elm", "C-1", "Later")
    await keeper.sign_a_day()
    with asks(operator_asks("import")):
        await books.rename("elm", "C-2", "Later")
    await keeper.sign_a_day()
    days = [one.sheet for one in read_sheets(path)[0]]
    ends = [next(head.seq for head in day.heads if (head.kind, head.chain_id) == ("audit", elm)) for day in days]
    assert await keeper.wrong(path) == []
    async with books.tampering() as forger:
        keeper.units = cast("UnitsOfWork", forger)

        async def look(*statements: str, outside: Path | None = None, from_seq: int = 0, **values: int) -> str:
            """What is found first, once an audit log is written anew and statements are run; then it is as before."""
            async with forger.changed("UPDATE center SET name = name", *statements, c=elm, **values):
                if from_seq:
                    await anew(forger, elm, from_seq)
                return next(iter(await keeper.wrong(outside)), "")

        assert await look() == ""
        # A row of the second day, with everything behind it, is written anew: what was signed then still says so.
        what = f"written anew: a row from {ends[0] + 1} to {ends[1]} is not what was signed on {days[1].day}"
        assert await look(from_seq=ends[0] + 1) == f"audit_entry number {ends[1]}: {what}"
        what = f"written anew: a row from 1 to {ends[0]} is not what was signed on {days[0].day}"
        assert await look(from_seq=1) == f"audit_entry number {ends[0]}: {what}"
        # One row without its hash.
        one = await look("UPDATE audit_entry SET actor = 'x' WHERE chain_id = :c AND seq = 2")
        assert one.startswith("audit_entry number 2: it is not what was written")
        # The tail is cut off, and the head moved back; or everything goes.
        gone = f"the rows from {ends[0] + 1} to {ends[1]} are missing: they were signed on {days[1].day}"
        cut = ("DELETE FROM audit_entry WHERE chain_id = :c AND seq > :end", HEAD_BACK)
        assert await look(*cut, end=ends[0]) == f"audit_entry number {ends[0] + 1}: {gone}"
        everything = [f"DELETE FROM {table} WHERE chain_id = :c" for table in ("audit_entry", "audit_head")]
        assert (await look(*everything)).startswith("audit_entry number 1: the rows from 1 to ")
        # The end of a journal, which is in no log, or all of it with its row.
        cut = ("DELETE FROM journal_entry WHERE center_id = :c AND outcome = 5", JOURNAL_BACK)
        assert "the rows from 3 to 3 are missing" in await look(*cut)
        everything = [f"DELETE FROM {table} WHERE center_id = :c" for table in ("journal_entry", "device_journal")]
        assert (await look(*everything)).startswith("device_journal ")
        # The change log with all that follows from it.
        everything = [f"DELETE FROM {table} WHERE center_id = :c" for table in ("change_log", "center_head")]
        assert (await look(*everything)).startswith("center_head ")
        # What was signed is changed, or taken away; the last days only a copy outside can tell.
        found = await look("UPDATE signed_head SET hash = '\\x00' WHERE number = 2")
        assert found == "signed_day number 2: it, or a row of `signed_head`, is not what was signed"
        first, last = ([f"DELETE FROM {table} WHERE number = {number}" for table in ("signed_day", "signed_head")]
                       for number in (1, 2))  # fmt: skip
        assert await look(*first) == "signed_day number 1: the row is missing"
        assert await look(*last, from_seq=ends[0] + 1) == "", "nothing is left that could tell"
        lost = "the row is missing: the copy outside of the database has it, signed on"
        found = await look(*last, outside=path, from_seq=ends[0] + 1)
        assert found == f"signed_day number 2: {lost} {days[1].day}"
