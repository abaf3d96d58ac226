"""The desk as its user sees it: a roster, check-in and check-out that work with no network, and messages."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from kiosk.clock import Clock, Ids, Luck, SystemClock, random_uuid
from kiosk.keys import DeviceKeys, read_enrolled_keys
from kiosk.link.device_store import DeviceStore
from kiosk.link.runner import LinkRunner
from kiosk.messages import DeskStatus, EntrySettled, Mark, Presence
from kiosk.services import roster as rosters
from kiosk.services.errors import LOCAL_ERRORS, DeskError, desk_error
from kiosk.services.following import Following, settled_message
from kiosk.services.moments import clock_words
from kiosk.services.recording import Wish, moment_of, write_down
from kiosk.services.resemblance import Resemblance, resemblance
from kiosk.services.roster import Collector, RosterLine
from kiosk.services.subscription import Subscription
from kiosk.settings import DataFolder, LinkSettings
from kiosk.store.database import Database, FolderLock
from kiosk.store.errors import StoreError
from kiosk.store.journal import OwnEntry
from kiosk.store.replica import Replica
from sync.attendance import EventKind, decode_event
from sync.digest import digests

T = TypeVar("T")

__all__ = ["Collector", "Desk", "DeskError", "Mark", "Recorded", "RosterLine"]


@dataclass(frozen=True)
class Recorded:
    """What is now in the journal, durable; `occurred_at_ms` is in UTC milliseconds since 1970."""

    event_id: str
    kind: str
    child_id: str
    child_name: str
    occurred_at_ms: int


class Desk:
    """One enrolled desk, open for use by one program. Make it with `Desk.open`."""

    def __init__(
        self,
        keys: DeviceKeys,
        replica: Replica,
        lock: FolderLock,
        following: Following,
        runner: LinkRunner,
        ids: Ids,
    ) -> None:
        self._keys = keys
        self._replica = replica
        self._lock = lock
        self._following = following
        self._runner = runner
        self._ids = ids
        self._one_at_a_time = asyncio.Lock()

    @classmethod
    async def open(
        cls,
        data_dir: Path,
        *,
        clock: Clock | None = None,
        luck: Luck = secrets.token_bytes,
        link_settings: LinkSettings | None = None,
    ) -> "Desk":
        """Open the desk in this folder; it works at once, with or without a network.

        Raises:
            DeskError: not_enrolled, keys_unreadable, replica_in_use, replica_unreadable, replica_too_new,
                storage_full or storage_failed.

        """
        folder = DataFolder(Path(data_dir))
        used_clock = clock or SystemClock()
        lock = FolderLock(folder.lock)
        try:
            keys = read_enrolled_keys(folder.keys)
            lock.acquire()
            replica = await _open_replica(folder, keys, luck)
            following = await _follow(replica, keys, used_clock)
        except LOCAL_ERRORS as error:
            lock.release()
            raise desk_error(error) from error
        except BaseException:
            lock.release()
            raise
        store = DeviceStore(replica, following.hear, used_clock.wall_ms)
        runner = LinkRunner(keys, store, following.link_changed, clock=used_clock, luck=luck, settings=link_settings)
        return cls(keys, replica, lock, following, runner, Ids(used_clock, luck))

    async def close(self) -> None:
        """Close the files and let another program have them. Cancel `run_link` first."""
        heard_ms = self._following.heard_ms
        self._following.hub.close()
        try:
            if heard_ms is not None:
                await self._replica.database.run(lambda: _keep_contact(self._replica, heard_ms))
            await self._replica.database.close()
        except StoreError:
            await self._replica.database.close()
        finally:
            self._lock.release()

    async def run_link(self) -> None:
        """Keep in touch with the server until cancelled; nothing else ends it."""
        await self._runner.run()

    def hurry(self) -> None:
        """Try to reach the server now instead of waiting."""
        self._runner.hurry()

    # -- what the desk shows

    async def roster(self) -> tuple[RosterLine, ...]:
        """Today's roster, by room and name."""
        await self._following.tidy()
        return rosters.roster(self._following.knowledge, self._following.span_of_today())

    async def search(self, text: str) -> tuple[RosterLine, ...]:
        """The children whose names hold every word of `text`; accents, case and order do not matter."""
        return rosters.search(await self.roster(), text)

    async def collectors(self, child_id: str) -> tuple[Collector, ...]:
        """Who may and who must not collect this child; raises DeskError unknown_child."""
        self._require_known(child_id)
        return rosters.collectors(self._following.knowledge, child_id, self._following.today())

    async def find_by_name(self, name: str) -> str:
        """The id of the child with exactly this name; raises DeskError unknown_child or ambiguous_name."""
        return rosters.find_by_name(self._following.knowledge, name)

    async def status(self) -> DeskStatus:
        """Everything for the status line."""
        return self._following.status()

    async def digests(self) -> dict[str, str]:
        """The digest of each bucket of the replica, hexadecimal; the server's when nothing is missing."""
        return digests(await self._ask(self._replica.records.held))

    @property
    def is_current(self) -> bool:
        """Whether the link is up and the replica has everything the server told of."""
        return self._following.is_current

    def subscribe(self) -> Subscription:
        """Messages from now on; bounded, and a `Resync` when some were dropped."""
        return self._following.hub.subscribe()

    def knows(self, child_id: str) -> bool:
        """Whether a child with this id is on file."""
        return child_id in self._following.knowledge.children

    def name_of(self, child_id: str) -> str:
        """The name of a child on file, or nothing."""
        child = self._following.knowledge.children.get(child_id)
        return rosters.display_name(child) if child else ""

    # -- what the desk records

    async def check_in(
        self, child_id: str, *, occurred_at_ms: int | None = None, staff_id: str = "", note: str = ""
    ) -> Recorded:
        """Record that a child came; durable when this returns. `occurred_at_ms` None means now.

        Raises:
            DeskError: unknown_child, already_in, bad_input, storage_full, storage_failed.

        """
        async with self._one_at_a_time:
            self._require_known(child_id)
            stand = rosters.standing(self._following.knowledge, child_id, self._following.span_of_today())
            if stand.status is Presence.IN:
                raise DeskError("already_in", f"{self.name_of(child_id)} is in since {self._words(stand.since_ms)}.")
            wish = self._wish(EventKind.CHECK_IN, child_id, occurred_at_ms, staff_id=staff_id, note=note)
            return await self._record(wish)

    async def check_out(
        self,
        child_id: str,
        *,
        adult_id: str = "",
        adult_name: str = "",
        occurred_at_ms: int | None = None,
        staff_id: str = "",
    ) -> Recorded:
        """Record that a child left, and with whom; durable when this returns.

        Raises:
            DeskError: unknown_child, already_out, unknown_adult, not_authorised, bad_input, storage_full,
                storage_failed.

        """
        async with self._one_at_a_time:
            self._require_known(child_id)
            self._require_in(child_id, occurred_at_ms)
            self._require_may_collect(child_id, adult_id, adult_name)
            wish = self._wish(
                EventKind.CHECK_OUT,
                child_id,
                occurred_at_ms,
                staff_id=staff_id,
                adult_id=adult_id,
                adult_name=adult_name,
            )
            return await self._record(wish)

    def _wish(self, kind: EventKind, child_id: str, occurred_at_ms: int | None, **more: str) -> Wish:
        knowledge = self._following.knowledge
        return Wish(
            event_id=self._ids.new(),
            kind=kind,
            child_id=child_id,
            time_zone=knowledge.center.time_zone,
            occurred_at_ms=occurred_at_ms,
            room_id=knowledge.children[child_id].home_room_id,
            **more,
        )

    async def _record(self, wish: Wish) -> Recorded:
        """Write it down and tell everybody. A caller that goes away cannot stop it half-way."""
        return await asyncio.shield(asyncio.ensure_future(self._write(wish)))

    async def _write(self, wish: Wish) -> Recorded:
        moment = moment_of(self._following.clock)
        try:
            entry = await self._replica.database.run(lambda: write_down(wish, moment, self._keys, self._replica))
        except StoreError as error:
            raise desk_error(error) from error
        self._following.own_recorded(entry)
        self._runner.entry_recorded(entry.seq)
        event = decode_event(entry.body.encode())
        return Recorded(entry.event_id, entry.kind, entry.child_id, self.name_of(entry.child_id), event.occurred_at_ms)

    # -- for the agent, which must tell each outcome at least once, also after a kill

    async def settled_untold(self, after_seq: int = 0) -> tuple[EntrySettled, ...]:
        """Outcomes after `after_seq` that `mark_told` was not told of; oldest first, at most 500.

        Raises:
            DeskError: storage_failed, replica_unreadable.

        """

        def read() -> tuple[OwnEntry, ...]:
            told_seq = self._replica.progress.read().told_seq
            return self._replica.journal.settled_after(max(told_seq, after_seq))

        return tuple(settled_message(entry) for entry in await self._ask(read))

    async def mark_told(self, through_seq: int) -> None:
        """The outcomes up to this entry were told; raises DeskError storage_full or storage_failed."""

        def write() -> None:
            with self._replica.database.transaction():
                self._replica.progress.told(through_seq)

        await self._ask(write)

    async def _ask(self, work: Callable[[], T]) -> T:
        """Work on the store; its failures become refusals."""
        try:
            return await self._replica.database.run(work)
        except StoreError as error:
            raise desk_error(error) from error

    # -- refusals

    def _require_known(self, child_id: str) -> None:
        if not self.knows(child_id):
            raise DeskError("unknown_child", "No such child is on this desk's roster; search for the name.")

    def _require_in(self, child_id: str, occurred_at_ms: int | None) -> None:
        name = self.name_of(child_id)
        stand = rosters.standing(self._following.knowledge, child_id, self._following.span_of_today())
        if stand.status is Presence.OUT:
            raise DeskError("already_out", f"{name} left at {self._words(stand.since_ms)}.")
        if stand.status is Presence.NOT_ARRIVED:
            raise DeskError("already_out", f"{name} has not been checked in today.")
        if occurred_at_ms is not None and stand.since_ms is not None and occurred_at_ms < stand.since_ms:
            raise DeskError("bad_input", f"{name} came at {self._words(stand.since_ms)}; the time given is earlier.")

    def _require_may_collect(self, child_id: str, adult_id: str, adult_name: str) -> None:
        known = rosters.collectors(self._following.knowledge, child_id, self._following.today())
        if adult_id and all(one.adult_id != adult_id for one in known):
            raise DeskError("unknown_adult", "This adult is not on the child's pick-up list; give a name instead.")
        for one in known:
            is_meant = one.adult_id == adult_id or resemblance(adult_name, one.name) is Resemblance.SAME
            if is_meant and rosters.is_blocked(one):
                today = " today" if one.status == rosters.NOT_TODAY else ""
                refusal = f"{one.name} must not collect {self.name_of(child_id)}{today}."
                raise DeskError("not_authorised", f"{refusal} Do not release; call the manager.")

    def _words(self, at_ms: int | None) -> str:
        return clock_words(at_ms, self._following.knowledge.center.time_zone)


async def _open_replica(folder: DataFolder, keys: DeviceKeys, luck: Luck) -> Replica:
    incarnation = random_uuid(luck)

    def open_now() -> Replica:
        replica = Replica(Database.open(folder.replica, keys.replica_key))
        try:
            replica.prepare(device_id=keys.device_id, center_id=keys.center_id, incarnation=incarnation)
        except StoreError:
            replica.database.close_now()
            raise
        return replica

    return await asyncio.to_thread(open_now)


async def _follow(replica: Replica, keys: DeviceKeys, clock: Clock) -> Following:
    following = Following(replica, keys, clock)
    try:
        await following.load()
    except BaseException:
        await replica.database.close()
        raise
    return following


def _keep_contact(replica: Replica, heard_ms: int) -> None:
    with replica.database.transaction():
        replica.progress.note_contact(wall_ms=heard_ms, clock=None)
