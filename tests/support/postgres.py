"""PostgreSQL for tests: one server for the whole run, a migrated template, a fresh copy for each test.

The server belongs to a keeper process (`tests.support.postgres_keeper`) that the first test in need starts,
in whichever worker of pytest-xdist, and that ends when the controller of the run does, however that comes
about.
"""

import asyncio
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from server.core.database import DatabaseUrls, create_engine, parts_of, with_database
from server.repositories import database_admin

RUN_DIR_VARIABLE = "ROLLCALL_TEST_RUN_DIR"
KEEPER_END_S = 30
_numbers = count(1)


@dataclass(frozen=True)
class PostgresServer:
    """A running server: the URL that may create databases, and both roles' URLs of the migrated template."""

    admin_url: str
    template: DatabaseUrls

    @property
    def prefix(self) -> str:
        """Give what the names of all databases of this run begin with."""
        return parts_of(self.template.owner).database.removesuffix("_template")


@dataclass(frozen=True)
class FreshDatabase:
    """A database that only one test knows."""

    name: str
    urls: DatabaseUrls


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    os.environ[RUN_DIR_VARIABLE] = tempfile.mkdtemp(prefix="rollcall-test-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    run_dir = Path(os.environ.pop(RUN_DIR_VARIABLE))
    _end_keeper(run_dir)
    shutil.rmtree(run_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> PostgresServer:
    """The one server of this run; the role of DATABASE_URL, when set, must be able to create databases."""
    run_dir = Path(os.environ[RUN_DIR_VARIABLE])
    with locked(run_dir / "keeper.lock"):
        ready = run_dir / "ready.json"
        if not ready.exists():
            ready.write_text(_start_keeper(run_dir), encoding="utf-8")
        said = json.loads(ready.read_text(encoding="utf-8"))
    return PostgresServer(said["admin"], DatabaseUrls(owner=said["owner"], app=said["app"]))


async def made_once(server: PostgresServer, name: str, fill: Callable[[FreshDatabase], Awaitable[None]]) -> str:
    """Give a template of this run that the first test in need fills; `fill` leaves no connection behind."""
    run_dir = Path(os.environ[RUN_DIR_VARIABLE])
    full_name = f"{server.prefix}_{name}"
    with locked(run_dir / f"{name}.lock"):
        ready = run_dir / f"{name}.ready"
        if not ready.exists():
            owner = parts_of(server.template.owner).role
            await as_admin(server.admin_url, database_admin.create_database, full_name, template_of(server), owner)
            await fill(FreshDatabase(full_name, _urls(server, full_name)))
            ready.touch()
    return full_name


def template_of(server: PostgresServer) -> str:
    """Give the name of the migrated template."""
    return parts_of(server.template.owner).database


def _urls(server: PostgresServer, name: str) -> DatabaseUrls:
    template = server.template
    return DatabaseUrls(owner=with_database(template.owner, name), app=with_database(template.app, name))


@pytest.fixture
async def empty_database(postgres_server: PostgresServer) -> AsyncIterator[FreshDatabase]:
    """A database no migration has touched, for tests of the migrations."""
    async with copied(postgres_server, "template0") as fresh:
        yield fresh


@asynccontextmanager
async def copied(server: PostgresServer, template: str) -> AsyncIterator[FreshDatabase]:
    """Give a copy of a database for as long as the block takes."""
    name = f"{server.prefix}_{os.getpid()}_{next(_numbers)}"
    owner = parts_of(server.template.owner).role
    await as_admin(server.admin_url, database_admin.create_database, name, template, owner)
    try:
        yield FreshDatabase(name, _urls(server, name))
    finally:
        await as_admin(server.admin_url, database_admin.drop_database, name)


async def as_admin(url: str, function: object, *arguments: object) -> object:
    """Run one function of database_admin outside a transaction."""
    engine = create_engine(url, pool_size=1, statement_timeout_ms=60_000)
    try:
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            return await connection.run_sync(function, *arguments)  # type: ignore[arg-type]
    finally:
        await engine.dispose()


def _start_keeper(run_dir: Path) -> str:
    log = run_dir / "keeper.log"
    root = Path(__file__).parents[2]
    with log.open("wb") as errors:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.support.postgres_keeper", str(run_dir), str(controller_pid())],
            cwd=root, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=errors, start_new_session=True,
        )  # fmt: skip
    (run_dir / "keeper.pid").write_text(str(keeper.pid), encoding="ascii")
    assert keeper.stdout is not None
    with keeper.stdout as stdout:
        line = stdout.readline().decode()
    if not line:
        pytest.fail(f"no PostgreSQL for the tests:\n{log.read_text(encoding='utf-8')[-2000:]}", pytrace=False)
    keeper.returncode = 0  # it outlives this worker on purpose; without this, Popen complains when collected
    return line


def controller_pid() -> int:
    """The process that made the run directory: this one, or the parent of this xdist worker."""
    return os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()


def _end_keeper(run_dir: Path) -> None:
    note = run_dir / "keeper.pid"
    if not note.exists():
        return
    pid = int(note.read_text(encoding="ascii"))
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    asyncio.run(_gone(run_dir / "keeper.alive"))


async def _gone(alive: Path) -> None:
    async with asyncio.timeout(KEEPER_END_S):
        while _is_locked(alive):
            await asyncio.sleep(0.05)


def _is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open("a", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock of this run; other workers wait."""
    with path.open("a", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
