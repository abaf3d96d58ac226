"""Where a desk keeps what, how long it waits for what, and its log file."""

import functools
import json
import logging
import sys
import traceback
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kiosk.log import set_up_late

if TYPE_CHECKING:
    from structlog.typing import EventDict

# The log is for whoever looks after the desk: three files of 1 MiB, so that a bad week cannot fill the disk.
LOG_BYTES_MAX: Final = 1024 * 1024
LOG_FILES: Final = 2
FRAMES_MAX: Final = 12
OWN_LOGGER: Final = "rollcall.kiosk"


@dataclass(frozen=True)
class DataFolder:
    """The files of one desk, all in one folder that only its owner can read."""

    path: Path

    @property
    def keys(self) -> Path:
        """Who this device is, and its secrets."""
        return self.path / "device.json"

    @property
    def replica(self) -> Path:
        """The encrypted replica and journal."""
        return self.path / "replica.db"

    @property
    def owner(self) -> Path:
        """Whose replica this is: a note that tells wrong keys from a damaged file."""
        return self.path / "replica.owner"

    @property
    def quarantine(self) -> Path:
        """Replicas that could not be trusted, each in a folder named for when that was found."""
        return self.path / "quarantine"

    @property
    def rollcalls(self) -> Path:
        """Roll-calls as plain text, to print when nothing else works; names in the clear, for the owner's eyes."""
        return self.path / "rollcalls"

    @property
    def crashes(self) -> Path:
        """Reports of crashes: kinds, places and versions, no name and no value."""
        return self.path / "crashes"

    @property
    def lock(self) -> Path:
        """Held by the one program that uses this folder."""
        return self.path / "kiosk.lock"

    @property
    def log(self) -> Path:
        """The log file."""
        return self.path / "kiosk.log"

    def create(self) -> None:
        """Make the folder; only its owner gets in."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)


@dataclass(frozen=True)
class LinkSettings:
    """How long a link waits; milliseconds. The session's own deadlines are in `sync.limits`."""

    open_timeout_ms: int = 10_000
    http_timeout_ms: int = 10_000
    close_timeout_ms: int = 2_000
    needs_person_retry_ms: int = 60_000
    # A link that held this long, or moved something, starts the back-off anew.
    settled_after_ms: int = 10_000
    # How often a desk looks at its clocks when nothing happens: the lease counts days.
    round_interval_ms: int = 60_000


@dataclass(frozen=True)
class DoorSettings:
    """How a desk behaves at the door; milliseconds."""

    # After so long without a key the names are hidden, and a PIN opens the desk again.
    idle_lock_ms: int = 120_000
    # A pick-up list that is older than this is to be checked by phone.
    list_old_ms: int = 12 * 3_600_000
    # So long the last entry can be taken back by one key.
    undo_ms: int = 60_000


@functools.cache
def app_version() -> str:
    """The version of this program, as told to the server with each link; read once, since it takes milliseconds."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("rollcall")
    except PackageNotFoundError:
        return "0"


def log_to_file(path: Path) -> None:
    """Send the log to a file with rotation, and nothing to the screen."""
    handler = RotatingFileHandler(path, maxBytes=LOG_BYTES_MAX, backupCount=LOG_FILES, encoding="utf-8")
    path.chmod(0o600)
    handler.setFormatter(_WithoutWords())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for noisy in ("httpx", "httpcore", "websockets", "asyncio", "fpdf", "fontTools", "PIL"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    set_up_late(_write_lines)


def _write_lines() -> None:
    import structlog

    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _exception_without_words,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=lambda *_: logging.getLogger(OWN_LOGGER),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


class _WithoutWords(logging.Formatter):
    """Writes the lines of this program as they are, and of others only who said something where, and about what kind.

    What asyncio says of a task that failed holds the words of its error, and those may hold a name. `logging` itself
    would write a traceback with the same words below any line that was logged while an error was handled.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        if record.name == OWN_LOGGER:
            return record.getMessage()
        line: EventDict = {"event": "other_logged", "logger": record.name, "level": record.levelname.lower()}
        line["place"] = f"{record.filename}:{record.lineno} {record.funcName}"
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            line["error"], line["places"] = error_kinds(error), error_places(error, FRAMES_MAX)
        return json.dumps(line)


def _exception_without_words(_logger: object, _method: str, event: "EventDict") -> "EventDict":
    """Log the kind of an exception and where it came from; its own words may hold a name."""
    given = event.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given
    if isinstance(error, BaseException):
        event["error"] = error_kinds(error)
        event["places"] = error_places(error, FRAMES_MAX)
    return event


def error_kinds(error: BaseException) -> list[str]:
    """The kinds of an error and of those behind it, and never their words."""
    return [type(each).__name__ for each in _chain(error)]


def error_places(error: BaseException, places_max: int) -> list[str]:
    """Where an error came from, as `file.py:12 function`; the last ones, next to where it happened."""
    frames = [frame for each in _chain(error) for frame in traceback.extract_tb(each.__traceback__)][-places_max:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    behind: BaseException | None = error
    while behind is not None and len(chain) < FRAMES_MAX:
        chain.append(behind)
        behind = behind.__cause__ or behind.__context__
    return chain


def log_nowhere() -> None:
    """No log: for commands that say everything on the terminal."""
    logging.basicConfig(handlers=[logging.NullHandler()], force=True)
    set_up_late(_write_as_the_library_does)


def _write_as_the_library_does() -> None:
    import structlog

    structlog.configure(logger_factory=structlog.stdlib.LoggerFactory())
