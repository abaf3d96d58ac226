"""The process that owns the PostgreSQL of a test run and cleans up when the run ends, is ended or is killed.

Called with the directory of the run and the process id of its controller; says once, in one line of JSON, how
to reach the server and the migrated template.
"""

import asyncio
import fcntl
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from server.core.database import DatabaseUrls, normalise_url, with_database, with_role
from server.core.embedded_postgres import EmbeddedPostgres
from server.core.migrate import AppRole, migrate
from server.core.postgres_cluster import ADMIN_ROLE, APP_ROLE, OWNER_ROLE
from server.repositories import database_admin
from tests.support.postgres import as_admin

# Nothing here outlives the run, so the disk need not be waited for.
FAST = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "120",
    "max_wal_size": "256MB",
}  # fmt: skip
# A copy of a database is a thousand files, which memory makes five times as fast as a disk.
MEMORY = Path("/dev/shm")
MEMORY_BYTES_MIN = 2 * 1024**3


async def keep(run_dir: Path, controller_pid: int) -> None:
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    # A descriptor of the process, not its number: it also speaks when a killed pytest is left as a zombie.
    controller = os.pidfd_open(controller_pid)
    loop.add_reader(controller, over.set)
    given = os.environ.get("DATABASE_URL")
    opened = external(normalise_url(given)) if given else embedded(run_dir)
    async with opened as (admin_url, template):
        print(json.dumps({"admin": admin_url, "owner": template.owner, "app": template.app}), flush=True)
        await over.wait()
    loop.remove_reader(controller)
    os.close(controller)


@asynccontextmanager
async def embedded(run_dir: Path) -> AsyncIterator[tuple[str, DatabaseUrls]]:
    with folder_in_memory(run_dir) as folder:
        async with running(EmbeddedPostgres(folder, database_admin.prepare_cluster, extra_settings=FAST)) as found:
            yield found


@contextmanager
def folder_in_memory(otherwise: Path) -> Iterator[Path]:
    """Give a folder in memory where there is plenty, or another one."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < MEMORY_BYTES_MIN:
        yield otherwise
        return
    with tempfile.TemporaryDirectory(prefix="rollcall-test-", dir=MEMORY, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@asynccontextmanager
async def running(postgres: EmbeddedPostgres) -> AsyncIterator[tuple[str, DatabaseUrls]]:
    await postgres.start()
    try:
        access = postgres.files.access()
        admin_url = access.url(ADMIN_ROLE, "postgres")
        name = "rollcall_test_template"
        await as_admin(admin_url, database_admin.create_database, name, "template0", OWNER_ROLE)
        await migrate(access.url(OWNER_ROLE, name), AppRole(APP_ROLE))
        yield admin_url, DatabaseUrls(owner=access.url(OWNER_ROLE, name), app=access.url(APP_ROLE, name))
    finally:
        await postgres.stop()


@asynccontextmanager
async def external(admin_url: str) -> AsyncIterator[tuple[str, DatabaseUrls]]:
    prefix = f"rollcall_test_{secrets.token_hex(4)}"
    app = AppRole(f"{prefix}_app", secrets.token_hex(16))
    owner_url = with_database(admin_url, f"{prefix}_template")
    await as_admin(admin_url, database_admin.create_database, f"{prefix}_template", "template0")
    try:
        await migrate(owner_url, app)
        yield admin_url, DatabaseUrls(owner=owner_url, app=with_role(owner_url, app.name, app.password))
    finally:
        await as_admin(admin_url, database_admin.drop_databases, prefix)
        await as_admin(admin_url, database_admin.drop_role, app.name)


def main() -> None:
    run_dir = Path(sys.argv[1])
    with (run_dir / "keeper.alive").open("a", encoding="ascii") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        asyncio.run(keep(run_dir, int(sys.argv[2])))
        shutil.rmtree(run_dir, ignore_errors=True)


if __name__ == "__main__":
    main()
