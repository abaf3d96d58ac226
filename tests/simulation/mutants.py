"""Planted defects: each is one plausible mistake in shipped code, and the simulator must find every one of them."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

import kiosk.store.database
import sync.attendance
import sync.attendance_events
import sync.intake
import tests.simulation.model_store
from kiosk.services.knowledge import Knowledge
from kiosk.services.surroundings import Surroundings
from kiosk.store.database import Database
from kiosk.store.journal import JournalStore, OwnEntry
from kiosk.store.records import RecordStore
from kiosk.store.snapshots import SnapshotStore, _held
from sync import effects as do
from sync import events as on
from sync.attendance import AttendanceEvent
from sync.change_log import Head
from sync.device_uploads import DeviceUploads
from sync.digest import sums
from sync.intake import read_testimony
from sync.journal import Entry, JournalHead, Outcome, RunVerdict
from sync.limits import HEARTBEAT_INTERVAL_MS
from sync.liveness import Liveness
from sync.messages import Page
from sync.records import PickupRecord
from sync.server_session import ServerSession
from tests.simulation.model_store import CenterState, ModelServerStore, Reader
from tests.simulation.protocol_mutants import PROTOCOL_MUTANTS

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

    def load_page(self: ModelServerStore, after_version: int, up_to_version: int = 0, **more: Any) -> on.PageLoaded:
        del up_to_version
        loaded = shipped(self, max(0, after_version - 1), **more)
        return msgspec.structs.replace(loaded, after_version=after_version)

    return [(ModelServerStore, "_load_page", load_page)]


def drop_a_parked_entry() -> Sequence[Patch]:
    """The desk throws an entry away once the server said that it is parked."""
    shipped = JournalStore.store_outcomes

    def store_outcomes(self: JournalStore, *arguments: Any) -> tuple[OwnEntry, ...]:
        fresh = shipped(self, *arguments)
        parked = [(entry.seq,) for entry in fresh if entry.outcome is Outcome.PARKED]
        with self._database.transaction():
            self._database.execute_many("DELETE FROM journal WHERE seq = ?", parked)
        return tuple(entry for entry in fresh if entry.outcome is not Outcome.PARKED)

    return [(JournalStore, "store_outcomes", store_outcomes)]


def push_flag_never_cleared() -> Sequence[Patch]:
    """Once a push was settled, the desk still believes that one is under way."""
    shipped = DeviceUploads.outcomes_stored

    def outcomes_stored(self: DeviceUploads, stored: on.OutcomesStored, now_ms: int) -> Any:
        state = self.state
        effects = shipped(self, stored, now_ms)
        if not any(isinstance(effect, do.ReadEntries) for effect in effects):
            self.state = state
        return effects

    return [(DeviceUploads, "outcomes_stored", outcomes_stored)]


def wake_up_of_the_upload_lost() -> Sequence[Patch]:
    """The desk hears that an entry was recorded, and does not look for it."""

    def entry_recorded(_self: DeviceUploads, _recorded: on.EntryRecorded, _now_ms: int) -> Any:
        return ()

    return [(DeviceUploads, "entry_recorded", entry_recorded)]


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

    return [(sync.attendance, "each_once", as_ordered_set)]


def order_by_the_clock_of_the_device() -> Sequence[Patch]:
    """Attendance takes every desk's clock at its word, on all machines alike."""

    def corrected_at_ms(event: AttendanceEvent) -> int:
        return event.occurred_at_ms

    modules = (sync.attendance, sync.attendance_events, sync.intake)
    return [(module, "corrected_at_ms", corrected_at_ms) for module in modules]


def a_parked_entry_ends_its_push() -> Sequence[Patch]:
    """The server stops at the first entry that it does not understand; what is behind waits for the next push."""
    shipped = ModelServerStore._store_batch

    def store_batch(self: ModelServerStore, entries: tuple[Entry, ...], reader: Reader) -> Any:
        strange = [number for number, entry in enumerate(entries, start=1) if read_testimony(entry).reason]
        return shipped(self, entries[: strange[0]] if strange else entries, reader)

    return [(ModelServerStore, "_store_batch", store_batch)]


def log_order_is_not_the_order_of_the_journal() -> Sequence[Patch]:
    """Of entries that arrive together, the server decides the last one first."""
    shipped = ModelServerStore._logged

    def logged(self: ModelServerStore, state: CenterState, drafts: Sequence[Any]) -> CenterState:
        return shipped(self, state, drafts[::-1])

    return [(ModelServerStore, "_logged", logged)]


def a_second_arrival_is_forgotten() -> Sequence[Patch]:
    """A check-out closes the stay, though another desk saw the child come again after it."""
    return [(sync.attendance._Reducer, "_left_unanswered_by", lambda _self, _fact: [])]


def lost_acknowledgement_stays_lost() -> Sequence[Patch]:
    """The desk goes on from what the server has stored, though it never heard the outcomes."""

    def offer_from(_self: DeviceUploads, journal: Any, stored_seq: int) -> None:
        journal.offered_seq = stored_seq

    return [(DeviceUploads, "_offer_from", offer_from)]


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
    import sync.device_downloads

    return [(sync.device_downloads, "PAGE_DEADLINE_MS", 10**9)]


def no_watchdog_on_uploads() -> Sequence[Patch]:
    """The desk waits for an acknowledgement for ever."""
    import sync.device_uploads

    return [(sync.device_uploads, "ACKNOWLEDGEMENT_DEADLINE_MS", 10**9)]


def synchronous_normal() -> Sequence[Patch]:
    """The desk's database does not sync its log at each COMMIT."""
    shipped = kiosk.store.database._set_and_check

    def set_and_check(connection: Any) -> None:
        shipped(connection)
        connection.execute("PRAGMA synchronous = NORMAL")

    return [(kiosk.store.database, "_set_and_check", set_and_check)]


def snapshots_are_mixed() -> Sequence[Patch]:
    """What is left of a snapshot that was cut off becomes part of the next one."""
    shipped = Database.execute

    def execute(self: Database, sql: str, parameters: Sequence[Any] = ()) -> None:
        if sql != "DELETE FROM staged_part":
            shipped(self, sql, parameters)

    return [
        (Database, "execute", execute),
        (SnapshotStore, "_check_digests", lambda _self, records, _told: sums(map(_held, records.values()))),
    ]


def acknowledgement_without_a_check() -> Sequence[Patch]:
    """The desk believes that an answer settles everything up to the number in it, outcome or none."""
    return [(JournalStore, "_settled_through", lambda _self, _progress, stored: stored.through_seq + 1)]


def flow_control_forgotten() -> Sequence[Patch]:
    """The server sends pages without waiting for what is applied."""
    import sync.server_downloads

    return [(sync.server_downloads, "PAGES_IN_FLIGHT_MAX", 10**6)]


def desk_forgets_how_a_pick_up_came_to_be() -> Sequence[Patch]:
    """The desk judges every release by who may collect the child now."""
    shipped = Surroundings.put_pickup

    def put_pickup(self: Surroundings, pickup_id: str, record: PickupRecord) -> str:
        return shipped(self, pickup_id, msgspec.structs.replace(record, history=msgspec.UNSET))

    return [(Surroundings, "put_pickup", put_pickup)]


def desk_forgets_absences() -> Sequence[Patch]:
    """The desk does not give the fold what is announced of a child."""
    shipped = Surroundings.of_child

    def of_child(self: Surroundings, child_id: str, center: Any, child: Any = None) -> Any:
        told = None if child is None else msgspec.structs.replace(child, absences=msgspec.UNSET)
        return shipped(self, child_id, center, told)

    return [(Surroundings, "of_child", of_child)]


def desk_does_not_judge_anew() -> Sequence[Patch]:
    """What the desk has made of a child's facts stays, whatever a record says of them later."""
    return [(Knowledge, "_judge_anew", lambda self, child_ids: [self._stir(one) for one in child_ids if one])]


MUTANTS: dict[str, Callable[[], Sequence[Patch]]] = {
    mutant.__name__: mutant
    for mutant in (
        *PROTOCOL_MUTANTS,
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
        order_by_the_clock_of_the_device,
        a_parked_entry_ends_its_push,
        log_order_is_not_the_order_of_the_journal,
        a_second_arrival_is_forgotten,
        lost_acknowledgement_stays_lost,
        half_open_link_trusted,
        no_watchdog_on_downloads,
        no_watchdog_on_uploads,
        synchronous_normal,
        snapshots_are_mixed,
        acknowledgement_without_a_check,
        flow_control_forgotten,
        desk_forgets_how_a_pick_up_came_to_be,
        desk_forgets_absences,
        desk_does_not_judge_anew,
    )
}
