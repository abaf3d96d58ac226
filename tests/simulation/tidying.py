"""What a desk does once in a while: days and answered entries that are old are dropped, and nothing else."""

from typing import TYPE_CHECKING

from sync.limits import JOURNAL_RETENTION_MS, WALL_MS_MAX, WALL_MS_MIN
from sync.records import DAY_BUCKET_PREFIX, bucket_of_day
from tests.simulation.books import Said, said_by
from tests.simulation.people import TIME_ZONE
from tests.simulation.trace import Violated

if TYPE_CHECKING:
    from tests.simulation.device import Device

TIDY_EVERY_MS = 6 * 3_600_000


def tidy(device: "Device") -> None:
    """Drop what is old by the server's clock, if the server told the time in this run of the program."""
    device.after(TIDY_EVERY_MS, lambda: tidy(device))
    offset_ms = device.replica.progress.read().clock_offset_ms if device.database.is_open else None
    if device.heard_ms is None or offset_ms is None or device.is_destroyed:
        return
    now_ms = device.wall_ms() + offset_ms
    if WALL_MS_MIN <= now_ms <= WALL_MS_MAX:
        device.submit(lambda: _drop_old(device, now_ms), lambda _result: None)


def _drop_old(device: "Device", now_ms: int) -> None:
    before = said_by(device)
    may_go = _answered_before(device, now_ms - JOURNAL_RETENTION_MS)
    device.world.checkers.books.may_drop(device, may_go)
    device.replica.journal.drop_old(now_ms)
    dropped = before - said_by(device)
    if not dropped <= may_go:
        raise Violated("no_acknowledged_entry_lost", f"{device.name} drops {sorted(dropped - may_go)} too soon")
    today = bucket_of_day(now_ms, TIME_ZONE).removeprefix(DAY_BUCKET_PREFIX)
    days = device.replica.records.drop_old_days(today)
    device.world.trace.counts["old days dropped"] += days
    device.world.trace.counts["old entries dropped"] += len(dropped)
    if days or dropped:
        device.world.trace.note(device.name, f"drops {days} old days and {len(dropped)} old entries")


def _answered_before(device: "Device", wall_ms: int) -> frozenset[Said]:
    rows = device.database.fetch_all(
        "SELECT event_id, body FROM journal WHERE outcome IS NOT NULL AND recorded_at_ms < ?", (wall_ms,)
    )
    return frozenset((event_id, body.encode()) for event_id, body in rows)
