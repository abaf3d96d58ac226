"""What the server says into its log, at its most talkative, as one text to look for canaries in."""

import io
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import structlog

from server.core.logging import configure_logging


@contextmanager
def told_logs() -> Iterator[io.StringIO]:
    """Gather every line of the block, down to DEBUG and of libraries too; logging is then as it was."""
    told, root = io.StringIO(), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    configure_logging(level="DEBUG", log_format="json", stream=told)
    try:
        yield told
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()


def found_in(lines: str, canaries: Iterable[str]) -> list[str]:
    """Which canaries stand in it, also as JSON writes them; as words of their own, for ids hold any digits."""
    plain = lines.encode().decode("unicode_escape", "replace") if "\\u" in lines else ""
    found = [one for one in canaries if re.search(rf"(?<![0-9A-Za-z]){re.escape(one)}(?![0-9A-Za-z])", lines + plain)]
    return sorted(set(found))
