"""The log of a desk. What writes it is read with the first line, not at the start, when somebody waits for a screen."""

from collections.abc import Callable
from typing import Any

_set_up: list[Callable[[], None]] = []


def set_up_late(set_up: Callable[[], None]) -> None:
    """Have this done before the next line is written; it takes the place of what was to be done."""
    _set_up[:] = [set_up]


class Log:
    """Events with their words, as structlog writes them; `bound` words stand in every line."""

    def __init__(self, **bound: object) -> None:
        self._bound = bound

    def info(self, event: str, **words: object) -> None:
        """Log what is as it should be."""
        self._lines().info(event, **words)

    def warning(self, event: str, **words: object) -> None:
        """Log what somebody may want to look at."""
        self._lines().warning(event, **words)

    def error(self, event: str, **words: object) -> None:
        """Log what somebody must look at."""
        self._lines().error(event, **words)

    def exception(self, event: str, **words: object) -> None:
        """Log the error that is being handled, too."""
        self._lines().exception(event, **words)

    def _lines(self) -> Any:
        import structlog

        while _set_up:
            _set_up.pop()()
        return structlog.get_logger().bind(**self._bound)
