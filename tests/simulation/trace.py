"""What happened, line by line: hashed as it goes, its tail kept, all of it printed on demand."""

import hashlib
from collections import Counter, deque
from collections.abc import Callable

from tests.simulation.timeline import Timeline

TAIL_LINES = 60


class Violated(Exception):
    """An invariant does not hold; `checker` is its name."""

    def __init__(self, checker: str, what: str) -> None:
        super().__init__(f"{checker}: {what}")
        self.checker = checker
        self.what = what


class Trace:
    """The diary of one seed. Lines hold virtual time and names, never an address of memory or the order of a set."""

    def __init__(self, timeline: Timeline, show: Callable[[str], None] | None = None) -> None:
        self._timeline = timeline
        self._show = show
        self._digest = hashlib.sha256()
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.faults: Counter[str] = Counter()
        self.crash_points: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()

    @property
    def hash(self) -> str:
        """The hash of all lines so far."""
        return self._digest.hexdigest()

    def note(self, who: str, what: str) -> None:
        """Write a line."""
        line = f"{self._timeline.now_ms:>8} ms  {who:<12} {what}"
        self._digest.update(line.encode())
        self.tail.append(line)
        if self._show is not None:
            self._show(line)

    def fault(self, kind: str, detail: str = "") -> None:
        """Write down a fault, and count it."""
        self.faults[kind] += 1
        self.note("FAULT", f"{kind} {detail}")
