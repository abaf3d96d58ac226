"""How long a desk waits before it dials again; tries while no network reaches it are counted, not played one by one."""

from collections.abc import Callable

from sync.backoff import delay_ms

DIAL_TIMEOUT_MS = 10_000
# A leap ends here at the latest: whoever crashes meanwhile has not been reckoned far ahead.
LEAP_MAX_MS = 6 * 3_600_000


class Tries:
    """The failed tries in a row of one process, the server's advice, and until when no network reaches the desk."""

    def __init__(self) -> None:
        self.failures = 0
        self.advised_ms: int | None = None
        self.away_until_ms = 0

    def failed(self, now_ms: int, luck: Callable[[], float]) -> int:
        """Note one more; gives the milliseconds to wait, as `sync.backoff` says, before the next that may succeed.

        Of those that begin and end while the desk is away, each is drawn and counted at once: they fail after
        `DIAL_TIMEOUT_MS`, and nobody else sees them.
        """
        at_ms = now_ms + self._drawn_ms(luck)
        known_ms = min(self.away_until_ms, now_ms + LEAP_MAX_MS)
        while at_ms + DIAL_TIMEOUT_MS <= known_ms:
            at_ms += DIAL_TIMEOUT_MS + self._drawn_ms(luck)
        return at_ms - now_ms

    def _drawn_ms(self, luck: Callable[[], float]) -> int:
        self.failures += 1
        advised_ms, self.advised_ms = self.advised_ms, None
        return delay_ms(failures=self.failures, luck=luck(), advised_ms=advised_ms)
