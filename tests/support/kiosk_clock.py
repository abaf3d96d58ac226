"""A desk's clock in tests: the machine's own, moved as a test says."""

from kiosk.clock import SystemClock


class MovableClock(SystemClock):
    """Real time, with something added to it."""

    def __init__(self) -> None:
        super().__init__()
        self._wall_ahead_ms = 0
        self._monotonic_ahead_ms = 0

    def wall_ms(self) -> int:
        return super().wall_ms() + self._wall_ahead_ms

    def monotonic_ms(self) -> int:
        return super().monotonic_ms() + self._monotonic_ahead_ms

    def pass_ms(self, passed_ms: int) -> None:
        """Let time pass at once."""
        self._wall_ahead_ms += passed_ms
        self._monotonic_ahead_ms += passed_ms

    def step_ms(self, step_ms: int) -> None:
        """Set the wall clock."""
        self._wall_ahead_ms += step_ms


class StandingClock(MovableClock):
    """Stands still at a time until it is told to move."""

    def __init__(self, wall_ms: int) -> None:
        super().__init__()
        self._standing_ms = wall_ms
        self._running_ms = 1_000_000

    def wall_ms(self) -> int:
        return self._standing_ms + self._wall_ahead_ms

    def monotonic_ms(self) -> int:
        return self._running_ms + self._monotonic_ahead_ms
