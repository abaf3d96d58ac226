"""What is kept of a crash, without a name or a value in it, and how often a desk may start again by itself."""

import platform
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from kiosk.keys import write_whole
from kiosk.services.moments import rfc3339
from kiosk.settings import app_version, error_kinds, error_places

# A desk that crashes twenty times has a defect that the first twenty reports show.
REPORTS_MAX: Final = 20
# A deep recursion has a thousand frames, and those next to the crash tell what it was.
FRAMES_MAX: Final = 40
NAME_CHARACTERS_MAX: Final = 120
RESTARTS_MAX: Final = 3
WINDOW_MS: Final = 60_000


class CrashReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a report holds: kinds of errors, places in the program, versions. No message of an error and no variable.

    `at` is RFC 3339 by the desk's clock. At most 40 frames of at most 120 characters: less than 8 KiB.
    """

    at: str
    program: str
    python: str
    textual: str
    system: str
    errors: tuple[str, ...]
    places: tuple[str, ...]


def crash_report(error: BaseException, wall_ms: int) -> CrashReport:
    """Describe a crash at `wall_ms` (UTC milliseconds)."""
    return CrashReport(
        at=rfc3339(wall_ms) or "",
        program=app_version(),
        python=platform.python_version(),
        textual=_version_of("textual"),
        system=f"{platform.system()} {platform.machine()}",
        errors=tuple(kind[:NAME_CHARACTERS_MAX] for kind in error_kinds(error)),
        places=tuple(place[:NAME_CHARACTERS_MAX] for place in error_places(error, FRAMES_MAX)),
    )


def keep_report(folder: Path, report: CrashReport) -> Path:
    """Write a report that only the desk's owner reads, and drop all but the newest 20; raises OSError.

    Reports are counted, so that a clock that was set back neither hides the newest nor drops it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = sorted(folder.glob("crash-*.json"))
    last = max((_number_of(path) for path in kept), default=0)
    path = folder / f"crash-{last + 1:06}.json"
    write_whole(path, [msgspec.json.format(msgspec.json.encode(report)), b"\n"])
    for old in [*kept, path][:-REPORTS_MAX]:
        old.unlink(missing_ok=True)
    return path


def _number_of(path: Path) -> int:
    digits = path.stem.removeprefix("crash-")
    return int(digits) if digits.isdecimal() else 0


def _version_of(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return "0"


@dataclass
class CrashCount:
    """How often the desk crashed lately; moments are milliseconds of one clock that only moves forward."""

    _moments_ms: deque[int] = field(default_factory=deque)

    def may_restart(self, now_ms: int) -> bool:
        """Take in a crash now, and say whether to start again by itself: three times within a minute, no more."""
        while self._moments_ms and now_ms - self._moments_ms[0] >= WINDOW_MS:
            self._moments_ms.popleft()
        self._moments_ms.append(now_ms)
        return len(self._moments_ms) <= RESTARTS_MAX

    def begin_anew(self) -> None:
        """A person said to go on."""
        self._moments_ms.clear()
