"""How this desk is: link, queue, clock, file and disk, and in words what somebody should do about it."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kiosk.messages import DeskStatus, LinkPhase
from kiosk.services.moments import day_words
from kiosk.services.opening import OpenFolder
from kiosk.services.recorder import DeskParts
from kiosk.settings import app_version
from kiosk.store.errors import StoreError
from kiosk.store.progress import Progress
from kiosk.store.schema import schema_version
from sync.attendance import CLOCK_TOLERANCE_MS

_MIB: Final = 1024 * 1024
# A replica of a large centre has tens of megabytes, and SQLite wants as much again while it tidies up.
DISK_LOW_BYTES: Final = 256 * _MIB
# Time stamps bear this much without a question; beyond it people notice at the door.
CLOCK_OFF_MS: Final = 60_000
_HOUR_MS: Final = 3_600_000
# Beyond two minutes nobody counts in seconds.
_SECONDS_MAX: Final = 120
DATA_OLD_MS: Final = 12 * _HOUR_MS


@dataclass(frozen=True)
class Health:
    """A desk as it is now. Times are UTC milliseconds, sizes bytes; None: it could not be told.

    `clock_offset_ms` is server clock minus this machine's, as last measured. `trouble`: the file did not answer.
    """

    status: DeskStatus
    now_ms: int
    server_url: str
    version: str
    device_id: str
    incarnation: str
    journal_seq: int
    acknowledged_seq: int
    clock_offset_ms: int | None
    schema: int
    disk_free_bytes: int | None
    was_quarantined: bool
    trouble: str = ""


class DeskHealth:
    """Looks at the desk; changes nothing."""

    def __init__(self, parts: DeskParts, opened: Callable[[], OpenFolder]) -> None:
        self._following = parts.following
        self._opened = opened

    async def look(self) -> Health:
        """Look now; a file that does not answer is told of, not raised."""
        opened = self._opened()
        progress, schema, trouble = None, 0, ""

        def read() -> tuple[Progress, int]:
            return opened.replica.progress.read(), schema_version(opened.replica.database)

        try:
            progress, schema = await opened.replica.database.run(read)
        except StoreError as error:
            trouble = str(error)
        return Health(
            status=self._following.status(),
            now_ms=self._following.now_ms(),
            server_url=opened.keys.server_url,
            version=app_version(),
            device_id=opened.keys.device_id,
            incarnation=progress.incarnation if progress else "",
            journal_seq=progress.journal_seq if progress else 0,
            acknowledged_seq=progress.acknowledged_seq if progress else 0,
            clock_offset_ms=progress.clock_offset_ms if progress else None,
            schema=schema,
            disk_free_bytes=await asyncio.to_thread(self._disk_free),
            was_quarantined=opened.quarantined is not None,
            trouble=trouble,
        )

    def _disk_free(self) -> int | None:
        try:
            return shutil.disk_usage(self._opened().folder.path).free
        except OSError:
            return None


def next_steps(health: Health) -> tuple[str, ...]:
    """What somebody should do, the most urgent first; one calm sentence when there is nothing."""
    status = health.status
    steps = [
        (bool(health.trouble), "The file of this desk did not answer: start the kiosk again, then look here."),
        (health.disk_free_bytes is not None and health.disk_free_bytes < DISK_LOW_BYTES,
         "The disk is nearly full: free some space, or soon nothing can be recorded."),
        (status.link is LinkPhase.NEEDS_PERSON, f"The link needs a person: {status.detail or 'ask the manager'}."),
        (status.link is LinkPhase.PAUSED,
         "A manager has paused this desk: go on, entries are kept here and sent once it may go on. Ask the manager."),
        (status.lease_ends_soon or status.locked,
         "Connect this desk: it is locked, or soon will be, until it has heard its server."),
        (status.link in (LinkPhase.OFFLINE, LinkPhase.CONNECTING) and status.waiting > 0,
         f"{entries(status.waiting)} not at the server yet: check cable or Wi-Fi. Nothing is lost; work goes on."),
        (_is_clock_off(health), "The clock of this machine is wrong: set it, best by network time."),
        (status.needs_review > 0, f"{status.needs_review} to settle: F5 on the child shows the question."),
        (_is_data_old(health), "The data is old: who may collect may have changed. Phone to check."),
        (bool(status.newer_version),
         f"Rollcall {status.newer_version} is available: ask for an upgrade. This desk goes on working meanwhile."),
        (health.was_quarantined, "The file was damaged and replaced: tell the manager; the old one is kept."),
    ]  # fmt: skip
    found = tuple(words for holds, words in steps if holds)
    return found or ("Nothing to do: this desk is well.",)


def health_lines(health: Health) -> tuple[tuple[str, str], ...]:
    """Label and value, line by line."""
    status = health.status
    answered = f"{health.journal_seq} written, {health.acknowledged_seq} answered by the server"
    return (
        ("Desk", f"{status.device_name} at {status.center_name}"),
        ("Server", health.server_url),
        ("Link", link_words(status)),
        ("Waiting", f"{entries(status.waiting)} not answered yet" if status.waiting else "nothing"),
        ("Last contact", _contact_words(status)),
        ("Clock", clock_error_words(health.clock_offset_ms)),
        ("Lease", _lease_words(status)),
        ("Journal", answered if not health.trouble else "the file did not answer"),
        ("Incarnation", health.incarnation or "-"),
        ("Replica", _replica_words(health)),
        ("Disk", disk_words(health.disk_free_bytes)),
        ("Device", health.device_id),
        ("Program", f"Rollcall {health.version}"),
    )


def link_words(status: DeskStatus) -> str:
    """How the link stands, in words."""
    if status.link is LinkPhase.ONLINE:
        return "online, up to date" if status.is_current else "online, receiving data"
    if status.link is LinkPhase.NEEDS_PERSON:
        return f"needs a person: {status.detail or 'ask the manager'}"
    if status.link is LinkPhase.PAUSED:
        return "paused by the manager, entries are kept here"
    return "connecting" if status.link is LinkPhase.CONNECTING else "offline; the desk goes on without it"


def clock_error_words(offset_ms: int | None) -> str:
    """How wrong this machine's clock is, as last measured."""
    if offset_ms is None:
        return "never compared with the server"
    if abs(offset_ms) <= CLOCK_TOLERANCE_MS:
        return "right"
    seconds = round(abs(offset_ms) / 1000)
    much = f"{seconds} s" if seconds < _SECONDS_MAX else f"{seconds // 60} min"
    return f"{much} {'behind' if offset_ms > 0 else 'ahead'}; times are put right by that"


def disk_words(free_bytes: int | None) -> str:
    """How much room is left."""
    if free_bytes is None:
        return "cannot be told"
    mib = free_bytes // _MIB
    return f"{mib} MiB free" if mib < 10 * 1024 else f"{mib // 1024} GiB free"


def entries(number: int) -> str:
    """`1 entry`, `2 entries`."""
    return "1 entry" if number == 1 else f"{number} entries"


def _contact_words(status: DeskStatus) -> str:
    since = day_words(status.data_as_of_ms, status.time_zone) if status.data_as_of_ms else "never"
    return f"{since}; data version {status.version} of {status.head_version}"


def _lease_words(status: DeskStatus) -> str:
    if status.locked:
        return "over: no names are shown until the server is heard"
    return "no end set" if status.lease_left_ms is None else f"{status.lease_left_ms // _HOUR_MS} h without the server"


def _replica_words(health: Health) -> str:
    if health.trouble:
        return "did not answer"
    state = "damaged and replaced at this start" if health.was_quarantined else "opened and checked"
    return f"{state}, schema {health.schema}"


def _is_clock_off(health: Health) -> bool:
    return health.clock_offset_ms is not None and abs(health.clock_offset_ms) > CLOCK_OFF_MS


def _is_data_old(health: Health) -> bool:
    as_of_ms = health.status.data_as_of_ms
    is_quiet = health.status.link is not LinkPhase.ONLINE
    return is_quiet and as_of_ms is not None and health.now_ms - as_of_ms > DATA_OLD_MS
