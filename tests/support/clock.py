"""A clock for tests that moves only when told."""

from datetime import datetime

from server.core.clock import datetime_of

START_MS = 1_790_000_000_000  # 2026-09-21T14:13:20Z, a Monday in term time


class FakeClock:
    """Wall and monotonic time that stand still until `advance_ms` or `set_wall_ms`."""

    def __init__(self, wall_ms: int = START_MS, monotonic_ms: int = 1_000_000) -> None:
        """Start at the given times, both in milliseconds."""
        self._wall_ms = wall_ms
        self._monotonic_ms = monotonic_ms

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        return self._wall_ms

    def monotonic_ms(self) -> int:
        """Milliseconds since an arbitrary start."""
        return self._monotonic_ms

    def now(self) -> datetime:
        """Return the wall time as an aware datetime in UTC."""
        return datetime_of(self._wall_ms)

    def advance_ms(self, step_ms: int) -> None:
        """Let both times pass."""
        self._wall_ms += step_ms
        self._monotonic_ms += step_ms

    def set_wall_ms(self, wall_ms: int) -> None:
        """Set the wall clock as an administrator would; monotonic time does not move."""
        self._wall_ms = wall_ms
