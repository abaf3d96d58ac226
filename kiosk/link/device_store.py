"""Carries out what a session asks of the store, and says what came of it; the simulator uses it too."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from kiosk.store.errors import BrokenPage, StoreError
from kiosk.store.journal import OwnEntry, Standing
from kiosk.store.pen import Pen
from kiosk.store.progress import Progress
from kiosk.store.records import Applied
from kiosk.store.replica import Replica
from sync import effects as do
from sync import events as on
from sync.clock_evidence import ClockEstimate, estimate_offset
from sync.driver import StoreUnavailable
from sync.messages import Page

StoreEffect = (
    do.ReadProgress
    | do.ReadEntries
    | do.StoreOutcomes
    | do.ReopenEntries
    | do.BeginIncarnation
    | do.DestroyReplica
    | do.StorePage
    | do.StoreSnapshotPart
    | do.NoteClock
)
STORE_EFFECTS: Final = (
    do.ReadProgress,
    do.ReadEntries,
    do.StoreOutcomes,
    do.ReopenEntries,
    do.BeginIncarnation,
    do.DestroyReplica,
    do.StorePage,
    do.StoreSnapshotPart,
    do.NoteClock,
)


@dataclass(frozen=True)
class SnapshotReplaced:
    """All records and the cursor, or all records of one bucket, were replaced at once."""


@dataclass(frozen=True)
class EntriesSettled:
    """The server's answers to these entries are durable; they had none before."""

    entries: tuple[OwnEntry, ...]


@dataclass(frozen=True)
class OwnEntriesChanged:
    """The store wrote entries of its own, moved entries to another journal, or took answers back: read them again."""


@dataclass(frozen=True)
class ClockNoted:
    """The server was heard at `wall_ms` of this device's clock; no estimate: the round trip was too long.

    `progress` is where the desk stands then, with its lease.
    """

    wall_ms: int
    estimate: ClockEstimate | None
    progress: Progress


@dataclass(frozen=True)
class ReplicaDestroyed:
    """The device was revoked; nothing of the replica is left."""


News = Applied | SnapshotReplaced | EntriesSettled | OwnEntriesChanged | ClockNoted | ReplicaDestroyed
"""What became durable, for whoever shows it."""

Tell = Callable[[News], None]


def _ignore(_news: News) -> None:
    """Nobody wants to know."""


def _nothing() -> None:
    """There are no keys beside the replica."""


def perform_store(
    effect: StoreEffect,
    replica: Replica,
    *,
    wall_ms: int,
    pen: Pen,
    tell: Tell = _ignore,
    destroy_keys: Callable[[], None] = _nothing,
) -> on.DeviceEvent:
    """Carry out one store effect at `wall_ms` (device's clock, UTC ms); returns the event it leads to.

    `tell` hears, after COMMIT and on this thread, what became durable.

    Raises:
        StoreError: it could not be done; nothing of it took effect, or with StorageFailed that is unknown.

    """
    match effect:
        case do.ReadProgress():
            return _read_progress(replica, wall_ms)
        case do.ReadEntries(incarnation, after_seq, entries_max):
            return on.EntriesRead(replica.journal.read_entries(incarnation, after_seq, entries_max))
        case do.StoreOutcomes(incarnation, stored):
            settled = replica.journal.store_outcomes(incarnation, stored, wall_ms)
            tell(EntriesSettled(settled))
            return on.OutcomesStored(stored.through_seq, replica.journal.queue_depth())
        case do.StorePage(page):
            return _store_page(page, replica, tell)
        case do.StoreSnapshotPart():
            return _store_part(effect, replica, pen, wall_ms, tell)
        case do.NoteClock():
            return _note_clock(effect, replica, pen, wall_ms, tell)
        case do.DestroyReplica():
            return _destroy(replica, destroy_keys, tell)
        case _:
            return _perform_chore(effect, replica, pen, wall_ms, tell)


def _perform_chore(
    effect: do.ReopenEntries | do.BeginIncarnation,
    replica: Replica,
    pen: Pen,
    wall_ms: int,
    tell: Tell,
) -> on.DeviceEvent:
    """What a desk does rarely: answers taken back, a fork, the end."""
    match effect:
        case do.ReopenEntries(incarnation, after_seq):
            replica.incarnations.reopen(incarnation, after_seq)
            tell(OwnEntriesChanged())
            return on.EntriesReopened(incarnation, after_seq, replica.journal.queue_depth())
        case do.BeginIncarnation(incarnation):
            replica.incarnations.begin(incarnation, pen, wall_ms=wall_ms)
            tell(OwnEntriesChanged())
            current = _current(replica, replica.progress.read())
            return on.IncarnationBegun(journal=current, queue_depth=replica.journal.queue_depth())


def _destroy(replica: Replica, destroy_keys: Callable[[], None], tell: Tell) -> on.DeviceEvent:
    """The end of a revoked device, unless somebody recorded an entry since everything seemed to be told."""
    if replica.journal.queue_depth():
        head = replica.journal.head()
        return on.DestructionRefused(head.seq, head.incarnation)
    # The keys first: a power loss after this leaves a file that nobody can read.
    destroy_keys()
    replica.destroy()
    tell(ReplicaDestroyed())
    return on.ReplicaDestroyed()


def _read_progress(replica: Replica, wall_ms: int) -> on.ProgressRead:
    progress = replica.progress.read()
    return on.ProgressRead(
        journal=_current(replica, progress),
        epoch=progress.epoch,
        version=progress.version,
        hash=progress.hash,
        queue_depth=replica.journal.queue_depth(),
        wall_ms=wall_ms,
        older=tuple(_told(standing) for standing in replica.incarnations.older()),
        digests=replica.records.digests() if progress.version else (),
        staged=progress.staged.snapshot,
    )


def _current(replica: Replica, progress: Progress) -> on.JournalStanding:
    head = replica.journal.head(progress)
    return _told(Standing(head.incarnation, head.seq, head.hash, progress.acknowledged_seq))


def _told(standing: Standing) -> on.JournalStanding:
    return on.JournalStanding(
        incarnation=standing.incarnation,
        seq=standing.seq,
        hash=standing.hash,
        settled_seq=standing.acknowledged_seq,
    )


def _store_page(page: Page, replica: Replica, tell: Tell) -> on.PageStored:
    try:
        applied = replica.records.apply_page(page)
    except BrokenPage:
        # The same page would come again for ever. Without a cursor the next Hello is answered with a snapshot.
        replica.records.forget_cursor()
        raise
    tell(applied)
    return on.PageStored(applied.head, applied.differing)


def _store_part(
    effect: do.StoreSnapshotPart, replica: Replica, pen: Pen, wall_ms: int, tell: Tell
) -> on.SnapshotPartStored:
    stored = replica.snapshots.store_part(effect.part, effect.plan, pen, wall_ms=wall_ms)
    if stored.is_last:
        tell(SnapshotReplaced())
    if stored.journal_seq:
        tell(OwnEntriesChanged())
    return on.SnapshotPartStored(effect.part.part, stored.journal_seq, stored.incarnation)


def _note_clock(effect: do.NoteClock, replica: Replica, pen: Pen, wall_ms: int, tell: Tell) -> on.ClockNoted:
    estimate = estimate_offset(
        sent_wall_ms=effect.sent_wall_ms,
        received_wall_ms=wall_ms,
        server_wall_ms=effect.server_wall_ms,
        round_trip_ms=effect.round_trip_ms,
    )
    with replica.database.transaction():
        # First the time that passed: a step moves the old estimate, and the new one is of this moment.
        replica.progress.advance_ratchet(monotonic_ms=pen.monotonic_ms(), boot_id=pen.boot_id, wall_ms=wall_ms)
        replica.progress.note_contact(wall_ms=wall_ms, clock=estimate)
        if effect.lease_ms:
            replica.progress.grant_lease(effect.lease_ms)
        progress = replica.progress.read()
    tell(ClockNoted(wall_ms, estimate, progress))
    return on.ClockNoted(wall_ms)


class DeviceStore:
    """The same for a live link: on the database's own thread; `tell` hears the news on the event loop.

    The next effect of a lane begins only when `tell` is done, so news of a page never overtakes other news.
    `destroy_keys` makes the files of a revoked device unreadable for good, before they are deleted; it runs on the
    database's thread and may raise StoreError.
    """

    def __init__(
        self,
        replica: Replica,
        tell: Callable[[News], Awaitable[None]],
        wall_ms: Callable[[], int],
        pen: Pen,
        destroy_keys: Callable[[], None],
    ) -> None:
        self._replica = replica
        self._tell = tell
        self._wall_ms = wall_ms
        self._pen = pen
        self._destroy_keys = destroy_keys

    async def perform(self, effect: StoreEffect) -> on.DeviceEvent:
        """As `perform_store`.

        Raises:
            StoreUnavailable: it could not be done; the link ends and is dialled again later.

        """
        news: list[News] = []
        wall_ms = self._wall_ms()

        def work() -> on.DeviceEvent:
            return perform_store(
                effect,
                self._replica,
                wall_ms=wall_ms,
                pen=self._pen,
                tell=news.append,
                destroy_keys=self._destroy_keys,
            )

        try:
            event = await self._replica.database.run(work)
        except StoreError as error:
            raise StoreUnavailable(type(error).__name__) from error
        for item in news:
            await self._tell(item)
        return event
