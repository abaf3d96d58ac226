"""Lets go of superseded bodies of a log that no live device will ask for; the chain over them stays."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from server.core.clock import Clock
from server.repositories import change_log, compaction
from server.repositories.unit_of_work import UnitsOfWork

HORIZON_DAYS: Final = 30
# Versions that one transaction looks at: some milliseconds, so that no push waits for it.
BATCH_VERSIONS: Final = 500

Progress = Callable[[int, int], None]
"""Takes up to which version it came, and how far it goes."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Compacted:
    """What was let go of: superseded records up to `floor`, the position of the slowest device that was heard."""

    floor: int
    head: int
    devices: int
    rows: int
    bytes: int


class Compaction:
    """Works as the role that owns the tables: the server's own may not change a log."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Write through `units`; `clock` tells which devices were heard of lately."""
        self._units = units
        self._clock = clock

    async def plan(self, center_id: str, horizon_days: int = HORIZON_DAYS) -> Compacted:
        """Say what `run` would do, and do nothing."""
        async with self._units.read() as connection:
            head = await change_log.read_head(connection, center_id)
            if head is None:
                return Compacted(0, 0, 0, 0, 0)
            since = self._clock.now() - timedelta(days=horizon_days)
            slowest = await compaction.slowest_device(connection, center_id, head.epoch, since)
            slowest_version = head.version if slowest.version is None else min(slowest.version, head.version)
            floor = max(slowest_version, await compaction.compacted_version(connection, center_id))
            found = await compaction.superseded(connection, center_id, through=floor)
        return Compacted(floor, head.version, slowest.devices, found.rows, found.bytes)

    async def run(
        self,
        center_id: str,
        horizon_days: int = HORIZON_DAYS,
        progress: Progress = lambda _done, _total: None,
    ) -> Compacted:
        """Empty superseded bodies up to the slowest live device; never the one of a record that stands.

        A device that was not heard for `horizon_days` does not count: it takes a snapshot when it comes back, and
        its journal is taken whatever its age. Stopped at any point, it has done a part of the work and no harm.

        Raises:
            DatabaseUnavailable: the database went away; what was done stands.

        """
        plan = await self.plan(center_id, horizon_days)
        if not plan.rows:
            return plan
        # First, and by itself: whoever can see an emptied body can see that nobody below the floor may read.
        async with self._units.begin(origin="compaction") as unit:
            await unit.lock_head(center_id)
            await compaction.raise_floor(unit.connection, center_id, plan.floor)
        rows = size = 0
        for after in range(0, plan.floor, BATCH_VERSIONS):
            through = min(after + BATCH_VERSIONS, plan.floor)
            async with self._units.begin(origin="compaction") as unit:
                done = await compaction.empty(unit.connection, center_id, after=after, through=through)
            rows, size = rows + done.rows, size + done.bytes
            progress(through, plan.floor)
        _log.info("log_compacted", center=center_id, floor=plan.floor, rows=rows, bytes=size)
        return Compacted(plan.floor, plan.head, plan.devices, rows, size)
