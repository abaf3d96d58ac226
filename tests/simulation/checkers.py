"""The invariants, each under its own name: some are watched at every step, the rest is judged at the end."""

from typing import TYPE_CHECKING

from sync.change_log import Head, Numbered, check_changes
from sync.change_log import genesis as log_genesis
from sync.codec import decode_from_device, decode_from_server
from sync.errors import BrokenChain, CloseCode
from sync.journal import EntryOutcome
from sync.limits import PAGES_IN_FLIGHT_MAX, SNAPSHOT_PARTS_MAX
from sync.messages import Applied, Page, Push, PushStored, SnapshotPart, SnapshotRecord
from sync.records import Entity
from tests.simulation.books import Books, Said, said_by
from tests.simulation.model_records import RecordKey, fold_of_log
from tests.simulation.model_store import CenterState
from tests.simulation.replicas import held_by, kept_of
from tests.simulation.trace import Violated
from tests.simulation.truth import Pushes

if TYPE_CHECKING:
    from kiosk.store.progress import Progress
    from tests.simulation.device import Device
    from tests.simulation.link import Link
    from tests.simulation.world import World

EntryKey = tuple[str, str, int]
# What a healthy session must never say of a healthy peer, whatever the network does.
NEVER_SAID = frozenset(
    {
        CloseCode.PROTOCOL_VIOLATION,
        CloseCode.UNDECODABLE,
        CloseCode.TOO_BIG,
        CloseCode.FORK,
        CloseCode.JOURNAL_INVALID,
        CloseCode.UPGRADE_NEEDED,
        CloseCode.INTERNAL,
    }
)


class Shadow:
    """What one replica must hold: the fold of the log up to its cursor, kept up by our own hand."""

    def __init__(self) -> None:
        self.epoch = ""
        self.version = 0
        self.records: dict[RecordKey, SnapshotRecord] = {}

    def follow(self, epoch: str, version: int, log: tuple[Numbered, ...]) -> None:
        """Go to where the replica says it stands."""
        if epoch != self.epoch or version < self.version:
            self.epoch, self.version = epoch, 0
            self.records = {}
        if self.version == 0:
            self.records = fold_of_log(log[:version])
        else:
            self._go_on(log[self.version : version])
        self.version = version

    def _go_on(self, rows: tuple[Numbered, ...]) -> None:
        for key, record in fold_of_log(rows).items():
            self.records[key] = record
        for row in rows:
            key = (row.change.entity, row.change.entity_id)
            if self.records.get(key) is not None and self.records[key].version < row.change.version:
                self.records.pop(key)


class Checkers:
    """Watches one world. Every method is told what just happened, and raises `Violated` when it must not be."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.lives: dict[str, tuple[Numbered, ...]] = {}
        self.restored: set[str] = set()
        self.books = Books(world)
        self._pushes = Pushes()
        self._acknowledged: dict[EntryKey, EntryOutcome] = {}
        self._in_flight: dict[str, set[int]] = {}
        self._cursors: dict[str, tuple[str, int]] = {}
        self._shadows: dict[str, Shadow] = {}
        self._logs: dict[str, CenterState] = {}
        self._events: dict[str, set[str]] = {}

    # -- the server

    def server_stored(self, center_id: str) -> None:
        """A store effect of the server is over."""
        state = self.world.stores[center_id].state
        seen = self._logs.get(center_id)
        if seen is not None and seen.log is state.log and seen.head == state.head:
            return
        known = self.lives.get(state.head.epoch, ())
        if state.log[: len(known)] != known:
            raise Violated("versions_dense_in_commit_order", "what was in the log has changed")
        fresh = state.log[len(known) :]
        self._check_rows(center_id, state, known, fresh)
        self.lives[state.head.epoch] = state.log
        self._logs[center_id] = state

    def _check_rows(
        self, center_id: str, state: CenterState, known: tuple[Numbered, ...], fresh: tuple[Numbered, ...]
    ) -> None:
        before = known[-1].hash if known else log_genesis(center_id, self.world.stores[center_id].origin_epoch).hash
        try:
            head = check_changes(Head(state.head.epoch, len(known), before), [row.change for row in fresh])
        except BrokenChain as error:
            raise Violated("versions_dense_in_commit_order", str(error)) from error
        if head != state.head:
            raise Violated("chains_verify", f"the head at {state.head.version} is not the end of its log")
        self._check_events_are_new(state.head.epoch, fresh)
        self.books.check_revoked(fresh)

    def _check_events_are_new(self, epoch: str, fresh: tuple[Numbered, ...]) -> None:
        seen = self._events.setdefault(epoch, set())
        for row in fresh:
            if row.change.entity != Entity.EVENT:
                continue
            if row.change.entity_id in seen:
                raise Violated("exactly_once", "an event is in the log twice")
            seen.add(row.change.entity_id)

    def server_restored(self, center_id: str) -> None:
        """The server came back from a backup: acknowledgements since then are void until a desk renews them."""
        state = self.world.stores[center_id].state
        self.world.trace.note("server", f"is back at {state.head.version} of {center_id[:4]}, in a new epoch")
        self.restored.add(center_id)
        self.books.server_restored(center_id)
        self.lives[state.head.epoch] = state.log
        self._events[state.head.epoch] = {
            row.change.entity_id for row in state.log if row.change.entity == Entity.EVENT
        }
        self._logs[center_id] = state
        mine = {device.id for device in self.world.devices if device.center_id == center_id}
        self._acknowledged = {key: known for key, known in self._acknowledged.items() if key[0] not in mine}

    def server_sent(self, device: "Device", link: "Link", frame: bytes) -> str:
        """A server session sent this; gives the name of the message."""
        self.world.trace.counts["messages"] += 1
        message = decode_from_server(frame)
        match message:
            case PushStored():
                self._pushes.answered(link.name, message)
                self._check_acknowledgement(device, message)
            case Page(to_version=to_version):
                self.books.check_reader(device)
                self._count_in_flight(link, to_version)
            case SnapshotPart(part=part):
                self.books.check_reader(device)
                self._count_in_flight(link, part - SNAPSHOT_PARTS_MAX - 1)
        name = type(message).__name__
        self.world.trace.note("server", f"{link.name} sends {name} {_brief(message)}")
        return name

    def _count_in_flight(self, link: "Link", number: int) -> None:
        waiting = self._in_flight.setdefault(link.name, set())
        waiting.add(number)
        if len(waiting) > PAGES_IN_FLIGHT_MAX:
            raise Violated("bounded", f"{len(waiting)} pages are in flight on {link.name}")

    def _check_acknowledgement(self, device: "Device", stored: PushStored) -> None:
        journals = self.world.stores[device.center_id].state.journals
        if not stored.outcomes:
            return
        mine = [
            (key[1], lines)
            for key, lines in journals.items()
            if key[0] == device.id
            and len(lines) >= stored.through_seq
            and lines[stored.through_seq - 1].entry.hash == stored.hash
        ]
        if not mine:
            raise Violated("no_acknowledged_entry_lost", f"{stored.through_seq} of {device.name} is not durable")
        incarnation, lines = mine[0]
        for outcome in stored.outcomes:
            if lines[outcome.seq - 1].entry.event_id != outcome.event_id:
                raise Violated("no_acknowledged_entry_lost", f"{outcome.seq} of {device.name} is another entry")
            key = (device.id, incarnation, outcome.seq)
            if self._acknowledged.setdefault(key, outcome) != outcome:
                raise Violated("exactly_once", f"{outcome.seq} of {device.name} got another outcome on a repeat")

    def server_closed(self, device: "Device", code: CloseCode, reason: str) -> None:
        """A server session closed a link."""
        self._never(code, f"the server said {code.name} to {device.name}: {reason}")

    # -- desks

    def device_booted(self, device: "Device") -> None:
        """A desk started: what it once showed as recorded must be there."""
        self.books.check_told(device)
        self.device_stored(device)

    def replica_replaced(self, device: "Device") -> None:
        """A desk got an empty replica."""
        self.books.disk_lost(device, kept=frozenset())
        self._cursors.pop(device.name, None)

    def replica_set_back(self, device: "Device") -> None:
        """A desk got an older copy of its replica."""
        self.books.disk_lost(device, kept=said_by(device))
        self._cursors.pop(device.name, None)

    def device_destroys_itself(self, device: "Device", held: frozenset[Said]) -> None:
        """A revoked desk forgot everything; this is what its journals held."""
        self.books.check_handed_over(device, held)

    def lease_looked_at(self, device: "Device", progress: "Progress") -> None:
        """A desk was asked whether it may still work without the server."""
        lease_ms = self.world.stores[device.center_id].lease_ms
        silent = device.heard_ms is not None and self.world.timeline.now_ms - device.heard_ms > lease_ms + 1
        if silent and not progress.is_lease_over:
            raise Violated("lease_is_kept", f"{device.name} has heard nothing for longer than its lease")

    def device_sent(self, device: "Device", link: "Link", frame: bytes) -> None:
        """A device session sent this."""
        self.world.trace.counts["messages"] += 1
        message = decode_from_device(frame)
        match message:
            case Applied():
                self._arrived(link, message)
            case Push():
                self._pushes.sent(link.name, message)
        self.world.trace.note(device.name, f"{link.name} sends {type(message).__name__} {_brief(message)}")

    def _arrived(self, link: "Link", applied: Applied) -> None:
        """Parts are numbered below 0 here, pages by their version, so that neither is taken for the other."""
        waiting = self._in_flight.get(link.name, set())
        through = applied.snapshot_part - SNAPSHOT_PARTS_MAX - 1 if applied.snapshot_part else applied.version
        self._in_flight[link.name] = {number for number in waiting if number > through}

    def device_closed(self, device: "Device", code: CloseCode, reason: str) -> None:
        """A device session closed a link."""
        self._never(code, f"{device.name} said {code.name}: {reason}")

    def _never(self, code: CloseCode, what: str) -> None:
        if code in NEVER_SAID:
            raise Violated("peers_understand_each_other", what)

    def device_stored(self, device: "Device") -> None:
        """A store effect of a desk is over: its cursor never falls, and its records are the log up to there."""
        head = device.replica.progress.read().head
        epoch, version = self._cursors.get(device.name, ("", 0))
        if epoch == head.epoch and version == head.version:
            return
        if epoch == head.epoch and version > head.version > 0:
            raise Violated("cursor_never_falls", f"{device.name} went from {version} to {head.version}")
        self._cursors[device.name] = (head.epoch, head.version)
        if head.version:
            self._check_replica(device, head)

    def snapshot_stored(self, device: "Device", bucket: str) -> None:
        """A desk has the last part of a snapshot, or of the bucket that was sent to it again."""
        head = device.replica.progress.read().head
        records = fold_of_log(self.lives[head.epoch][: head.version]).values()
        held, wanted = held_by(device, bucket), kept_of(device, records, bucket)
        if held != wanted:
            raise Violated("repair_heals", f"{device.name} at {head.version} still differs in {bucket or 'all'}")

    def _check_replica(self, device: "Device", head: Head) -> None:
        log = self.lives.get(head.epoch, ())
        if head.version > len(log) or log[head.version - 1].hash != head.hash:
            raise Violated("no_hole_in_a_replica", f"{device.name} is at {head.version}, which the log never was")
        shadow = self._shadows.setdefault(device.name, Shadow())
        shadow.follow(head.epoch, head.version, log)
        held, wanted = held_by(device), kept_of(device, shadow.records.values())
        if held == wanted:
            device.is_rotten = False
        elif not device.is_rotten:
            odd = sorted(key for key in held.keys() | wanted.keys() if held.get(key) != wanted.get(key))
            raise Violated("no_hole_in_a_replica", f"{device.name} at {head.version} differs in {odd[:2]}")


def _brief(message: object) -> str:
    """The numbers of a message, for the trace."""
    match message:
        case Page():
            return f"{message.after_version}..{message.to_version} of {message.head_version}"
        case SnapshotPart():
            return f"{message.part}/{message.parts} at {message.version}"
        case PushStored():
            return f"through {message.through_seq} ({len(message.outcomes)})"
        case Applied():
            return f"{message.version} part {message.snapshot_part}"
    numbers = ("version", "head_version", "journal_seq", "stored_seq", "queue_depth")
    shown = [f"{name}={getattr(message, name)}" for name in numbers if hasattr(message, name)]
    entries = getattr(message, "entries", ())
    if entries:
        shown.append(f"{entries[0].seq}..{entries[-1].seq}")
    return " ".join(shown)
