"""The shipped kiosk store, with crash points around its transactions."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kiosk.store.database import Database
from kiosk.store.errors import StoreError
from kiosk.store.schema import migrate
from tests.simulation.crashes import Crash

_KEY = b"k" * 32


class CrashingDatabase(Database):
    """The shipped database; `reach(point)` is called inside and at the ends of each transaction."""

    reach: Callable[[str], None] = staticmethod(lambda _point: None)
    has_lost_power: Callable[[], bool] = staticmethod(lambda: False)

    @classmethod
    def make(cls, path: Path | None, reach: Callable[[str], None]) -> "CrashingDatabase":
        """In memory, with the tables that a program makes at its first start; or on a file, with nothing."""
        made = cls.in_memory() if path is None else cls.open(path, _KEY)
        assert isinstance(made, CrashingDatabase)
        if path is None:
            _empty()._usable().backup(made._usable())
        made.reach = reach
        return made

    @property
    def is_open(self) -> bool:
        """Whether no failed COMMIT has closed it."""
        return self._connection is not None

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        try:
            with super().transaction():
                yield
                self.reach("device: before commit")
        except StoreError as error:
            self._die_with_the_disk(error)
            raise
        self._die_with_the_disk()
        self.reach("device: after commit")

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        super().execute(sql, parameters)
        if not sql.startswith(("PRAGMA", "CREATE")):
            self.reach("device: inside a transaction")

    def _usable(self) -> Any:
        try:
            return super()._usable()
        except StoreError as error:
            self._die_with_the_disk(error)
            raise

    def _die_with_the_disk(self, error: StoreError | None = None) -> None:
        if self.has_lost_power():
            raise Crash("the disk has no power") from error


@functools.cache
def _empty() -> Database:
    """The tables of an empty replica: made once, because a run of many seeds would spend its time on that."""
    database = Database.in_memory()
    migrate(database)
    return database


def copy_database(source: CrashingDatabase, target: CrashingDatabase) -> None:
    """Make the target hold what the source holds; both are in memory."""
    source._usable().backup(target._usable())
