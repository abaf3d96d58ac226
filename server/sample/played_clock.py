"""The clock of a history: it stands still until it is put forward."""

from datetime import datetime

from server.core.clock import SystemClock, datetime_of


class PlayedClock:
    """Stands where it was put; only durations are real."""

    def __init__(self) -> None:
        """Begin in 1970."""
        self.at_ms = 0
        self._real = SystemClock()

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return self.at_ms

    def monotonic_ms(self) -> int:
        """Real milliseconds."""
        return self._real.monotonic_ms()

    def now(self) -> datetime:
        """Give the played time in UTC."""
        return datetime_of(self.at_ms)
