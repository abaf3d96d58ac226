"""The embedded PostgreSQL: it survives every kind of kill, keeps its data and leaves nothing behind."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from server.core.database import create_engine, database_errors, sqlstate_of
from server.core.embedded_postgres import EmbeddedPostgres, can_connect, connect_or_start, postmaster_pid
from server.core.errors import DatabaseUnavailable, DataDirectoryInUse, EmbeddedPostgresError
from server.core.migrate import AppRole, migrate, newest_revision
from server.core.postgres_cluster import APP_ROLE
from server.core.postgres_programs import find_programs
from server.repositories.database_admin import prepare_cluster, schema_revision
from tests.support.postgres import FreshDatabase, PostgresServer, as_admin

ROOT = Path(__file__).parents[2]
AS_ROOT = os.geteuid() == 0
DENIED = "42501"

HOLDER = """
import asyncio, sys
from pathlib import Path
from server.core.embedded_postgres import EmbeddedPostgres
from server.repositories.database_admin import prepare_cluster

async def main():
    postgres = EmbeddedPostgres(Path(sys.argv[1]), prepare_cluster)
    await postgres.start()
    print(postgres.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""

MIGRATOR = """
import asyncio, sys
from server.core.migrate import AppRole, migrate

asyncio.run(migrate(sys.argv[1], AppRole(sys.argv[2])))
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A short path, because a unix socket's path may have 107 bytes only."""
    path = Path(tempfile.mkdtemp(prefix="rc-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _made() -> AsyncIterator[Path]:
    """A data directory with a cluster in it that is stopped: to make one is most of what a test here costs."""
    path = Path(tempfile.mkdtemp(prefix="rc-"))
    cluster = EmbeddedPostgres(path, prepare_cluster)
    await cluster.start()
    await cluster.stop()
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def filled_dir(data_dir: Path, _made: Path) -> Path:
    """The same with a cluster in it, for tests whose subject is not how it is made."""
    shutil.copytree(_made, data_dir, dirs_exist_ok=True, symlinks=True)
    return data_dir


@pytest.fixture
async def postgres(filled_dir: Path) -> AsyncIterator[EmbeddedPostgres]:
    cluster = EmbeddedPostgres(filled_dir, prepare_cluster)
    await cluster.start()
    yield cluster
    await cluster.stop()


async def until(condition: Callable[[], bool], *, seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def run(url: str, *statements: str) -> object:
    engine = create_engine(url, pool_size=1)
    try:
        with database_errors():
            async with engine.begin() as connection:
                results = [await connection.execute(text(statement)) for statement in statements]
                return results[-1].scalar() if results[-1].returns_rows else None
    finally:
        await engine.dispose()


async def test_what_was_stored_is_there_after_a_stop_and_a_start(data_dir: Path) -> None:
    postgres = EmbeddedPostgres(data_dir, prepare_cluster)
    for _ in range(2):
        urls = await postgres.start()
        await run(urls.owner, "CREATE TABLE IF NOT EXISTS kept (n int)", "INSERT INTO kept VALUES (1)")
        await postgres.stop()
        assert not postgres.is_alive()
    async with connect_or_start(postgres) as urls:
        assert await run(urls.owner, "SELECT count(*) FROM kept") == 2
    assert postmaster_pid(postgres.files.cluster) is None


async def test_the_server_is_durable_and_listens_on_no_network(postgres: EmbeddedPostgres) -> None:
    urls = postgres.urls()
    for name, value in (("fsync", "on"), ("synchronous_commit", "on"), ("listen_addresses", "")):
        assert await run(urls.app, f"SHOW {name}") == value
    assert await run(urls.app, "SHOW password_encryption") == "scram-sha-256"


async def test_secrets_and_socket_are_closed_to_other_users(postgres: EmbeddedPostgres) -> None:
    files = postgres.files
    assert stat.S_IMODE((files.base / "passwords.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(files.socket_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE(files.cluster.stat().st_mode) == 0o700
    assert (files.cluster / "pg_hba.conf").read_text() == "local all all scram-sha-256\n"


async def test_the_app_role_owns_nothing_and_may_change_no_table(postgres: EmbeddedPostgres) -> None:
    urls = postgres.urls()
    await migrate(urls.owner, AppRole(APP_ROLE))
    await run(urls.owner, "CREATE TABLE fresh (n int)")
    await run(urls.app, "INSERT INTO fresh VALUES (1)")
    for statement in ("CREATE TABLE mine (n int)", "DROP TABLE fresh", "CREATE ROLE other", "TRUNCATE fresh",
                      "CREATE DATABASE other", "CREATE TEMP TABLE t (n int)"):  # fmt: skip
        with pytest.raises(DBAPIError) as refused:
            await as_admin(urls.app, lambda connection, what=statement: connection.execute(text(what)))
        assert sqlstate_of(refused.value) == DENIED, statement
    flags = "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls OR rolreplication FROM pg_roles"
    assert await run(urls.app, f"{flags} WHERE rolname = current_user") is False


async def test_a_wrong_password_is_refused_even_on_the_socket(postgres: EmbeddedPostgres) -> None:
    url = postgres.urls().app
    password = postgres.files.access().passwords[APP_ROLE]
    with pytest.raises(DatabaseUnavailable):
        await run(url.replace(password, "wrong"), "SELECT 1")


async def test_a_second_server_on_the_same_data_is_told_who_has_it(postgres: EmbeddedPostgres) -> None:
    second = EmbeddedPostgres(postgres.data_dir, prepare_cluster)
    with pytest.raises(DataDirectoryInUse, match=str(os.getpid())) as refused:
        await second.start()
    assert refused.value.pid == os.getpid()
    assert await can_connect(postgres.files.access())


async def test_a_command_beside_a_server_uses_its_cluster_and_leaves_it_running(
    postgres: EmbeddedPostgres,
) -> None:
    async with connect_or_start(EmbeddedPostgres(postgres.data_dir, prepare_cluster)) as urls:
        assert await run(urls.app, "SELECT 1") == 1
    assert postgres.is_alive()


async def test_a_killed_postmaster_is_started_again_with_its_data(postgres: EmbeddedPostgres) -> None:
    urls = postgres.urls()
    await run(urls.owner, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (1)")
    watcher = asyncio.create_task(postgres.watch())
    first = postgres.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: postgres.pid not in (None, first))
    async with asyncio.timeout(60):
        while not await can_connect(postgres.files.access()):
            await asyncio.sleep(0.02)
    assert await run(urls.app, "SELECT 1") == 1
    assert await run(urls.owner, "SELECT count(*) FROM kept") == 1
    await postgres.stop()
    await asyncio.wait_for(watcher, 10)


async def test_a_query_that_is_cut_off_says_the_database_is_away(postgres: EmbeddedPostgres) -> None:
    engine = create_engine(postgres.urls().app, pool_size=1)
    assert postgres.pid is not None
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
        os.kill(postgres.pid, signal.SIGQUIT)
        with pytest.raises(DatabaseUnavailable), database_errors():
            await connection.execute(text("SELECT pg_sleep(30)"))
    await engine.dispose()


async def test_a_killed_server_leaves_no_postgres_and_the_next_start_works(filled_dir: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(filled_dir)], cwd=ROOT, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    line = await asyncio.to_thread(holder.stdout.readline)
    postgres = EmbeddedPostgres(filled_dir, prepare_cluster)
    assert postmaster_pid(postgres.files.cluster) == int(line)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    await until(lambda: postmaster_pid(postgres.files.cluster) is None)
    urls = await postgres.start()
    assert await run(urls.app, "SELECT 1") == 1
    await postgres.stop()


async def test_an_orphan_left_running_is_ended_before_a_fresh_start(filled_dir: Path) -> None:
    first = EmbeddedPostgres(filled_dir, prepare_cluster)
    await first.start()
    orphan = first.pid
    assert orphan is not None
    assert first._lock is not None
    first._lock.close()  # as when the owner died and the kernel's signal got lost
    second = EmbeddedPostgres(filled_dir, prepare_cluster)
    await second.start()
    assert second.pid != orphan
    assert not first.is_alive()
    await second.stop()


async def test_a_note_of_a_process_whose_number_went_to_another_program_does_no_harm(filled_dir: Path) -> None:
    postgres = EmbeddedPostgres(filled_dir, prepare_cluster)
    await postgres.start()
    note = postgres.files.cluster / "postmaster.pid"
    lines = note.read_text().splitlines()
    await postgres.stop()
    note.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    await postgres.start()
    assert postgres.is_alive()
    await postgres.stop()


async def test_a_kill_in_the_middle_of_making_the_cluster_is_repaired(data_dir: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(data_dir)], cwd=ROOT, stdout=subprocess.DEVNULL)
    base = data_dir / "postgres"
    await until(lambda: any(base.glob("cluster.new-*/*")) or (base / "cluster").exists())
    holder.kill()
    holder.wait()
    postgres = EmbeddedPostgres(data_dir, prepare_cluster)
    urls = await postgres.start()
    assert await run(urls.app, "SELECT 1") == 1
    await postgres.stop()
    assert list(base.glob("cluster.new-*")) == []


async def test_a_data_directory_with_a_long_path_gets_a_short_socket(data_dir: Path) -> None:
    deep = data_dir / ("a" * 60) / ("b c" * 20)
    postgres = EmbeddedPostgres(deep, prepare_cluster)
    urls = await postgres.start()
    assert await run(urls.app, "SELECT 1") == 1
    assert stat.S_IMODE(postgres.files.socket_dir.stat().st_mode) == 0o700
    await postgres.stop()
    shutil.rmtree(postgres.files.socket_dir)


@pytest.mark.skipif(not AS_ROOT, reason="only root can become another user")
async def test_root_without_user_namespaces_runs_it_as_another_user(data_dir: Path) -> None:
    shared = Path(tempfile.mkdtemp(prefix="rc-shared-"))
    shared.chmod(0o755)
    postgres = EmbeddedPostgres(data_dir, prepare_cluster, namespaces=False, shared_dir=shared)
    for _ in range(2):
        urls = await postgres.start()
        assert await run(urls.app, "SELECT 1") == 1
        assert Path(f"/proc/{postgres.pid}").stat().st_uid != 0
        await postgres.stop()
    shutil.rmtree(shared)


@pytest.mark.skipif(not AS_ROOT, reason="only root can become another user")
async def test_programs_out_of_reach_are_copied_to_where_the_other_user_can_start_them(
    data_dir: Path,
) -> None:
    shared = Path(tempfile.mkdtemp(prefix="rc-shared-"))
    shared.chmod(0o755)
    package = find_programs(None).bin_dir.parent.parent
    hidden = data_dir / "venv" / package.name  # the data directory is closed to everybody else
    shutil.copytree(package, hidden)
    for libraries in package.parent.glob("embedded_postgres.libs"):
        shutil.copytree(libraries, hidden.parent / libraries.name)
    bin_dir = hidden / "pginstall" / "bin"
    postgres = EmbeddedPostgres(data_dir, prepare_cluster, bin_dir=bin_dir, namespaces=False, shared_dir=shared)
    urls = await postgres.start()
    assert await run(urls.app, "SELECT 1") == 1
    assert str(shared) in str(Path(f"/proc/{postgres.pid}/exe").readlink())
    await postgres.stop()
    shutil.rmtree(shared)


async def test_a_directory_without_programs_gets_one_sentence(data_dir: Path) -> None:
    postgres = EmbeddedPostgres(data_dir, prepare_cluster, bin_dir=data_dir)
    with pytest.raises(EmbeddedPostgresError, match="POSTGRES_BIN_DIR"):
        await postgres.start()
    assert not postgres.is_alive()


async def test_lost_passwords_get_one_sentence(filled_dir: Path) -> None:
    postgres = EmbeddedPostgres(filled_dir, prepare_cluster)
    await postgres.start()
    await postgres.stop()
    (filled_dir / "postgres" / "passwords.json").unlink()
    with pytest.raises(EmbeddedPostgresError, match=r"passwords\.json"):
        await postgres.start()
    assert postmaster_pid(postgres.files.cluster) is None


async def test_an_unexpected_setting_ends_with_what_postgres_said(data_dir: Path) -> None:
    postgres = EmbeddedPostgres(data_dir, prepare_cluster, extra_settings={"no_such_setting": "1"})
    with pytest.raises(EmbeddedPostgresError, match="no_such_setting"):
        await postgres.start()


async def test_a_fresh_database_is_migrated_and_empty_of_other_tests(database: FreshDatabase) -> None:
    assert await as_admin(database.urls.owner, schema_revision) == newest_revision()
    await run(database.urls.owner, "CREATE TABLE only_here (n int)")
    await run(database.urls.app, "INSERT INTO only_here VALUES (1)")


async def test_migrating_twice_at_once_is_the_same_as_once(empty_database: FreshDatabase) -> None:
    urls = empty_database.urls
    role = await _app_role(empty_database)
    command = [sys.executable, "-c", MIGRATOR, urls.owner, role]
    servers = [await asyncio.create_subprocess_exec(*command, cwd=ROOT) for _ in range(2)]
    assert [await server.wait() for server in servers] == [0, 0]
    await migrate(urls.owner, AppRole(role))
    assert await as_admin(empty_database.urls.owner, schema_revision) == newest_revision()


async def test_the_app_may_read_the_schema_version_and_not_change_it(database: FreshDatabase) -> None:
    await run(database.urls.app, "SELECT version_num FROM alembic_version")
    with pytest.raises(DBAPIError):
        await run(database.urls.app, "DELETE FROM alembic_version")


async def test_a_right_that_a_migration_took_away_stays_away(database: FreshDatabase) -> None:
    role = await _app_role(database)
    await run(database.urls.owner, "CREATE TABLE audit (n int)", f"REVOKE DELETE ON audit FROM {role}")
    await migrate(database.urls.owner, AppRole(role))
    await run(database.urls.app, "INSERT INTO audit VALUES (1)")
    with pytest.raises(DBAPIError):
        await run(database.urls.app, "DELETE FROM audit")


async def test_a_database_that_is_away_gets_one_sentence_without_the_password() -> None:
    with pytest.raises(DatabaseUnavailable, match="cannot be reached") as away:
        await migrate("postgresql://someone:hunter22hunter@127.0.0.1:1/rollcall", AppRole("rollcall_app"))
    assert "hunter" not in str(away.value)


async def test_the_server_of_the_run_is_one(postgres_server: PostgresServer) -> None:
    assert postgres_server.prefix.startswith("rollcall_test")


async def _app_role(fresh: FreshDatabase) -> str:
    return str(await run(fresh.urls.app, "SELECT current_user"))
