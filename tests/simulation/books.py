"""Who was shown, holds or must get back which event: the bookkeeping behind "nothing recorded is ever lost"."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from sync.change_log import Numbered
from sync.errors import BrokenChain
from sync.journal import Entry, check_run
from sync.records import Entity, EventRecord
from tests.simulation.trace import Violated

if TYPE_CHECKING:
    from tests.simulation.device import Device
    from tests.simulation.world import World

Said = tuple[str, bytes]
"""An event id and the words under it: an id may come twice, with other words."""

# A device is away within 5 s of its revocation.
REVOKED_WITHIN_MS = 5_000


class Books:
    """Keeps, for each desk, what it need not hold any more, and for each centre, what a restore must bring back."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self._gone: dict[str, set[Said]] = {}
        self._never_sent: set[Said] = set()
        self._holders: dict[str, dict[str, set[str]]] = {}

    # -- what a desk was shown

    def check_told(self, device: "Device") -> None:
        """What this desk showed as recorded is in its journals, word for word."""
        held = said_by(device)
        gone = self._gone.get(device.name, set())
        for entry in device.told:
            said = (entry.event_id, entry.body)
            if said not in gone and said not in held:
                raise Violated("no_acknowledged_entry_lost", f"{device.name} no longer holds {entry.event_id}")

    def disk_lost(self, device: "Device", *, kept: frozenset[Said]) -> None:
        """A desk's disk was replaced by another one that holds these events."""
        told = {(entry.event_id, entry.body) for entry in device.told}
        lost = told - kept
        gone = self._gone.setdefault(device.name, set())
        self._never_sent |= lost - gone - self._stored_of(device) - self._at_a_twin(device)
        # What an older copy brings back must stay from now on.
        self._gone[device.name] = lost
        self._holds_no_more(device)

    def may_drop(self, device: "Device", dropped: frozenset[Said]) -> None:
        """A desk may forget these: they were answered long ago, so the server has them."""
        missing = sorted(event_id for event_id, _ in dropped - self._stored_of(device))
        if missing:
            raise Violated("no_acknowledged_entry_lost", f"{device.name} may drop {missing}, which nobody has")
        self._gone.setdefault(device.name, set()).update(dropped)

    def _at_a_twin(self, device: "Device") -> set[Said]:
        twins = [one for one in self.world.devices if one.id == device.id and one is not device]
        return {said for twin in twins if not twin.is_destroyed for said in said_by(twin)}

    def _holds_no_more(self, device: "Device") -> None:
        for holders in self._holders.get(device.center_id, {}).values():
            holders.discard(device.name)

    def _stored_of(self, device: "Device") -> set[Said]:
        """What the server has of this device, whatever the journal."""
        journals = self.world.stores[device.center_id].state.journals
        return {
            (line.entry.event_id, line.entry.body)
            for key, lines in journals.items()
            if key[0] == device.id
            for line in lines
        }

    def check_arrived(self, device: "Device") -> None:
        """What this desk showed as recorded is on the server, as an entry of it or as a fact of the log.

        Not so for what its disk took with it before it was sent; nor, once the server was restored, for what was only
        on a disk that is gone.
        """
        stored = self._stored_of(device)
        is_restored = device.center_id in self.world.checkers.restored
        gone = self._gone.get(device.name, set())
        logged = self.world.stores[device.center_id].state.records
        for entry in device.told:
            said = (entry.event_id, entry.body)
            excused = said in self._never_sent
            excused |= is_restored and (said in gone or device.is_destroyed)
            is_there = said in stored or (Entity.EVENT, entry.event_id) in logged
            if not is_there and not excused:
                raise Violated("no_acknowledged_entry_lost", f"{entry.event_id} of {device.name} never arrived")

    # -- another life of the server

    def server_restored(self, center_id: str) -> None:
        """Whatever any desk holds of the events of this centre must come back."""
        holders = self._holders[center_id] = {}
        for device in self.world.devices:
            is_sound = device.is_up and not device.is_destroyed and not device.is_rotten and device.database.is_open
            for row in device.replica.records.all() if is_sound and device.center_id == center_id else ():
                if row.entity == Entity.EVENT:
                    holders.setdefault(row.entity_id, set()).add(device.name)

    def check_brought_back(self, center_id: str) -> None:
        """Everything that a desk held when the server was restored, and still held at the next contact, is there."""
        state = self.world.stores[center_id].state
        known = {line.entry.event_id for lines in state.journals.values() for line in lines}
        known |= {entity_id for entity, entity_id in state.records if entity == Entity.EVENT}
        useless = {device.name for device in self.world.devices if device.id in self.world.revoked_ms}
        for event_id, holders in self._holders.get(center_id, {}).items():
            if holders - useless and event_id not in known:
                raise Violated("restored_server_gets_back", f"{event_id} was at {sorted(holders)} and is lost")

    # -- revoked devices

    def check_reader(self, device: "Device") -> None:
        """Nothing of a centre goes to a device that was revoked some time ago; a server that slept may be late."""
        revoked_ms = self.world.revoked_ms.get(device.id)
        if revoked_ms is None:
            return
        now_ms, woke_ms = self.world.timeline.now_ms, self.world.server.paused_until_ms
        if now_ms - max(revoked_ms, woke_ms) > REVOKED_WITHIN_MS:
            raise Violated("nothing_to_or_from_a_revoked_device", f"{device.name} is still sent the log")

    def check_revoked(self, fresh: Iterable[Numbered]) -> None:
        """Nothing that a revoked device says takes effect."""
        for row in fresh if self.world.revoked_ms else ():
            if row.change.entity != Entity.EVENT:
                continue
            record = msgspec.json.decode(row.change.body, type=EventRecord)
            source = record.witnessed_by or record.device_id
            if source in self.world.revoked_ms:
                raise Violated("nothing_to_or_from_a_revoked_device", f"an event of {source} entered the log")

    def check_handed_over(self, device: "Device", held: frozenset[Said]) -> None:
        """A desk that destroys itself was revoked, and the server has all it still held."""
        if device.id not in self.world.revoked_ms:
            raise Violated("nothing_to_or_from_a_revoked_device", f"{device.name} destroys itself and may be here")
        stored = self._stored_of(device)
        is_restored = device.center_id in self.world.checkers.restored
        for event_id, body in sorted(held):
            if (event_id, body) not in stored and not is_restored:
                raise Violated("no_acknowledged_entry_lost", f"{device.name} destroys {event_id}, which nobody has")
        self._holds_no_more(device)


def said_by(device: "Device") -> frozenset[Said]:
    """What the journals of a desk hold; nothing on a disk that was never started on."""
    if not device.database.fetch_all("SELECT 1 FROM sqlite_schema WHERE name = 'journal'"):
        return frozenset()
    rows = device.database.fetch_all("SELECT event_id, body FROM journal ORDER BY event_id, body")
    return frozenset((row[0], row[1].encode()) for row in rows)


def journal_of(device: "Device") -> tuple[Entry, ...]:
    """All journals of a desk, each checked for dense numbers and right hashes."""
    rows = device.database.fetch_all("SELECT incarnation, min(seq) FROM journal GROUP BY incarnation ORDER BY 1")
    found: tuple[Entry, ...] = ()
    for incarnation, first_seq in rows:
        entries: tuple[Entry, ...] = ()
        while more := device.replica.journal.read_entries(incarnation, first_seq - 1 + len(entries), 500):
            entries += more
        try:
            check_run(entries)
        except BrokenChain as error:
            raise Violated("chains_verify", f"the journal of {device.name}: {error}") from error
        found += entries
    return found
