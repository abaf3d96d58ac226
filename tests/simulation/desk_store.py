"""The shipped kiosk store, with crash points around its transactions."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kiosk.store.database import Database


class CrashingDatabase(Database):
    """The shipped database; `reach(point)` is called inside and at the ends of each transaction."""

    reach: Callable[[str], None] = staticmethod(lambda _point: None)

    @classmethod
    def make(cls, path: Path | None) -> "CrashingDatabase":
        """In memory, or on a file."""
        made = cls.in_memory() if path is None else cls.open(path, b"k" * 32)
        assert isinstance(made, CrashingDatabase)
        return made

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        with super().transaction():
            yield
            self.reach("device: before commit")
        self.reach("device: after commit")

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        super().execute(sql, parameters)
        if not sql.startswith(("PRAGMA", "CREATE")):
            self.reach("device: inside a transaction")
