"""Heartbeats and the deadline on silence: one small object that both sessions own."""

from sync.limits import HEARTBEAT_INTERVAL_MS, SILENCE_MAX_MS


class Liveness:
    """Knows when something was last sent and last heard; all times are monotonic milliseconds."""

    def __init__(self, now_ms: int) -> None:
        """Begin as if both sides had just spoken."""
        self._sent_ms = now_ms
        self._heard_ms = now_ms

    def sent(self, now_ms: int) -> None:
        """Something of ours went out; no heartbeat is needed for a while."""
        self._sent_ms = now_ms

    def heard(self, now_ms: int) -> None:
        """The peer is alive."""
        self._heard_ms = now_ms

    def is_silent(self, now_ms: int) -> bool:
        """Whether the peer said nothing for so long that the link must be half open."""
        return now_ms - self._heard_ms >= SILENCE_MAX_MS

    def heartbeat_due(self, now_ms: int) -> bool:
        """Whether we said nothing for a whole interval."""
        return now_ms - self._sent_ms >= HEARTBEAT_INTERVAL_MS

    @property
    def deadline_ms(self) -> int:
        """When to look again."""
        return min(self._sent_ms + HEARTBEAT_INTERVAL_MS, self._heard_ms + SILENCE_MAX_MS)
