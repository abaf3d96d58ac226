"""Planted defects: each is one plausible mistake in shipped code, and the simulator must find every one of them."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

import sync.attendance
import tests.simulation.model_store
from kiosk.store.journal import JournalStore
from kiosk.store.records import RecordStore
from sync import effects as do
from sync import events as on
from sync.change_log import Head, commitment_of
from sync.device_session import DeviceSession
from sync.journal import Entry, EntryOutcome, JournalHead, Outcome, RunVerdict
from sync.limits import HEARTBEAT_INTERVAL_MS
from sync.liveness import Liveness
from sync.messages import Page, SnapshotPart
from sync.server_session import ServerSession
from tests.simulation.model_store import CenterState, ModelServerStore, Reader

Patch = tuple[object, str, Any]


@contextlib.contextmanager
def planted(name: str) -> Iterator[None]:
    """Plant one defect for as long as the block lasts."""
    with contextlib.ExitStack() as stack:
        for owner, attribute, defect in MUTANTS[name]():
            stack.callback(setattr, owner, attribute, getattr(owner, attribute))
            setattr(owner, attribute, defect)
        yield


def acknowledge_before_commit() -> Sequence[Patch]:
    """The server answers a push while its transaction is still under way; the next one makes it durable."""
    shipped = ModelServerStore.perform
    late: dict[int, CenterState] = {}

    def perform(self: ModelServerStore, effect: Any, reader: Reader) -> Any:
        self.state = late.pop(id(self), self.state)
        before = self.state
        event = shipped(self, effect, reader)
        if isinstance(event, on.BatchStored):
            late[id(self)], self.state = self.state, before
        return event

    return [(ModelServerStore, "perform", perform)]


def no_deduplication() -> Sequence[Patch]:
    """The server takes every pushed run as new."""

    def judge_run(_stored: JournalHead, _hash_at: object, entries: Sequence[Entry]) -> RunVerdict:
        return RunVerdict((), tuple(entries))

    return [(tests.simulation.model_store, "judge_run", judge_run)]


def cursor_outside_the_transaction() -> Sequence[Patch]:
    """The desk moves its cursor in one transaction and writes the rows of the page in the next."""

    def apply_page(self: RecordStore, page: Page) -> Any:
        from kiosk.store.records import Applied, _check_page

        cursor = self._progress.read().head
        if page.to_version <= cursor.version:
            return Applied(cursor, ())
        head = _check_page(cursor, page)
        with self._database.transaction():
            self._progress.move_cursor(head)
        with self._database.transaction():
            self._apply(page.changes)
        return Applied(head, page.changes)

    return [(RecordStore, "apply_page", apply_page)]


def skip_a_hole() -> Sequence[Patch]:
    """The desk applies a page wherever it begins."""

    def check_page(_cursor: Head, page: Page) -> Head:
        return Head(page.epoch, page.to_version, page.to_hash)

    import kiosk.store.records

    return [(kiosk.store.records, "_check_page", check_page)]


def greater_or_equal_in_the_page_cursor() -> Sequence[Patch]:
    """The server loads pages with `version >= after` where it should be `>`."""
    shipped = ModelServerStore._load_page

    def load_page(self: ModelServerStore, after_version: int) -> on.PageLoaded:
        loaded = shipped(self, max(0, after_version - 1))
        return msgspec.structs.replace(loaded, after_version=after_version)

    return [(ModelServerStore, "_load_page", load_page)]


def drop_a_parked_entry() -> Sequence[Patch]:
    """The desk throws an entry away once the server said that it is parked."""
    shipped = JournalStore._settle

    def settle(self: JournalStore, progress: Any, answer: EntryOutcome, settled_at_ms: int) -> bool:
        fresh = shipped(self, progress, answer, settled_at_ms)
        if fresh and answer.outcome is Outcome.PARKED:
            self._database.execute("DELETE FROM journal WHERE seq = ?", (answer.seq,))
            return False
        return fresh

    return [(JournalStore, "_settle", settle)]


def push_flag_never_cleared() -> Sequence[Patch]:
    """Once a push was settled, the desk still believes that one is under way."""
    shipped = DeviceSession._outcomes_stored

    def outcomes_stored(self: DeviceSession, stored: on.OutcomesStored) -> Any:
        upload = self._upload
        effects = shipped(self, stored)
        if not any(isinstance(effect, do.ReadEntries) for effect in effects):
            self._upload = upload
        return effects

    return [(DeviceSession, "_outcomes_stored", outcomes_stored)]


def wake_up_of_the_upload_lost() -> Sequence[Patch]:
    """The desk hears that an entry was recorded, and does not look for it."""

    def entry_recorded(self: DeviceSession, seq: int) -> Any:
        self._journal_seq = max(self._journal_seq, seq)
        return ()

    return [(DeviceSession, "_entry_recorded", entry_recorded)]


def wake_up_of_the_download_lost() -> Sequence[Patch]:
    """The server hears that the log has grown, and does not send it."""
    return [(ServerSession, "_head_moved", lambda _self, _epoch, _version: ())]


def outcome_not_stored_on_repeat() -> Sequence[Patch]:
    """The server answers a repeated entry with "duplicate" and not with its first outcome."""
    shipped = ModelServerStore._store_batch

    def store_batch(self: ModelServerStore, entries: tuple[Entry, ...], reader: Reader) -> Any:
        known = self._journal_head(reader.device_id, entries[0].incarnation).seq
        answer = shipped(self, entries, reader)
        if not isinstance(answer, on.BatchStored):
            return answer
        changed = tuple(
            msgspec.structs.replace(outcome, outcome=Outcome.DUPLICATE) if outcome.seq <= known else outcome
            for outcome in answer.outcomes
        )
        return msgspec.structs.replace(answer, outcomes=changed)

    return [(ModelServerStore, "_store_batch", store_batch)]


def ignore_the_incarnation() -> Sequence[Patch]:
    """The server knows one journal for each device, whatever incarnation it names."""
    shipped = ModelServerStore._journal_head

    def journal_head(self: ModelServerStore, device_id: str, incarnation: str) -> JournalHead:
        known = [key[1] for key in self.state.journals if key[0] == device_id]
        return shipped(self, device_id, known[0] if known else incarnation)

    return [(ModelServerStore, "_journal_head", journal_head)]


def order_by_arrival_in_the_fold() -> Sequence[Patch]:
    """Attendance depends on the order in which facts arrived."""

    def as_ordered_set(facts: Any) -> list[Any]:
        return list({fact.event.event_id: fact for fact in facts}.values())

    return [(sync.attendance, "_as_ordered_set", as_ordered_set)]


def lost_acknowledgement_stays_lost() -> Sequence[Patch]:
    """The desk goes on from what the server has stored, though it never heard the outcomes."""
    shipped = DeviceSession._progress_read

    def progress_read(self: DeviceSession, progress: on.ProgressRead, now_ms: int) -> Any:
        effects = shipped(self, progress, now_ms)
        self._settled_seq = progress.journal_seq
        return effects

    return [(DeviceSession, "_progress_read", progress_read)]


def half_open_link_trusted() -> Sequence[Patch]:
    """Neither side ever doubts a silent peer."""

    def deadline_ms(self: Liveness) -> int:
        return self._sent_ms + HEARTBEAT_INTERVAL_MS

    return [
        (Liveness, "is_silent", lambda _self, _now_ms: False),
        (Liveness, "deadline_ms", property(deadline_ms)),
    ]


def no_watchdog_on_downloads() -> Sequence[Patch]:
    """The desk never wonders why no page comes."""
    import sync.device_session

    return [(sync.device_session, "PAGE_DEADLINE_MS", 10**9)]


def no_watchdog_on_uploads() -> Sequence[Patch]:
    """The desk waits for an acknowledgement for ever."""
    import sync.device_session

    return [(sync.device_session, "ACKNOWLEDGEMENT_DEADLINE_MS", 10**9)]


def snapshots_are_mixed() -> Sequence[Patch]:
    """What is left of a snapshot that was cut off becomes part of the next one."""

    def store_snapshot_part(self: RecordStore, part: SnapshotPart) -> bool:
        from kiosk.store.records import _STAGE, _row_of

        with self._database.transaction():
            rows = [_row_of(record, commitment_of(record.salt, record.body)) for record in part.records]
            self._database.execute_many(_STAGE, rows)
            is_last = part.part >= part.parts
            if is_last:
                self._replace_by_staged(Head(part.epoch, part.version, part.hash))
        return is_last

    return [(RecordStore, "store_snapshot_part", store_snapshot_part)]


def acknowledgement_without_a_check() -> Sequence[Patch]:
    """The desk believes that an answer settles everything up to the number in it, outcome or none."""
    return [(JournalStore, "_settled_through", lambda _self, _progress, stored: stored.through_seq + 1)]


def flow_control_forgotten() -> Sequence[Patch]:
    """The server sends pages without waiting for what is applied."""
    import sync.server_session

    return [(sync.server_session, "PAGES_IN_FLIGHT_MAX", 10**6)]


MUTANTS: dict[str, Callable[[], Sequence[Patch]]] = {
    mutant.__name__: mutant
    for mutant in (
        acknowledge_before_commit,
        no_deduplication,
        cursor_outside_the_transaction,
        skip_a_hole,
        greater_or_equal_in_the_page_cursor,
        drop_a_parked_entry,
        push_flag_never_cleared,
        wake_up_of_the_upload_lost,
        wake_up_of_the_download_lost,
        outcome_not_stored_on_repeat,
        ignore_the_incarnation,
        order_by_arrival_in_the_fold,
        lost_acknowledgement_stays_lost,
        half_open_link_trusted,
        no_watchdog_on_downloads,
        no_watchdog_on_uploads,
        snapshots_are_mixed,
        acknowledgement_without_a_check,
        flow_control_forgotten,
    )
}
