"""How often a PIN was tried wrongly at this desk, and since when it may be tried again."""

from dataclasses import dataclass

from kiosk.store.database import Database


@dataclass(frozen=True)
class Tries:
    """Wrong tries of one PIN, named by its salt; the next is taken from `not_before_ms` on (by the ratchet)."""

    salt: str
    failures: int = 0
    not_before_ms: int = 0


class PinAttempts:
    """Reads and writes the tries; writes belong inside the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, person_id: str, salt: str) -> Tries:
        """The tries of this PIN; those of an earlier PIN of the person are no longer of interest."""
        row = self._database.fetch_one(
            "SELECT salt, failures, not_before_ms FROM pin_attempt WHERE person_id = ?", (person_id,)
        )
        found = Tries(*row) if row else Tries(salt)
        return found if found.salt == salt else Tries(salt)

    def write(self, person_id: str, tries: Tries) -> None:
        """Keep them."""
        self._database.execute(
            "INSERT INTO pin_attempt (person_id, salt, failures, not_before_ms) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (person_id) DO UPDATE SET salt = excluded.salt, failures = excluded.failures,"
            " not_before_ms = excluded.not_before_ms",
            (person_id, tries.salt, tries.failures, tries.not_before_ms),
        )

    def forget(self, person_id: str) -> None:
        """The right PIN was given."""
        self._database.execute("DELETE FROM pin_attempt WHERE person_id = ?", (person_id,))
