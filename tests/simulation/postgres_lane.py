"""The shipped server's stores on a real PostgreSQL, driven from virtual time; one seed in a hundred.

Each effect runs to its end on a private event loop, so nothing of asyncio's order reaches the trace; clock, luck and
ids come from the seed. A crash ends the connection in the middle of its transaction and forgets the process.
Left out here, because only the model can do it: a restore from a backup, and clocks that are wrong (the server
leaves old days out of its snapshots, which the checkers do not).
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from server.core.clock import datetime_of
from server.core.database import create_engine, parts_of, with_database
from server.repositories import database_admin
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.journal_intake import JournalIntake
from server.services.sync_store import ServerStore
from tests.simulation.crashes import Crash
from tests.simulation.luck import Luck
from tests.simulation.plan import POSTGRES_VARIABLE as VARIABLE
from tests.support.postgres import as_admin

_KEEPER_END_S: Final = 30

T = TypeVar("T")


@contextmanager
def cluster() -> Iterator[str]:
    """Start a PostgreSQL for this run and its processes; gives what went wrong, or an empty text."""
    with tempfile.TemporaryDirectory(prefix="rollcall-simulation-postgres-") as folder:
        log = Path(folder) / "keeper.log"
        with log.open("wb") as errors:
            keeper = subprocess.Popen(
                [sys.executable, "-m", "tests.support.postgres_keeper", folder, str(os.getpid())],
                stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=errors, start_new_session=True,
            )  # fmt: skip
        assert keeper.stdout is not None
        line = keeper.stdout.readline().decode()
        try:
            if line:
                os.environ[VARIABLE] = line
            yield "" if line else log.read_text(encoding="utf-8")[-500:]
        finally:
            os.environ.pop(VARIABLE, None)
            keeper.terminate()
            keeper.wait(_KEEPER_END_S)
            keeper.stdout.close()


class _VirtualClock:
    """The server's clock in virtual time."""

    def __init__(self, lane: "PostgresLane") -> None:
        self._lane = lane

    def wall_ms(self) -> int:
        return self._lane.wall_ms()

    def monotonic_ms(self) -> int:
        return self._lane.wall_ms()

    def now(self) -> datetime:
        return datetime_of(self.wall_ms())


class _CrashingUnits(UnitsOfWork):
    """The shipped unit of work, which may die before it writes the log and commits, or after."""

    lane: "PostgresLane"

    @asynccontextmanager
    async def begin(self, *, actor: str = "", origin: str = "") -> AsyncIterator[UnitOfWork]:
        async with super().begin(actor=actor, origin=origin) as unit:
            yield unit
            await self.lane.reach("server: before commit", unit)
        await self.lane.reach("server: after commit", unit)


def _tell_all_but_crashes(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A task that dies with its process has nobody to tell."""
    if not isinstance(context.get("exception"), Crash):
        loop.default_exception_handler(context)


class PostgresLane:
    """One database, and the process of the server that works on it."""

    def __init__(self, seed: int) -> None:
        self.points: Any = lambda _point: None
        self.wall_ms: Callable[[], int] = int
        self._luck = Luck(seed, "postgres")
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_tell_all_but_crashes)
        said = json.loads(os.environ[VARIABLE])
        self._admin_url = said["admin"]
        template = parts_of(said["owner"]).database
        self._name = f"{template.removesuffix('_template')}_{os.getpid()}_{seed}"
        owner = parts_of(said["owner"]).role
        self.run(as_admin(self._admin_url, database_admin.create_database, self._name, template, owner))
        self._url = with_database(said["app"], self._name)
        self.engine: AsyncEngine | None = None
        self.boot()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it to its end, in no virtual time."""
        return self._loop.run_until_complete(work)

    def boot(self) -> None:
        """Start the server anew; what the last one had in memory is gone."""
        if self.engine is not None:
            self.run(self.engine.dispose())
        clock = _VirtualClock(self)
        self.engine = create_engine(self._url, pool_size=2)
        self.units = _CrashingUnits(self.engine, clock=clock, luck=self._luck.octets, new_id=self._luck.uuid)
        self.units.lane = self
        intake = JournalIntake(self.units, clock)
        self.store = ServerStore(self.units, intake, clock)

    def close(self) -> None:
        """The run is over."""
        if self.engine is not None:
            self.run(self.engine.dispose())
        self.run(as_admin(self._admin_url, database_admin.drop_database, self._name))
        self._loop.close()

    async def reach(self, point: str, unit: UnitOfWork) -> None:
        """Pass the point, or abandon the connection and raise `Crash`."""
        try:
            self.points(point)
        except BaseException:
            if not unit.connection.closed:
                await unit.connection.invalidate()
            raise

    async def execute(self, statement: str, **parameters: object) -> None:
        """Write a row around the store, as another part of the server would."""
        assert self.engine is not None
        async with self.engine.begin() as connection:
            await connection.execute(text(statement), parameters)

    async def rows(self, statement: str, **parameters: object) -> list[Any]:
        """Read what is there."""
        assert self.engine is not None
        async with self.engine.connect() as connection:
            return list((await connection.execute(text(statement), parameters)).all())
