"""Which rows a session writes, as it writes them: centre, table and key, for the audit log."""

from typing import Any, Final

from sqlalchemy import event, inspect
from sqlalchemy.orm import Session
from sqlmodel.ext.asyncio.session import AsyncSession

# What is written beside everything and says nothing of what was done.
_ASIDE: Final = frozenset({"mail_outbox", "throttle"})


class TouchedRows:
    """Remembers the rows of every flush, each once and in order."""

    def __init__(self) -> None:
        """Begin with none."""
        self.rows: Final[dict[tuple[str, str, str], None]] = {}

    def follow(self, session: AsyncSession) -> None:
        """Listen to a session until it is gone."""
        event.listen(session.sync_session, "after_flush", self._note)

    def _note(self, session: Session, _context: object) -> None:
        changed = [one for one in session.dirty if session.is_modified(one)]
        for one in (*session.new, *changed, *session.deleted):
            table = str(getattr(one, "__tablename__", ""))
            if table not in _ASIDE:
                self.rows[_center_of(one, table), table, _key_of(one)] = None


def _center_of(row: Any, table: str) -> str:
    return str(row.id) if table == "center" else str(getattr(row, "center_id", None) or "")


def _key_of(row: Any) -> str:
    """The key of a row within its centre."""
    mapper = inspect(row).mapper
    parts = [(column.name, value) for column, value in zip(mapper.primary_key, mapper.primary_key_from_instance(row),
                                                           strict=True)]  # fmt: skip
    return "/".join(str(value) for name, value in parts if name != "center_id" or len(parts) == 1)
