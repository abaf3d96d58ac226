"""Keeps what the desk knows in step with the store and the link, and tells whoever subscribed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from kiosk.clock import Clock
from kiosk.keys import DeviceKeys
from kiosk.link.device_store import (
    ClockNoted,
    EntriesSettled,
    News,
    OwnEntriesChanged,
    ReplicaDestroyed,
    SnapshotReplaced,
)
from kiosk.link.runner import LinkState
from kiosk.log import Log
from kiosk.messages import (
    ChildChanged,
    DeskStatus,
    EntrySettled,
    LinkChanged,
    LinkPhase,
    Mark,
    Resync,
    Revoked,
    RosterChanged,
    SnapshotProgress,
)
from kiosk.services.children import all_children
from kiosk.services.knowledge import Knowledge, is_of_a_child
from kiosk.services.knowledge import News as Learnt
from kiosk.services.recording import possible_time
from kiosk.services.roster import Span, needs_review, standing
from kiosk.services.subscription import Hub
from kiosk.services.timekeeping import STEP_MIN_MS, ClockAnchor, Moment, moment_of
from kiosk.services.versions import newer_version
from kiosk.settings import app_version
from kiosk.store.errors import StoreError
from kiosk.store.journal import OwnEntry
from kiosk.store.progress import Progress
from kiosk.store.records import StoredRecord
from kiosk.store.replica import Replica
from sync.attendance import CLOCK_TOLERANCE_MS
from sync.clock_evidence import ClockEstimate
from sync.journal import Outcome
from sync.limits import REPLICA_DAYS
from sync.records import DAY_BUCKET_PREFIX, bucket_of_day, day_bounds_ms

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS

log = Log()


def settled_message(entry: OwnEntry) -> EntrySettled:
    """The message that tells of an entry's answer; the entry must have one."""
    outcome = entry.outcome
    assert outcome is not None
    needs_review = outcome in (Outcome.PARKED, Outcome.CONFLICT)
    return EntrySettled(
        event_id=entry.event_id,
        kind=entry.kind,
        child_id=entry.child_id,
        outcome=outcome,
        reason=entry.reason,
        version=entry.version,
        mark=Mark.NEEDS_REVIEW if needs_review else Mark.CONFIRMED,
        answer=entry.answer,
    )


class Following:
    """One desk's knowledge, link state and subscribers; lives on the event loop."""

    def __init__(self, replica: Replica, keys: DeviceKeys, clock: Clock) -> None:
        self.knowledge = Knowledge(keys.device_id)
        self.hub = Hub()
        self._replica = replica
        self._keys = keys
        self.clock = clock
        self._link = LinkState()
        self._clock_offset_ms: int | None = None
        self._anchor: ClockAnchor | None = None
        self._heard_in_this_run = False
        self._heard_ms: int | None = None
        self._lost_ms: int | None = None
        self._tidied_day = ""
        self._lease_left_ms: int | None = None
        self._is_locked = False
        self._last_words = ""
        self._shown: DeskStatus | None = None
        self._day_zone, self._day = "", (0, 0)
        self._reviewed_span: Span | None = None
        self._marked: set[str] = set()
        self.server_version: Callable[[], str] = lambda: ""

    def follow(self, replica: Replica) -> None:
        """From now on read this replica."""
        self._replica = replica

    # -- time

    def now_ms(self) -> int:
        """The time by the server's clock as far as this desk can tell, UTC milliseconds."""
        moment = moment_of(self.clock)
        estimate = self.clock_estimate(moment)
        wall_ms, offset_ms = possible_time(moment.wall_ms, estimate.offset_ms if estimate else self._clock_offset_ms)
        offset = offset_ms or 0
        return wall_ms + offset if abs(offset) > CLOCK_TOLERANCE_MS else wall_ms

    def clock_estimate(self, moment: Moment) -> ClockEstimate | None:
        """How wrong this machine's clock is by what was heard in this run; None: nothing was."""
        return self._anchor.estimate_at(moment) if self._anchor else None

    def today(self) -> str:
        """The centre's own calendar day, YYYY-MM-DD."""
        now_ms, _ = possible_time(self.now_ms(), None)
        return bucket_of_day(now_ms, self.knowledge.center.time_zone).removeprefix(DAY_BUCKET_PREFIX)

    def span_of_today(self) -> Span:
        """The bounds of today in UTC milliseconds."""
        now_ms, _ = possible_time(self.now_ms(), None)
        zone = self.knowledge.center.time_zone
        if zone != self._day_zone or not self._day[0] <= now_ms < self._day[1]:
            self._day_zone, self._day = zone, day_bounds_ms(self.today(), zone)
        return self._day

    # -- the store

    async def load(self) -> Learnt:
        """Read everything from the store."""
        since_ms = self.now_ms() - REPLICA_DAYS * _DAY_MS

        def read() -> tuple[Progress, list[StoredRecord], list[OwnEntry]]:
            store = self._replica
            return store.progress.read(), store.records.all(), store.journal.recent(since_ms)

        progress, records, own = await self._replica.database.run(read)
        self._clock_offset_ms = progress.clock_offset_ms
        self._heard_ms = progress.last_contact_wall_ms
        self._look_at_lease(progress)
        return self.knowledge.load(progress.version, records, own)

    async def reload(self) -> None:
        """What is in the store is not what was told of it: read everything anew, and let everybody do so."""
        await self.load()
        self.hub.publish(Resync())
        self._publish_status()

    async def hear(self, news: News) -> None:
        """The store says what became durable through the link."""
        match news:
            case EntriesSettled(entries):
                self._settled(entries)
            case SnapshotReplaced() | OwnEntriesChanged():
                await self._replaced()
            case ClockNoted(wall_ms, estimate, progress):
                self._heard_ms, self._heard_in_this_run = wall_ms, True
                self._measured(wall_ms, estimate)
                self._look_at_lease(progress)
            case ReplicaDestroyed():
                self.knowledge = Knowledge(self._keys.device_id, center=self.knowledge.center)
            case _:
                learnt = self.knowledge.apply(news.head.version, news.changes)
                self._publish_learnt(learnt)
        self._publish_status()

    def _measured(self, wall_ms: int, estimate: ClockEstimate | None) -> None:
        """Keep a measurement with its moment, unless the clock was set since: then it says nothing any more."""
        moment = moment_of(self.clock)
        if estimate is None or abs(moment.wall_ms - wall_ms) > STEP_MIN_MS:
            return
        self._clock_offset_ms = estimate.offset_ms
        self._anchor = ClockAnchor(moment, estimate)

    async def _replaced(self) -> None:
        was_empty = self.knowledge.version == 0
        learnt = await self.load()
        if was_empty or learnt.lost:
            self.hub.publish(Resync())
        else:
            self._publish_learnt(learnt)

    def _settled(self, entries: tuple[OwnEntry, ...]) -> None:
        for entry in entries:
            self.knowledge.add_own(entry)
            if is_of_a_child(entry):
                self.hub.publish(settled_message(entry))

    def _publish_learnt(self, learnt: Learnt) -> None:
        if learnt.reference_changed:
            self.hub.publish(RosterChanged())
        span = self.span_of_today()
        for child_id, event_id in learnt.events:
            if not self.knowledge.is_own(event_id):
                self._publish_change(child_id, event_id, span)

    def own_recorded(self, entry: OwnEntry) -> None:
        """This desk wrote an entry down."""
        self.knowledge.add_own(entry)
        if is_of_a_child(entry):
            self._publish_change(entry.child_id, entry.event_id, self.span_of_today())
        self._publish_status()

    def time_passed(self, progress: Progress, noted: tuple[OwnEntry, ...]) -> None:
        """The clocks were read, and this desk may have had something to say of itself."""
        for entry in noted:
            self.knowledge.add_own(entry)
        self._look_at_lease(progress)
        self._publish_status()

    def _look_at_lease(self, progress: Progress) -> None:
        was_locked, self._is_locked = self._is_locked, progress.is_lease_over
        self._lease_left_ms = progress.lease_left_ms
        if was_locked and not self._is_locked:
            log.info("desk_unlocked")
            self.hub.publish(Resync())
        elif self._is_locked and not was_locked:
            log.warning("desk_locked", heard_ms=progress.last_contact_wall_ms)

    def revoked(self, last_words: str) -> None:
        """This desk is no more."""
        self._last_words = last_words
        self.hub.publish(Revoked(last_words))
        self._publish_status()

    def _publish_change(self, child_id: str, event_id: str, span: Span) -> None:
        stand = standing(self.knowledge, child_id, span)
        fact = self.knowledge.facts(child_id).get(event_id)
        is_own = self.knowledge.is_own(event_id) or (fact is not None and fact.device_id == self._keys.device_id)
        self.hub.publish(
            ChildChanged(
                child_id=child_id,
                event_id=event_id,
                status=stand.status,
                since_ms=stand.since_ms,
                device_name=self.knowledge.device_name(child_id, event_id) or self._keys.device_name,
                own=is_own,
                kind=fact.event.kind if fact else "",
                occurred_at_ms=fact.event.occurred_at_ms if fact else None,
                mark=stand.mark,
            )
        )

    async def tidy(self) -> None:
        """Once a day, if the server told the time in this run: drop days and entries that are old."""
        today = self.today()
        if today == self._tidied_day or not self._heard_in_this_run:
            return
        self._tidied_day = today
        now_ms = self.now_ms()

        def drop() -> int:
            self._replica.journal.drop_old(now_ms)
            return self._replica.records.drop_old_days(today)

        try:
            dropped = await self._replica.database.run(drop)
            if dropped:
                await self.load()
        except StoreError as error:
            log.warning("old_days_kept", reason=type(error).__name__)

    # -- the link

    def link_changed(self, state: LinkState) -> None:
        """The link says how it stands."""
        was_online = self._link.phase is LinkPhase.ONLINE
        if state.phase is LinkPhase.ONLINE:
            self._lost_ms = None
            if state.is_current:
                self._heard_ms = self.clock.wall_ms()
        elif was_online or self._lost_ms is None:
            self._lost_ms = self.clock.wall_ms() if was_online else self._heard_ms or self.clock.wall_ms()
        progressed = (state.snapshot_part, state.snapshot_parts) != (
            self._link.snapshot_part,
            self._link.snapshot_parts,
        )
        self._link = state
        if progressed and state.snapshot_parts:
            self.hub.publish(SnapshotProgress(state.snapshot_part, state.snapshot_parts))
        self._publish_status()

    @property
    def is_current(self) -> bool:
        """Whether the replica has everything the server has told of."""
        return self._link.phase is LinkPhase.ONLINE and self._link.is_current

    @property
    def link(self) -> LinkState:
        """How the link stands."""
        return self._link

    @property
    def heard_ms(self) -> int | None:
        """When the replica was last known to be current, by this device's clock."""
        return self._heard_ms

    @property
    def is_locked(self) -> bool:
        """Whether the lease is over, so that no data may be shown."""
        return self._is_locked

    @property
    def last_words(self) -> str:
        """What there is to say of a desk that was revoked; empty while it lives."""
        return self._last_words

    def status(self) -> DeskStatus:
        """Everything for the status line."""
        span = self.span_of_today()
        marked = self._marked_for_review(span)
        hidden = sum(1 for entry in self.knowledge.parked() if entry.child_id not in marked)
        phase = LinkPhase.NEEDS_PERSON if self._last_words else self._link.phase
        is_online = phase is LinkPhase.ONLINE
        return DeskStatus(
            link=phase,
            offline_since_ms=None if is_online else self._lost_ms,
            waiting=self.knowledge.waiting(),
            needs_review=len(marked) + hidden,
            version=self.knowledge.version,
            head_version=max(self._link.head_version, self.knowledge.version),
            data_as_of_ms=self._heard_ms,
            center_name=self.knowledge.center.name or self._keys.center_name,
            device_name=self._keys.device_name,
            time_zone=self.knowledge.center.time_zone,
            detail=self._last_words or self._link.detail,
            is_current=self.is_current,
            locked=self._is_locked,
            lease_left_ms=self._lease_left_ms,
            revoked=bool(self._last_words),
            newer_version=newer_version(self.server_version(), app_version()),
        )

    def _marked_for_review(self, span: Span) -> set[str]:
        """The children a person should look at; only those are judged anew of whom something was learnt."""
        stirred = self.knowledge.take_stirred()
        if span != self._reviewed_span:
            self._reviewed_span, self._marked = span, set()
            stirred = set(all_children(self.knowledge))
        for child_id in stirred:
            if needs_review(self.knowledge, child_id, span):
                self._marked.add(child_id)
            else:
                self._marked.discard(child_id)
        return self._marked

    def _publish_status(self) -> None:
        """Tell of a status that differs in more than its age, or by the hours that the lease has left."""
        status = self.status()
        hours = None if status.lease_left_ms is None else status.lease_left_ms // _HOUR_MS
        ageless = replace(status, data_as_of_ms=None, lease_left_ms=hours)
        if ageless != self._shown:
            self._shown = ageless
            self.hub.publish(LinkChanged(status))
