"""Carries out what a session asks of the store, and says what came of it; the simulator uses it too."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kiosk.store.errors import BrokenPage, StoreError
from kiosk.store.journal import OwnEntry
from kiosk.store.records import Applied
from kiosk.store.replica import Replica
from sync import effects as do
from sync import events as on
from sync.clock_evidence import ClockEstimate, estimate_offset
from sync.driver import StoreUnavailable
from sync.messages import Page

StoreEffect = do.ReadProgress | do.ReadEntries | do.StoreOutcomes | do.StorePage | do.StoreSnapshotPart | do.NoteClock
STORE_EFFECTS = (
    do.ReadProgress,
    do.ReadEntries,
    do.StoreOutcomes,
    do.StorePage,
    do.StoreSnapshotPart,
    do.NoteClock,
)


@dataclass(frozen=True)
class SnapshotReplaced:
    """All records and the cursor were replaced at once."""


@dataclass(frozen=True)
class EntriesSettled:
    """The server's answers to these entries are durable; they had none before."""

    entries: tuple[OwnEntry, ...]


@dataclass(frozen=True)
class ClockNoted:
    """The server was heard at `wall_ms` of this device's clock; no estimate: the round trip was too long."""

    wall_ms: int
    estimate: ClockEstimate | None


News = Applied | SnapshotReplaced | EntriesSettled | ClockNoted
"""What became durable, for whoever shows it."""


def _ignore(_news: News) -> None:
    """Nobody wants to know."""


def perform_store(
    effect: StoreEffect, replica: Replica, *, wall_ms: int, tell: Callable[[News], None] = _ignore
) -> on.DeviceEvent | None:
    """Carry out one store effect at `wall_ms` (device's clock, UTC ms); returns the event it leads to.

    `tell` hears, after COMMIT and on this thread, what became durable.

    Raises:
        StoreError: it could not be done; nothing of it took effect, or with StorageFailed that is unknown.

    """
    match effect:
        case do.ReadProgress():
            return _read_progress(replica, wall_ms)
        case do.ReadEntries(after_seq, entries_max):
            return on.EntriesRead(replica.journal.read_entries(after_seq, entries_max))
        case do.StoreOutcomes(stored):
            settled = replica.journal.store_outcomes(stored, wall_ms)
            tell(EntriesSettled(settled))
            return on.OutcomesStored(stored.through_seq, replica.journal.queue_depth())
        case do.StorePage(page):
            return _store_page(page, replica, tell)
        case do.StoreSnapshotPart(part):
            if replica.records.store_snapshot_part(part):
                tell(SnapshotReplaced())
            return on.SnapshotPartStored(part.part)
        case do.NoteClock():
            _note_clock(effect, replica, wall_ms, tell)
            return None


def _read_progress(replica: Replica, wall_ms: int) -> on.ProgressRead:
    progress = replica.progress.read()
    head = replica.journal.head(progress)
    return on.ProgressRead(
        incarnation=progress.incarnation,
        epoch=progress.epoch,
        version=progress.version,
        hash=progress.hash,
        journal_seq=head.seq,
        journal_hash=head.hash,
        queue_depth=head.seq - progress.acknowledged_seq,
        wall_ms=wall_ms,
    )


def _store_page(page: Page, replica: Replica, tell: Callable[[News], None]) -> on.PageStored:
    try:
        applied = replica.records.apply_page(page)
    except BrokenPage:
        # The same page would come again for ever. Without a cursor the next Hello is answered with a snapshot.
        replica.records.forget_cursor()
        raise
    tell(applied)
    return on.PageStored(applied.head)


def _note_clock(effect: do.NoteClock, replica: Replica, wall_ms: int, tell: Callable[[News], None]) -> None:
    estimate = estimate_offset(
        sent_wall_ms=effect.sent_wall_ms,
        received_wall_ms=wall_ms,
        server_wall_ms=effect.server_wall_ms,
        round_trip_ms=effect.round_trip_ms,
    )
    with replica.database.transaction():
        replica.progress.note_contact(wall_ms=wall_ms, clock=estimate)
    tell(ClockNoted(wall_ms, estimate))


class DeviceStore:
    """The same for a live link: on the database's own thread; `tell` hears the news on the event loop.

    The next effect of a lane begins only when `tell` is done, so news of a page never overtakes other news.
    """

    def __init__(self, replica: Replica, tell: Callable[[News], Awaitable[None]], wall_ms: Callable[[], int]) -> None:
        self._replica = replica
        self._tell = tell
        self._wall_ms = wall_ms

    async def perform(self, effect: StoreEffect) -> on.DeviceEvent | None:
        """As `perform_store`.

        Raises:
            StoreUnavailable: it could not be done; the link ends and is dialled again later.

        """
        news: list[News] = []
        wall_ms = self._wall_ms()
        try:
            event = await self._replica.database.run(
                lambda: perform_store(effect, self._replica, wall_ms=wall_ms, tell=news.append)
            )
        except StoreError as error:
            raise StoreUnavailable(type(error).__name__) from error
        for item in news:
            await self._tell(item)
        return event
