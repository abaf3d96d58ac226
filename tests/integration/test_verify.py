"""The check command: right books are right, and a row that was changed, taken away or exchanged is named."""

from collections.abc import AsyncIterator
from typing import Final, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from server.models import metadata
from server.repositories.unit_of_work import UnitsOfWork
from server.services.compaction import Compaction
from server.services.pushes import DeviceKey
from server.services.verification import CenterReport, Finding, Verification
from sync.incidents import INCIDENT_KIND, DeviceIncident, Incident, encode_incident
from sync.journal import Outcome
from tests.contract.server_world import NOW_MS, Desk, new_id, outcomes, push
from tests.support.books import Books, Tampering, books_on
from tests.support.guarded_columns import CHANGES, NOT_GUARDED, TABLES_NOT_GUARDED
from tests.support.postgres import FreshDatabase, PostgresServer, copied, made_once

pytestmark = pytest.mark.postgres

# Known to whoever opens a copy of the books, to write on in the name of their desk.
KEY_OF_THE_DESK: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


async def write_books(opened: Books) -> None:
    """A centre in which everything that can be in the books is there once."""
    await opened.take_in()
    await opened.rule_ratio("oak")
    await opened.keep_calendar("oak")
    await opened.announce("oak", "C-3")
    await opened.show("oak", await opened.person("C-3", "oak"))
    await opened.give_card("oak", await opened.person("C-3", "oak"))
    desk = await opened.morning(key=KEY_OF_THE_DESK)
    incident = DeviceIncident(
        event_id=new_id(), incident=Incident.BUCKET_REPAIRED, occurred_at_ms=NOW_MS, detail={"bucket": "reference"}
    )
    answer = await push(opened.world, desk, desk.write(incident.event_id, INCIDENT_KIND, encode_incident(incident)))
    assert outcomes(answer) == [Outcome.APPLIED]


@pytest.fixture
async def books(postgres_server: PostgresServer) -> AsyncIterator[Books]:
    """A copy of those books that is this test's own."""

    async def fill(made: FreshDatabase) -> None:
        async with books_on(postgres_server, made) as opened:
            await write_books(opened)

    template = await made_once(postgres_server, "books", fill)
    async with copied(postgres_server, template) as fresh, books_on(postgres_server, fresh) as opened:
        yield opened


async def check(books: Books, code: str = "elm") -> CenterReport:
    return next(report for report in await reports(books.units) if report.code in (code, ""))


async def checked(books: Books) -> list[Finding]:
    """What is wrong in any centre."""
    return findings(await reports(books.units))


async def reports(units: UnitsOfWork) -> list[CenterReport]:
    verification = Verification(units)
    return [await verification.check(center_id) for center_id in await verification.center_ids()]


def findings(told: list[CenterReport]) -> list[Finding]:
    return [found for report in told for found in report.findings]


# -- what is right


async def test_books_that_nobody_touched_are_right(books: Books) -> None:
    told = await reports(books.units)
    assert [(report.code, report.findings, report.notes) for report in told] == [("elm", [], []), ("oak", [], [])]
    assert all(report.rows > report.version > 0 for report in told)


async def test_an_empty_database_is_right(books: Books, postgres_server: PostgresServer) -> None:
    await books.tamper("TRUNCATE center CASCADE")
    await books.tamper("TRUNCATE center_head, change_log")
    assert await Verification(books.units).center_ids() == []


async def test_the_progress_ends_where_the_rows_end(books: Books) -> None:
    seen: list[tuple[int, int]] = []
    verification = Verification(books.units)
    (first, *_) = await verification.center_ids()
    report = await verification.check(first, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (report.rows, report.rows)


async def test_compacted_books_are_right(books: Books) -> None:
    await books.rename("elm", "C-1", "Later")
    await Compaction(books.units, books.clock).run(await books.center("elm"))
    assert await books.value("SELECT count(*) FROM change_log WHERE operation = 1 AND body = ''") == 1
    assert await checked(books) == []


# -- every column


def test_every_column_is_guarded_or_excused() -> None:
    columns = {
        (table.name, column.name)
        for table in metadata.tables.values()
        if table.name not in TABLES_NOT_GUARDED
        for column in table.columns
    }
    assert columns == CHANGES.keys() | NOT_GUARDED.keys()
    assert not CHANGES.keys() & NOT_GUARDED.keys()
    assert metadata.tables.keys() >= TABLES_NOT_GUARDED.keys()


GUARDED_TABLES: Final = sorted({table for table, _ in CHANGES})


@pytest.mark.parametrize("table", GUARDED_TABLES)
async def test_a_value_that_was_changed_is_found_in_its_table(books: Books, table: str) -> None:
    async with books.tampering() as tampering:
        for column, (value, where) in {key[1]: change for key, change in CHANGES.items() if key[0] == table}.items():
            async with tampering.changed(f"UPDATE {table} SET {column} = {value} WHERE {where}"):
                found = await found_by(tampering)
            assert table in {finding.table for finding in found}, (column, found)
            assert all(finding.key and finding.what for finding in found)
        assert await found_by(tampering) == []


async def found_by(tampering: Tampering) -> list[Finding]:
    """What is wrong in any centre while something is changed."""
    return findings(await reports(cast("UnitsOfWork", tampering)))


HARSH: Final = {
    "a key longer than any": "UPDATE change_log SET entity_id = repeat('x', 70000) WHERE version = 1",
    "a version below all": "UPDATE change_log SET version = -1 WHERE version = 1",
    "an operation that is none": "UPDATE change_log SET operation = -3 WHERE version = 1",
    "a time without end": "UPDATE change_log SET at = 'infinity' WHERE version = 1",
    "a time that only PostgreSQL knows": "UPDATE change_log SET at = '4713-01-01 BC' WHERE version = 1",
    "an event of another age": "UPDATE attendance_event SET corrected_at = '20000-01-01'",
    "a sum that is no number": "UPDATE bucket_digest SET total = 'NaN'",
    "an incident that cannot be read": "UPDATE journal_entry SET body = '' WHERE kind = 'device_incident'",
    "an event made an incident": "UPDATE journal_entry SET kind = 'device_incident' WHERE seq = 1",
    "an incident of another shape": "UPDATE device_incident SET detail = '[1]'",
    "an outcome that is none": "UPDATE journal_entry SET outcome = 77 WHERE seq = 1",
    "a time of arrival without end": "UPDATE journal_entry SET received_at = '-infinity' WHERE seq = 1",
    "a number below all": "UPDATE journal_entry SET seq = -5, hlc = -5 WHERE seq = 1",
    "an event at the end of time": "UPDATE attendance_event SET occurred_at = 'infinity'",
    "an event that came at no time": (
        "UPDATE current_record SET body = convert_to(regexp_replace(convert_from(body, 'UTF8'), "
        "'(received_at_ms..)[0-9]+', '\\199999999999999999'), 'UTF8') WHERE entity = 'event'"
    ),
    "an event that is none": "UPDATE current_record SET body = '{}' WHERE entity = 'event'",
    "a record that is none": "UPDATE current_record SET body = '[' WHERE entity <> 'event'",
    "a record of no kind": "UPDATE current_record SET entity = 'ghost' WHERE entity = 'staff'",
    "a key of the wrong curve": "UPDATE device SET public_key = decode(repeat('ff', 32), 'hex')",
    "a floor below all": "UPDATE center_head SET compacted_version = -1",
}


async def test_whatever_stands_in_a_column_the_check_ends_with_an_answer(books: Books) -> None:
    async with books.tampering() as tampering:
        for what, statement in HARSH.items():
            async with tampering.changed(statement):
                found = await found_by(tampering)
            assert all(finding.table in statement for finding in found[:1]), (what, found)


# -- rows taken away, and exchanged


async def test_a_row_that_was_taken_away_is_found(books: Books) -> None:
    async with books.tampering() as tampering:
        for table in GUARDED_TABLES:
            one = f"DELETE FROM {table} WHERE ctid = (SELECT ctid FROM {table} ORDER BY ctid LIMIT 1)"
            async with tampering.changed(one):
                found = await found_by(tampering)
            assert table in {finding.table for finding in found}, (table, found)


async def test_the_last_rows_cannot_be_taken_away_unnoticed(books: Books) -> None:
    async with books.tampering() as tampering:
        for table in ("change_log", "journal_entry"):
            last = f"DELETE FROM {table} WHERE ctid = (SELECT ctid FROM {table} ORDER BY ctid DESC LIMIT 1)"
            async with tampering.changed(last):
                assert table in {finding.table for finding in await found_by(tampering)}


async def test_all_rows_of_a_journal_cannot_be_taken_away_unnoticed(books: Books) -> None:
    await books.tamper("DELETE FROM journal_entry")
    await books.tamper("DELETE FROM device_journal")
    (found,) = await checked(books)
    assert found.table == "journal_entry"
    assert "no entry brought this event" in found.what


async def test_a_repeat_does_not_vouch_for_an_event_whose_journal_is_gone(books: Books) -> None:
    (row,) = await books.rows("SELECT CAST(device_id AS text) AS id, event_id, body FROM journal_entry WHERE seq = 1")
    again = Desk(DeviceKey(await books.center("elm"), row.id), KEY_OF_THE_DESK)
    answer = await push(books.world, again, again.write(row.event_id, "check_in", row.body))
    assert outcomes(answer) == [Outcome.DUPLICATE]
    assert await checked(books) == []
    for table in ("journal_entry", "device_journal"):
        await books.tamper(f"DELETE FROM {table} WHERE incarnation <> :kept", kept=again.incarnation)
    assert (await books.value("SELECT count(*) FROM journal_entry")) == 1
    (found,) = [finding for finding in await checked(books) if finding.table == "journal_entry"]
    assert (found.key, found.what) == (f"event {row.event_id}", "no entry brought this event")


SWAPS: Final = {
    "change_log": ("version", "version IN (2, 3)"),
    "current_record": ("body", "entity = 'room'"),
    "person": ("given_name", "external_id IN ('C-1', 'C-2')"),
    "room": ("name", "external_id IN ('BEES', 'OWLS')"),
    "journal_entry": ("seq", "seq IN (1, 2)"),
    "attendance_event": ("body", "seq IN (1, 2)"),
    "bucket_digest": ("total", "records > 0"),
    "alert": ("text", "true"),
}


async def test_two_rows_that_were_exchanged_are_found(books: Books) -> None:
    elm = await books.center("elm")
    async with books.tampering() as tampering:
        for table, (column, where) in SWAPS.items():
            both = f"center_id = '{elm}' AND {where}"
            rows = await tampering.rows(f"SELECT {column} FROM {table} WHERE {both} ORDER BY 1")
            first, second = [row[0] for row in rows]
            assert first != second
            if isinstance(first, int):
                # Through numbers that no row has: a key cannot be in a table twice, even for a moment.
                aside = f"UPDATE {table} SET {column} = -{column} WHERE {both}"
                exchange = f"{column} = CASE {column} WHEN -{first} THEN {second} ELSE {first} END"
                back = f"UPDATE {table} SET {exchange} WHERE center_id = '{elm}' AND {column} < 0"
                async with tampering.changed(aside, back):
                    found = await found_by(tampering)
            else:
                exchange = f"{column} = CASE WHEN {column} = :first THEN :second ELSE :first END"
                statement = f"UPDATE {table} SET {exchange} WHERE {both}"
                async with tampering.changed(statement, first=first, second=second):
                    found = await found_by(tampering)
            assert table in {finding.table for finding in found}, table


# -- which row is named


async def test_the_first_wrong_row_is_named_by_its_version(books: Books) -> None:
    elm = await books.center("elm")
    for version in (7, 4, 9):
        await books.tamper("UPDATE change_log SET actor = 'x' WHERE version = :v AND center_id = :c", v=version, c=elm)
    (found,) = (await check(books)).findings
    assert (found.table, found.key, found.version) == ("change_log", "4", 4)


async def test_an_outcome_that_was_changed_is_named_by_its_entry(books: Books) -> None:
    await books.tamper("UPDATE journal_entry SET outcome = 4 WHERE seq = 2")
    (found,) = (await check(books)).findings
    *journal, seq = found.key.split(" ")
    (row,) = await books.rows("SELECT DISTINCT CAST(device_id AS text), incarnation FROM journal_entry")
    assert (journal, seq) == (list(row), "2")


async def test_a_wrong_head_is_not_blamed_on_a_row(books: Books) -> None:
    elm = await books.center("elm")
    await books.tamper(r"UPDATE center_head SET evidence = '\x01' WHERE center_id = :c", c=elm)
    (found,) = (await check(books)).findings
    assert (found.table, found.key) == ("center_head", elm)


async def test_one_centre_does_not_answer_for_another(books: Books) -> None:
    oak = await books.center("oak")
    await books.tamper("UPDATE change_log SET actor = 'x' WHERE version = 1 AND center_id = :c", c=oak)
    assert (await check(books, "elm")).findings == []
    assert [found.table for found in (await check(books, "oak")).findings] == ["change_log"]


async def test_an_incident_that_is_told_again_after_a_fork_is_right(books: Books) -> None:
    """The device seals it again in another journal; the first that arrived is what is kept."""
    (desk,) = await books.rows("SELECT DISTINCT CAST(device_id AS text) AS id FROM device_journal")
    (row,) = await books.rows("SELECT event_id, body FROM journal_entry WHERE kind = :kind", kind=INCIDENT_KIND)
    again = Desk(DeviceKey(await books.center("elm"), desk.id), KEY_OF_THE_DESK)
    books.clock.advance_ms(60_000)
    answer = await push(books.world, again, again.write(row.event_id, INCIDENT_KIND, row.body))
    assert outcomes(answer) == [Outcome.APPLIED]
    assert await checked(books) == []


# -- what is allowed only where it is allowed


async def test_a_body_may_be_missing_only_where_the_log_was_compacted(books: Books) -> None:
    await books.rename("elm", "C-1", "Later")
    elm = await books.center("elm")
    await Compaction(books.units, books.clock).run(elm)
    await books.tamper("UPDATE center_head SET compacted_version = 0 WHERE center_id = :c", c=elm)
    (found,) = (await check(books)).findings
    assert found.table == "change_log"
    assert "`body`" in found.what


async def test_the_body_of_a_record_that_stands_is_never_missing(books: Books) -> None:
    elm = await books.center("elm")
    await books.tamper("UPDATE center_head SET compacted_version = version WHERE center_id = :c", c=elm)
    await books.tamper("UPDATE change_log SET body = '', salt = '' WHERE version = 3 AND center_id = :c", c=elm)
    await books.tamper("UPDATE current_record SET body = '', salt = '' WHERE version = 3 AND center_id = :c", c=elm)
    found = (await check(books)).findings
    assert (found[0].table, found[0].key) == ("change_log", "3")


async def test_a_log_that_was_written_anew_does_not_fit_the_journals(books: Books) -> None:
    """Somebody who can recompute every chain of the log still has no device's key."""
    elm, desk = await books.center("elm"), await books.desk()
    other = Desk(desk.key, desk.private_key)
    await push(books.world, other, other.check_in(await books.person("C-2"), minute=90))
    version = await books.value("SELECT version FROM center_head WHERE center_id = :c", c=elm)
    await books.tamper("DELETE FROM change_log WHERE center_id = :c AND version = :v", c=elm, v=version)
    await books.tamper("DELETE FROM current_record WHERE center_id = :c AND version = :v", c=elm, v=version)
    await books.tamper("DELETE FROM attendance_event WHERE center_id = :c AND version = :v", c=elm, v=version)
    await books.tamper(
        "UPDATE center_head SET (version, evidence_version, hash, evidence) = (SELECT version, version, hash, evidence "
        "FROM change_log WHERE center_id = :c ORDER BY version DESC LIMIT 1) WHERE center_id = :c", c=elm
    )  # fmt: skip
    found = (await check(books)).findings
    assert "journal_entry" in {finding.table for finding in found}


async def test_rows_of_an_older_server_are_right_and_told(books: Books) -> None:
    """A server of the release before inserts rows without evidence and moves the head."""
    elm = await books.center("elm")
    version = await books.value("SELECT version FROM center_head WHERE center_id = :c", c=elm)
    earlier = "(SELECT evidence FROM change_log WHERE center_id = :c AND version = :v)"
    await books.tamper(
        f"UPDATE center_head SET evidence_version = :v, evidence = {earlier} WHERE center_id = :c", c=elm, v=version - 2
    )
    await books.tamper(
        "UPDATE change_log SET evidence = '' WHERE center_id = :c AND version > :v", c=elm, v=version - 2
    )
    report = await check(books)
    assert report.findings == []
    assert "the last 2 rows" in report.notes[0]


async def test_the_check_holds_no_lock_that_stops_a_desk(books: Books) -> None:
    desk, child = await books.desk(), await books.person("C-2")
    async with books.units.read() as connection:
        await connection.execute(text("SELECT count(*) FROM change_log"))
        assert outcomes(await push(books.world, desk, desk.check_in(child))) == [Outcome.APPLIED]
