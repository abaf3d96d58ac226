"""Backup and restore: everything comes back as a new life of every log, or nothing is touched."""

import asyncio
import json
import resource
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from server.core import schema_moves
from server.core.errors import Conflict, DatabaseUnavailable
from server.core.migrate import newest_revision
from server.repositories.heads import HeadListener
from server.services.backup import Backup
from server.services.backup_file import BackupRefused
from server.services.restore import Onto, Restore, Restored
from sync.journal import Outcome
from tests.contract.server_world import changes_after, head_of, outcomes, push
from tests.support.books import Books, books_on
from tests.support.postgres import FreshDatabase, PostgresServer, copied

pytestmark = pytest.mark.postgres

TABLES = (
    "organisation", "center", "room", "role", "person", "child_profile", "alert", "relationship",
    "pickup_authorisation", "staff_profile", "device", "change_log", "current_record", "device_journal",
    "journal_entry", "attendance_event", "bucket_digest", "device_position",
)  # fmt: skip


class Interrupted(Exception):
    """Whoever watched the progress had enough."""


@pytest.fixture
async def books(postgres_server: PostgresServer, database: FreshDatabase) -> AsyncIterator[Books]:
    async with books_on(postgres_server, database) as opened:
        await opened.take_in()
        yield opened


@pytest.fixture
async def elsewhere(postgres_server: PostgresServer) -> AsyncIterator[Books]:
    """Another database, migrated and empty."""
    template = postgres_server.template.owner.rsplit("/", 1)[-1].split("?")[0]
    async with copied(postgres_server, template) as fresh, books_on(postgres_server, fresh) as opened:
        yield opened


async def save(books: Books, path: Path) -> Path:
    await Backup(books.units, books.clock).write(path)
    return path


async def restore(books: Books, path: Path, onto: Onto = Onto.NOTHING) -> Restored:
    return await Restore(books.units, books.clock, books.new_id, books.app_role).run(path, onto)


async def content(books: Books) -> dict[str, list[Any]]:
    """Every row of the tables that a restore must not change."""
    return {name: [tuple(row) for row in await books.rows(f"SELECT * FROM {name} ORDER BY 1, 2")] for name in TABLES}


@contextmanager
def full_disk(limit_bytes: int) -> Iterator[None]:
    """No file of this process may grow beyond the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_everything_comes_back(books: Books, elsewhere: Books, tmp_path: Path) -> None:
    await books.morning()
    before = await content(books)
    restored = await restore(elsewhere, await save(books, tmp_path / "b.zip"))
    assert restored.centers == 2
    assert restored.made_at == books.clock.now()
    assert await content(elsewhere) == before
    assert sum(map(len, before.values())) <= restored.rows


async def test_nobody_stays_signed_in_over_a_restore(books: Books, elsewhere: Books, tmp_path: Path) -> None:
    one, digest = books.new_id(), "decode(repeat('ab', 32), 'hex')"
    await books.tamper(
        "INSERT INTO user_account (id, organisation_id, email, display_name, password_hash, is_active, created_at) "
        f"SELECT '{one}', id, 'staff@example.org', 'S', '', true, now() FROM organisation LIMIT 1"
    )
    await books.tamper(
        "INSERT INTO user_session (id, user_id, client, created_at, last_used_at, expires_at, current_digest) "
        f"VALUES ('{one}', '{one}', '', now(), now(), now() + interval '1 day', {digest})"
    )
    await books.tamper(f"INSERT INTO password_recovery (id, user_id, expires_at) VALUES ('{one}', '{one}', now())")
    await restore(elsewhere, await save(books, tmp_path / "b.zip"))
    assert len(await elsewhere.rows("SELECT id FROM user_account")) == 1
    for table in ("user_session", "password_recovery"):
        assert len(await books.rows(f"SELECT id FROM {table}")) == 1
        assert await elsewhere.rows(f"SELECT id FROM {table}") == []


async def test_every_log_goes_on_in_a_new_life(books: Books, elsewhere: Books, tmp_path: Path) -> None:
    desk = await books.morning()
    old = await head_of(books.world, desk)
    path = await save(books, tmp_path / "b.zip")
    elsewhere.clock.advance_ms(60_000)
    await restore(elsewhere, path)
    new = await head_of(elsewhere.world, desk)
    assert (new.version, new.hash) == (old.version, old.hash)
    assert new.epoch != old.epoch
    lives = await elsewhere.rows(
        "SELECT CAST(epoch AS text), from_version, reason, began_at FROM log_epoch WHERE center_id = :center_id "
        "ORDER BY from_version",
        center_id=desk.key.center_id,
    )
    assert [tuple(row[:3]) for row in lives] == [(old.epoch, 0, "begun"), (new.epoch, old.version, "restored")]
    assert lives[1].began_at == elsewhere.clock.now()
    child = await elsewhere.person("C-2")
    assert outcomes(await push(elsewhere.world, desk, desk.check_in(child))) == [Outcome.APPLIED]
    changes = await changes_after(elsewhere.world, desk, old.version)
    assert [change.version for change in changes] == [old.version + 1]


async def test_a_desk_pushes_again_what_the_backup_did_not_have(books: Books, elsewhere: Books, tmp_path: Path) -> None:
    desk = await books.morning()
    path = await save(books, tmp_path / "b.zip")
    later = desk.check_in(await books.person("C-2"))
    await push(books.world, desk, later)
    await restore(elsewhere, path)
    assert outcomes(await push(elsewhere.world, desk, later)) == [Outcome.APPLIED]


async def test_the_guard_on_synced_tables_is_awake_again(books: Books, elsewhere: Books, tmp_path: Path) -> None:
    await restore(elsewhere, await save(books, tmp_path / "b.zip"))
    asleep = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'D'"
    awake = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O'"
    assert await elsewhere.value(asleep) == 0
    assert await elsewhere.value(awake) == await books.value(awake) > 0
    await elsewhere.rename("elm", "C-1", "Changed")


async def test_a_backup_can_be_taken_while_the_server_writes(books: Books, elsewhere: Books, tmp_path: Path) -> None:
    desk = await books.morning()
    entries = [desk.check_in(await books.person("C-2"), minute=minute) for minute in range(50)]

    async def write() -> None:
        for entry in entries:
            await push(books.world, desk, entry)

    _, path = await asyncio.gather(write(), save(books, tmp_path / "b.zip"))
    await restore(elsewhere, path)
    version = (await head_of(elsewhere.world, desk)).version
    counted = "SELECT count(*) FROM change_log WHERE center_id = :center_id"
    assert await elsewhere.value(counted, center_id=desk.key.center_id) == version
    journal = "SELECT last_seq FROM device_journal"
    assert await elsewhere.value(journal) == await elsewhere.value("SELECT count(*) FROM journal_entry")


async def test_a_backup_of_an_older_schema_is_brought_forward(books: Books, elsewhere: Books, tmp_path: Path) -> None:
    desk = await books.morning()
    # The older schema had no such column, and what was never written down cannot come back.
    for table in ("change_log", "journal_entry"):
        await books.tamper(f"UPDATE {table} SET evidence = ''")
    await books.tamper("UPDATE pickup_authorisation SET history = '[]'")
    before = await content(books)
    async with books.owner.engine.begin() as connection:
        await connection.run_sync(schema_moves.take_back, books.app_role, "0002")
    path = await save(books, tmp_path / "b.zip")
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("manifest.json"))["revision"] == "0002"
    await restore(elsewhere, path)
    assert await content(elsewhere) == before
    assert await elsewhere.value("SELECT version_num FROM alembic_version") == newest_revision()
    child = await elsewhere.person("C-2")
    assert outcomes(await push(elsewhere.world, desk, desk.check_in(child))) == [Outcome.APPLIED]


async def test_a_restore_that_fails_in_an_older_schema_leaves_the_newest(books: Books, tmp_path: Path) -> None:
    path = await save(books, tmp_path / "b.zip")
    with_manifest(path, revision="0002")
    before = await content(books)
    with pytest.raises(BackupRefused, match="other tables or columns"):
        await restore(books, path, Onto.ANYTHING)
    assert await content(books) == before
    assert await books.value("SELECT version_num FROM alembic_version") == newest_revision()


async def test_a_database_with_centres_is_not_overwritten_unasked(books: Books, tmp_path: Path) -> None:
    path = await save(books, tmp_path / "b.zip")
    await books.rename("elm", "C-1", "Later")
    before = await content(books)
    with pytest.raises(Conflict, match="has centres already"):
        await restore(books, path)
    assert await content(books) == before


async def test_what_is_there_is_replaced_when_asked(books: Books, tmp_path: Path) -> None:
    before = await content(books)
    path = await save(books, tmp_path / "b.zip")
    await books.rename("elm", "C-1", "Later")
    await books.morning()
    await restore(books, path, Onto.ANYTHING)
    assert await content(books) == before


async def test_nothing_is_restored_while_a_server_runs(books: Books, tmp_path: Path) -> None:
    path = await save(books, tmp_path / "b.zip")
    listens = asyncio.Event()
    server = asyncio.create_task(HeadListener(books.world.engine).listen(lambda *_head: None, listens.set))
    try:
        async with asyncio.timeout(30):
            await listens.wait()
        with pytest.raises(Conflict, match="server is running"):
            await restore(books, path, Onto.ANYTHING)
    finally:
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)
    await restore(books, path, Onto.ANYTHING)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.55, 0.8, 0.99])
async def test_an_interrupted_restore_leaves_everything_as_it_was(books: Books, tmp_path: Path, share: float) -> None:
    path = await save(books, tmp_path / "b.zip")
    await books.rename("elm", "C-1", "Later")
    before = await content(books)

    def stop(done: int, total: int) -> None:
        if done > total * share:
            raise Interrupted

    with pytest.raises(Interrupted):
        await Restore(books.units, books.clock, books.new_id, books.app_role).run(path, Onto.ANYTHING, stop)
    assert await content(books) == before
    await books.rename("elm", "C-1", "Still works")


async def test_a_table_that_somebody_holds_is_an_unavailable_database(books: Books, tmp_path: Path) -> None:
    path = await save(books, tmp_path / "b.zip")
    before = await content(books)
    async with books.world.engine.connect() as connection:
        await connection.execute(text("SELECT count(*) FROM change_log"))
        with pytest.raises(DatabaseUnavailable):
            await restore(books, path, Onto.ANYTHING)
    assert await content(books) == before


# -- the file


async def test_a_backup_is_for_the_operators_eyes_only(books: Books, tmp_path: Path) -> None:
    path = await save(books, tmp_path / "b.zip")
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_backup_says_what_is_in_it(books: Books, tmp_path: Path) -> None:
    with zipfile.ZipFile(await save(books, tmp_path / "b.zip")) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        rows = archive.read("tables/person.copy").decode().splitlines()
    (person,) = [part for part in manifest["parts"] if part["table"] == "person"]
    assert person["rows"] == len(rows) == 7
    names = [part["table"] for part in manifest["parts"]]
    assert names.index("center") < names.index("person") < names.index("alert")
    assert "alembic_version" not in names


async def test_a_full_disk_leaves_the_backup_before_it_as_it_was(books: Books, tmp_path: Path) -> None:
    path = await save(books, tmp_path / "b.zip")
    before = path.read_bytes()
    for limit_bytes in (0, 1_000, len(before) // 2, len(before) - 10):
        with full_disk(limit_bytes), pytest.raises(BackupRefused, match="cannot be written"):
            await save(books, path)
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]


async def test_a_folder_that_is_not_there_is_told(books: Books, tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match="no such file"):
        await save(books, tmp_path / "nowhere" / "b.zip")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
async def test_a_file_that_was_cut_off_touches_nothing(books: Books, tmp_path: Path, share: float) -> None:
    path = await save(books, tmp_path / "b.zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    before = await content(books)
    with pytest.raises(BackupRefused, match="cut off"):
        await restore(books, path, Onto.ANYTHING)
    assert await content(books) == before


async def test_no_byte_of_a_part_can_be_changed(books: Books, tmp_path: Path) -> None:
    path = await save(books, tmp_path / "b.zip")
    before = await content(books)
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        headers = [info.header_offset for info in archive.infolist() if info.compress_size > 40]
    # A member's bytes follow a header of 30 bytes, its name and its extra field.
    lengths = [int.from_bytes(whole[at + 26 : at + 28], "little") + whole[at + 28] for at in headers]
    offsets = [at + 30 + length + 20 for at, length in zip(headers, lengths, strict=True)]
    for offset in offsets:
        path.write_bytes(whole[:offset] + bytes((whole[offset] ^ 0x20,)) + whole[offset + 1 :])
        with pytest.raises(BackupRefused):
            await restore(books, path, Onto.ANYTHING)
    assert await content(books) == before


def rewrite(path: Path, change: dict[str, bytes | None]) -> None:
    """Write the archive anew, with some members replaced or left out."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()} | change
    with zipfile.ZipFile(path, "w") as archive:
        for name, body in members.items():
            if body is not None:
                archive.writestr(name, body)


def with_manifest(path: Path, **values: object) -> None:
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    rewrite(path, {"manifest.json": json.dumps(manifest | values).encode()})


async def test_a_file_of_another_kind_is_refused(books: Books, tmp_path: Path) -> None:
    path = await save(books, tmp_path / "b.zip")
    for members in ({"manifest.json": None}, {"manifest.json": b"{}"}, {"manifest.json": b"\xff"}):
        rewrite(path, dict(members))
        with pytest.raises(BackupRefused, match="no backup of Rollcall"):
            await restore(books, path, Onto.ANYTHING)
    path.write_text("id,name\n")
    with pytest.raises(BackupRefused, match="no backup of Rollcall"):
        await restore(books, path, Onto.ANYTHING)
    with pytest.raises(BackupRefused, match="cannot be read: no such file"):
        await restore(books, tmp_path / "nothing.zip", Onto.ANYTHING)


async def test_a_part_that_is_missing_or_another_is_named(books: Books, tmp_path: Path) -> None:
    path = await save(books, tmp_path / "b.zip")
    with zipfile.ZipFile(path) as archive:
        person = archive.read("tables/person.copy")
    rewrite(path, {"tables/person.copy": person.replace(b"Ana", b"Eva")})
    with pytest.raises(BackupRefused, match="part person is not what was saved"):
        await restore(books, path, Onto.ANYTHING)
    rewrite(path, {"tables/person.copy": None})
    with pytest.raises(BackupRefused, match="part person cannot be read"):
        await restore(books, path, Onto.ANYTHING)


async def test_a_backup_of_a_newer_version_is_refused(books: Books, tmp_path: Path) -> None:
    path = await save(books, tmp_path / "b.zip")
    with_manifest(path, revision="9999")
    with pytest.raises(BackupRefused, match="newer version"):
        await restore(books, path, Onto.ANYTHING)
    with_manifest(path, revision="0003", format=2)
    with pytest.raises(BackupRefused, match="format 2"):
        await restore(books, path, Onto.ANYTHING)


async def test_another_number_of_rows_undoes_the_restore(books: Books, tmp_path: Path) -> None:
    path = await save(books, tmp_path / "b.zip")
    before = await content(books)
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    for part in manifest["parts"]:
        part["rows"] += part["table"] == "person"
    rewrite(path, {"manifest.json": json.dumps(manifest).encode()})
    with pytest.raises(BackupRefused, match="has 7 rows, not 8"):
        await restore(books, path, Onto.ANYTHING)
    assert await content(books) == before
