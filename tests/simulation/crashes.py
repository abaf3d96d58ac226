"""Crash points: places in the code paths, by name, where a fault may end a process."""

from tests.simulation.trace import Trace

POINTS = (
    "server: before commit",
    "server: after commit",
    "server: before acknowledgement",
    "server: mid page",
    "device: inside a transaction",
    "device: before commit",
    "device: after commit",
    "device: before the person is told",
    "disk: before a write",
    "disk: before a sync",
    "disk: after a sync",
)


class Crash(BaseException):
    """The process ends here; nothing may catch this but the simulation."""


class CrashPoints:
    """The points of one process. An armed point ends the process the next time it is reached."""

    def __init__(self, who: str, trace: Trace) -> None:
        self._who = who
        self._trace = trace
        self._armed: dict[str, int] = {}

    def arm(self, point: str, passes: int = 0) -> None:
        """Crash at this point, after passing it so many times."""
        self._armed[point] = passes

    def disarm(self) -> None:
        """Let everything pass again."""
        self._armed.clear()

    def reach(self, point: str) -> None:
        """Pass the point, or raise `Crash`."""
        left = self._armed.get(point)
        if left is None:
            return
        if left > 0:
            self._armed[point] = left - 1
            return
        self._armed.clear()
        self._trace.crash_points[point] += 1
        self._trace.note(self._who, f"crashes at '{point}'")
        raise Crash(point)
