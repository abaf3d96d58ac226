"""What writes the log, and other parts that take their time, are not read while somebody waits for the screen."""

import subprocess
import sys

from structlog.testing import capture_logs

from kiosk.log import Log, set_up_late

LATE = (
    "typer",
    "pydantic",
    "structlog",
    "importlib.metadata",
    "cryptography.hazmat.primitives.serialization",
    "httpx",
    "fpdf",
)
START = "import sys, kiosk.showing, kiosk.app, kiosk.services.desk; print(*sys.modules)"


def test_a_desk_that_starts_reads_nothing_that_can_wait() -> None:
    read = subprocess.run([sys.executable, "-c", START], check=True, capture_output=True, text=True, timeout=60)
    assert not set(LATE) & set(read.stdout.split())


def test_the_log_is_set_up_once_as_was_said_last_and_with_its_first_line() -> None:
    done: list[str] = []
    set_up_late(lambda: done.append("first said"))
    set_up_late(lambda: done.append("said last"))
    assert done == []
    with capture_logs() as lines:
        Log(device="d-1").info("told", age_ms=1)
        Log().warning("told_again")
    assert done == ["said last"]
    assert lines == [
        {"device": "d-1", "age_ms": 1, "event": "told", "log_level": "info"},
        {"event": "told_again", "log_level": "warning"},
    ]
