"""A WebSocket as it fails: in order inside one direction, and slow, stalled, cut, or half open beside that."""

from collections import deque
from collections.abc import Callable

from sync.errors import CloseCode
from tests.simulation.luck import Luck
from tests.simulation.timeline import Timeline

# Push, PushStored and Page: the second byte of a frame is the tag of its message.
_SWALLOWED_TAGS = frozenset({3, 4, 6})


def may_be_swallowed(frame: bytes) -> bool:
    """Whether a frame may be lost alone: one whose loss a sound peer can tell from a peer that broke the rules."""
    return frame[1] in _SWALLOWED_TAGS


class Pipe:
    """One direction. `receive(frame)` says whether there was room; `ended(code)` comes after the last frame."""

    def __init__(self, timeline: Timeline, luck: Luck, delay_ms: tuple[int, int]) -> None:
        self.receive: Callable[[bytes], bool] = lambda _: True
        self.ended: Callable[[CloseCode | None], None] = lambda _: None
        self.is_stalled = False
        self.is_open = True
        self.swallow_next = False
        self._timeline = timeline
        self._luck = luck
        self._delay_ms = delay_ms
        self._last_ms = 0
        self._arrived: deque[bytes | None] = deque()
        self._code: CloseCode | None = None
        self._frames_kept: int | None = None

    def send(self, frame: bytes) -> None:
        """Put a frame on its way."""
        if self.swallow_next and may_be_swallowed(frame):
            self.swallow_next = False
        elif self.is_open:
            self._put(frame)

    def close(self, code: CloseCode | None) -> None:
        """End this direction after what is already on its way."""
        if self.is_open:
            self.is_open = False
            self._code = code
            self._put(None)

    def cut(self, *, kept_frames: int, tell: bool, lag_ms: int) -> None:
        """Break: the first `kept_frames` on their way arrive after the lag; the end is told then, or left half open."""
        self.is_open = False
        self.is_stalled = True
        # What one cut lost, no later one brings back: a stream never goes on behind a gap.
        self._frames_kept = kept_frames if self._frames_kept is None else min(self._frames_kept, kept_frames)
        over_ms = max(self._last_ms, self._timeline.now_ms) + lag_ms
        self._timeline.at(over_ms, self.resume)
        if tell:
            self._timeline.at(over_ms, lambda: self._arrive(None))

    def resume(self) -> None:
        """Let what stood still arrive."""
        self.is_stalled = False
        self.pump()

    def pump(self) -> None:
        """Hand over what has arrived, as far as there is room."""
        while self._arrived and not self.is_stalled:
            frame = self._arrived[0]
            if frame is None:
                self._arrived.clear()
                self.ended(self._code)
                return
            if not self.receive(frame):
                return
            self._arrived.popleft()

    def _put(self, frame: bytes | None) -> None:
        low, high = self._delay_ms
        self._last_ms = max(self._last_ms, self._timeline.now_ms + self._luck.between(low, high))
        self._timeline.at(self._last_ms, lambda: self._arrive(frame))

    def _arrive(self, frame: bytes | None) -> None:
        if frame is not None and self._frames_kept is not None:
            if self._frames_kept == 0:
                return
            self._frames_kept -= 1
        self._arrived.append(frame)
        self.pump()


class Link:
    """Two pipes, with a name for the trace."""

    def __init__(self, name: str, timeline: Timeline, luck: Luck, delay_ms: tuple[int, int]) -> None:
        self.name = name
        self.up = Pipe(timeline, luck, delay_ms)
        self.down = Pipe(timeline, luck, delay_ms)

    def stall(self) -> None:
        """Nothing arrives any more, and nobody is told."""
        self.up.is_stalled = self.down.is_stalled = True

    def stall_up(self) -> None:
        """Only what the device sends is lost."""
        self.up.is_stalled = True

    def stall_down(self) -> None:
        """Only what the server sends is lost."""
        self.down.is_stalled = True

    def resume(self) -> None:
        """Everything that stood still arrives."""
        self.up.resume()
        self.down.resume()
