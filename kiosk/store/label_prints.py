"""How often the label of an arrival was printed at this desk, when, and who was at it: kept with the replica."""

from dataclasses import dataclass

from kiosk.store.database import Database


@dataclass(frozen=True)
class LabelPrints:
    """Prints of one arrival's label; moments are UTC milliseconds, `staff_id` is empty when nobody had unlocked."""

    times: int = 0
    first_ms: int = 0
    last_ms: int = 0
    staff_id: str = ""


class LabelPrintStore:
    """Counts prints; writes belong inside the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, event_id: str) -> LabelPrints:
        """The prints of the label of this arrival."""
        row = self._database.fetch_one(
            "SELECT times, first_ms, last_ms, staff_id FROM label_print WHERE event_id = ?", (event_id,)
        )
        return LabelPrints(*row) if row else LabelPrints()

    def count(self, event_id: str, child_id: str, *, now_ms: int, staff_id: str) -> LabelPrints:
        """One print more."""
        self._database.execute(
            "INSERT INTO label_print (event_id, child_id, times, first_ms, last_ms, staff_id) VALUES (?, ?, 1, ?, ?, ?)"
            " ON CONFLICT (event_id) DO UPDATE SET times = times + 1, last_ms = excluded.last_ms,"
            " staff_id = excluded.staff_id",
            (event_id, child_id, now_ms, now_ms, staff_id),
        )
        return self.read(event_id)

    def drop_before(self, moment_ms: int) -> None:
        """Forget the prints of stays that the desk no longer holds."""
        self._database.execute("DELETE FROM label_print WHERE last_ms < ?", (moment_ms,))
