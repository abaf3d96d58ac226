"""Journals that come by hand: taken like a push, once, whole and unchanged, or refused before anything is stored."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from server.services.journal_import import FileReport, JournalFileRefused, JournalImport
from server.services.verification import Verification
from sync.journal import Entry
from sync.journal_file import FileHeader, JournalSpan, dump
from tests.contract.server_world import Desk, push
from tests.support.books import Books, books_on
from tests.support.postgres import FreshDatabase, PostgresServer

pytestmark = pytest.mark.postgres


@pytest.fixture
async def books(postgres_server: PostgresServer, database: FreshDatabase) -> AsyncIterator[Books]:
    async with books_on(postgres_server, database) as opened:
        await opened.take_in()
        yield opened


def exported(books: Books, desk: Desk, path: Path, *journals: Sequence[Entry], signer: Desk | None = None) -> Path:
    """Write a file as a kiosk does."""
    writer = signer or desk
    header = FileHeader(
        device_id=desk.key.device_id,
        center_id=desk.key.center_id,
        exported_at=books.clock.now(),
        journals=tuple(JournalSpan(run[0].incarnation, run[0].seq, run[-1].seq) for run in journals),
        public_key=writer.private_key.public_key().public_bytes_raw(),
    )
    entries = [entry for run in journals for entry in run]
    path.write_bytes(b"".join(dump(header, entries, writer.private_key.sign)))
    return path


async def take(books: Books, *paths: Path) -> list[FileReport]:
    return await JournalImport(books.world.units, books.world.intake).run(paths)


async def events(books: Books) -> int:
    return int(await books.value("SELECT count(*) FROM attendance_event"))


async def stored(books: Books) -> int:
    return int(await books.value("SELECT count(*) FROM journal_entry"))


async def day(books: Books, desk: Desk, visits: int, *, child: str = "C-1") -> list[Entry]:
    child_id = await books.person(child)
    return [desk.check_in(child_id, minute=30 * visit) for visit in range(visits)]


async def right(books: Books) -> bool:
    verification = Verification(books.units)
    return not any([(await verification.check(one)).findings for one in await verification.center_ids()])


async def test_a_journal_becomes_facts_like_a_push(books: Books, tmp_path: Path) -> None:
    desk = await books.desk()
    path = exported(books, desk, tmp_path / "a.jsonl", await day(books, desk, 1))
    (report,) = await take(books, path)
    assert report.device_name == "Front desk"
    (journal,) = report.journals
    assert (journal.known, journal.outcomes, journal.problem) == (0, {"applied": 1}, "")
    assert report.is_complete
    assert await events(books) == 1
    assert await right(books)


async def test_doing_it_again_stores_nothing_twice(books: Books, tmp_path: Path) -> None:
    desk = await books.desk()
    path = exported(books, desk, tmp_path / "a.jsonl", await day(books, desk, 3))
    first, again = await take(books, path), await take(books, path)
    assert again[0].journals[0].known == 3
    assert again[0].journals[0].outcomes == first[0].journals[0].outcomes
    assert await events(books) == await stored(books) == 3


async def test_what_the_server_has_already_is_not_stored_again(books: Books, tmp_path: Path) -> None:
    desk = await books.desk()
    entries = await day(books, desk, 4)
    await push(books.world, desk, *entries[:2])
    (report,) = await take(books, exported(books, desk, tmp_path / "a.jsonl", entries))
    assert report.journals[0].known == 2
    assert await stored(books) == 4


async def test_a_long_journal_goes_in_runs_of_a_push(books: Books, tmp_path: Path) -> None:
    desk = await books.desk()
    entries = [desk.write(f"event {number}", "unheard_of", b"{}") for number in range(1_001)]
    (report,) = await take(books, exported(books, desk, tmp_path / "a.jsonl", entries))
    assert report.journals[0].outcomes == {"parked: unknown_kind": 1_001}
    assert await books.value("SELECT max(last_seq) FROM device_journal") == 1_001


async def test_several_journals_of_a_device_and_several_files_go_in_together(books: Books, tmp_path: Path) -> None:
    desk, other = await books.desk(), await books.desk("oak")
    older = Desk(desk.key, desk.private_key)
    journals = await day(books, older, 2), await day(books, desk, 1, child="C-2")
    tariq = await books.person("C-3", "oak")
    paths = [
        exported(books, desk, tmp_path / "a.jsonl", *journals),
        exported(books, other, tmp_path / "b.jsonl", [other.check_in(tariq)]),
    ]
    first, second = await take(books, *paths)
    assert [sum(journal.outcomes.values()) for journal in first.journals] == [2, 1]
    assert second.journals[0].outcomes == {"applied": 1}
    assert await right(books)


async def test_an_empty_file_of_a_device_is_complete(books: Books, tmp_path: Path) -> None:
    desk = await books.desk()
    (report,) = await take(books, exported(books, desk, tmp_path / "a.jsonl"))
    assert report.journals == []
    assert report.is_complete


async def test_the_entries_of_a_revoked_device_are_parked(books: Books, tmp_path: Path) -> None:
    desk = await books.desk()
    path = exported(books, desk, tmp_path / "a.jsonl", await day(books, desk, 2))
    await books.world.revoke(desk.key)
    (report,) = await take(books, path)
    assert report.journals[0].outcomes == {"parked: device_not_entitled": 2}
    assert await events(books) == 0


async def test_the_progress_ends_with_the_files(books: Books, tmp_path: Path) -> None:
    desk = await books.desk()
    path = exported(books, desk, tmp_path / "a.jsonl", await day(books, desk, 3))
    seen: list[tuple[int, int]] = []
    await JournalImport(books.world.units, books.world.intake).run([path], lambda *step: seen.append(step))
    total = 2 * path.stat().st_size
    assert seen[-1] == (total, total)


# -- refused


async def refused(books: Books, *paths: Path) -> str:
    before = await stored(books)
    with pytest.raises(JournalFileRefused) as caught:
        await take(books, *paths)
    assert await stored(books) == before
    return caught.value.detail


async def test_a_device_that_is_not_known_is_refused(books: Books, tmp_path: Path) -> None:
    desk = await books.desk()
    path = exported(books, desk, tmp_path / "a.jsonl", await day(books, desk, 1))
    await books.tamper("DELETE FROM device")
    assert await refused(books, path) == f"{path}, line 1: this server knows no such device. Nothing was stored."


async def test_a_file_that_another_key_signed_is_refused(books: Books, tmp_path: Path) -> None:
    desk, thief = await books.desk(), await books.desk()
    pretender = Desk(desk.key, thief.private_key)
    path = exported(books, pretender, tmp_path / "a.jsonl", await day(books, pretender, 1))
    assert "line 1: the device is known here by another key" in await refused(books, path)


async def test_a_device_of_another_centre_is_refused(books: Books, tmp_path: Path) -> None:
    desk = await books.desk()
    path = exported(books, desk, tmp_path / "a.jsonl", await day(books, desk, 1))
    await books.tamper("UPDATE device SET center_id = :oak", oak=await books.center("oak"))
    assert "line 1: the device belongs to another centre" in await refused(books, path)


@pytest.mark.parametrize("kept", [0, 1, 3, 4])
async def test_a_file_that_is_cut_off_is_refused_at_its_end(books: Books, tmp_path: Path, kept: int) -> None:
    desk = await books.desk()
    path = exported(books, desk, tmp_path / "a.jsonl", await day(books, desk, 3))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:kept]))
    assert f"line {kept + 1}: the file is cut off" in await refused(books, path)


async def test_a_file_that_was_changed_is_refused_at_that_line(books: Books, tmp_path: Path) -> None:
    desk = await books.desk()
    path = exported(books, desk, tmp_path / "a.jsonl", await day(books, desk, 3))
    path.write_bytes(path.read_bytes().replace(b'"seq":2', b'"seq":3'))
    assert "line 3: another entry belongs here" in await refused(books, path)


async def test_one_bad_file_keeps_the_good_ones_out(books: Books, tmp_path: Path) -> None:
    desk = await books.desk()
    good = exported(books, desk, tmp_path / "a.jsonl", await day(books, desk, 2))
    bad = tmp_path / "b.jsonl"
    bad.write_bytes(good.read_bytes()[:-100])
    assert str(bad) in await refused(books, good, bad)


async def test_a_file_that_is_not_there_is_told(books: Books, tmp_path: Path) -> None:
    assert "cannot be read: no such file" in await refused(books, tmp_path / "nothing.jsonl")
    assert "cannot be read: is a directory" in await refused(books, tmp_path)


async def test_a_file_without_line_feeds_is_not_read_into_memory(books: Books, tmp_path: Path) -> None:
    path = tmp_path / "zeros"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    assert "line 1: it is too long" in await refused(books, path)


# -- told, and the rest stored


async def test_a_gap_before_the_file_is_told_and_fills_when_the_missing_part_comes(
    books: Books, tmp_path: Path
) -> None:
    desk = await books.desk()
    entries = await day(books, desk, 5)
    (report,) = await take(books, exported(books, desk, tmp_path / "late.jsonl", entries[3:]))
    assert not report.is_complete
    assert report.journals[0].problem == "entry 1 is missing: it is neither here nor in the file"
    assert await stored(books) == 0
    (report,) = await take(books, exported(books, desk, tmp_path / "all.jsonl", entries))
    assert report.is_complete


async def test_a_journal_that_contradicts_what_is_stored_is_told_and_the_others_go_in(
    books: Books, tmp_path: Path
) -> None:
    desk = await books.desk()
    clone = Desk(desk.key, desk.private_key, desk.incarnation)
    fresh = Desk(desk.key, desk.private_key)
    await push(books.world, desk, *await day(books, desk, 2))
    path = exported(
        books, desk, tmp_path / "a.jsonl", await day(books, clone, 2), await day(books, fresh, 1, child="C-2")
    )
    (report,) = await take(books, path)
    forked, other = report.journals
    assert forked.problem.startswith("fork: ")
    assert other.outcomes == {"applied": 1}
    assert not report.is_complete
    assert await right(books)
