"""The desk as its user sees it: a roster, check-in and check-out that work with no network, and messages."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from kiosk.clock import Clock, Ids, Luck, SystemClock
from kiosk.keys import DeviceKeys, write_keys
from kiosk.link.device_store import DeviceStore, News, ReplicaDestroyed
from kiosk.link.door_keys import with_door_keys
from kiosk.link.runner import LinkRunner
from kiosk.log import Log
from kiosk.messages import DeskStatus, EntrySettled, Mark, Quarantined, Resync
from kiosk.services import roster as rosters
from kiosk.services.building import Building
from kiosk.services.children import is_known
from kiosk.services.counter import Counter
from kiosk.services.door import Door
from kiosk.services.errors import LOCAL_ERRORS, DeskError, desk_error
from kiosk.services.following import Following, settled_message
from kiosk.services.keyring import Keyring
from kiosk.services.knowledge import is_of_a_child
from kiosk.services.movements import Movements
from kiosk.services.opening import OpenFolder, Say, open_again, open_folder
from kiosk.services.pins import PinCheck, PinStore
from kiosk.services.recorder import DeskParts, Recorded, Recorder, Surface
from kiosk.services.recording import Wish
from kiosk.services.refusals import Refusals
from kiosk.services.revocation import Burial, clear_away
from kiosk.services.roster import Collector, RosterLine
from kiosk.services.subscription import Subscription
from kiosk.services.timekeeping import Passage, StepWatch, keep_contact, moment_of, pass_time
from kiosk.settings import DataFolder, DoorSettings, LinkSettings
from kiosk.store.errors import ReplicaUnreadable, StorageFailed, StorageFull, StoreError
from kiosk.store.journal import OwnEntry
from kiosk.store.replica import Replica
from sync.digest import digests
from sync.driver import StoreUnavailable

T = TypeVar("T")

log = Log()

__all__ = ["Collector", "Desk", "DeskError", "Mark", "Recorded", "RosterLine", "Wish"]


class Desk:
    """One enrolled desk, open for use by one program. Make it with `Desk.open`."""

    def __init__(self, opened: OpenFolder, following: Following, clock: Clock, luck: Luck, link: LinkSettings) -> None:
        self._opened = opened
        self._replica = opened.replica
        self._following = following
        self._refusals = Refusals(following)
        self._clock = clock
        self._steps = StepWatch()
        self._settings = link
        self._burial = Burial(opened.folder, opened.keys, opened.replica, clock)
        store = self._store()
        self._runner = LinkRunner(opened.keys, store, following.link_changed, clock=clock, luck=luck, settings=link)
        following.server_version = lambda: self._runner.tokens.server_version
        self._damage = asyncio.Event()
        self._is_in_doubt = False
        surface = Surface(self._offer, self._refusal)
        ids = Ids(clock, luck)
        self._recorder = Recorder(following, self._refusals, ids, self._steps, surface)
        self._recorder.use(opened, self._burial)
        self.parts = DeskParts(following, self._refusals, self._recorder)
        self._movements = Movements(self.parts)
        self.building = Building(self.parts, lambda: self._opened, ids.new)
        self.keyring = Keyring(opened.keys, following, self._fetch_keys, self._keep_keys)
        check = PinCheck(PinStore(lambda: self._replica, self._ask, self._note_time))
        self.door = Door(following, check, DoorSettings(), self.keyring.pepper)
        self.counter = Counter(self.parts, self.door, self.keyring.family_key, opened.keys, ids.new)
        self.counter.arrived = self.building.labels.arrived
        self.counter.were_printed = self.building.labels.were_printed
        self.building.labels.staff_id = lambda: self.door.state().staff_id

    @classmethod
    async def open(
        cls,
        data_dir: Path,
        *,
        clock: Clock | None = None,
        luck: Luck = secrets.token_bytes,
        link_settings: LinkSettings | None = None,
        door_settings: DoorSettings | None = None,
        say: Say = lambda _: None,
    ) -> "Desk":
        """Open the desk in this folder; it works at once, with or without a network.

        A replica that is damaged is set aside and made anew (`quarantined` tells of it); `say` hears what takes time.

        Raises:
            DeskError: not_enrolled, revoked, keys_unreadable, wrong_keys, replica_in_use, replica_too_new,
                storage_full or storage_failed.

        """
        used_clock = clock or SystemClock()
        try:
            opened = await open_folder(DataFolder(Path(data_dir)), used_clock, luck, say)
        except LOCAL_ERRORS as error:
            raise desk_error(error) from error
        try:
            following = Following(opened.replica, opened.keys, used_clock)
            desk = cls(opened, following, used_clock, luck, link_settings or LinkSettings())
            desk.door.settings = door_settings or DoorSettings()
            with contextlib.suppress(StorageFull):  # what is there can be read all the same
                await desk._pass_time()
            await following.load()
        except BaseException as error:
            await opened.replica.database.close()
            opened.lock.release()
            if isinstance(error, LOCAL_ERRORS):
                raise desk_error(error) from error
            raise
        return desk

    def _store(self) -> DeviceStore:
        opened = self._opened
        return DeviceStore(opened.replica, self._hear, self._clock.wall_ms, opened.pen, self._burial.destroy_keys)

    async def close(self) -> None:
        """Close the files and let another program have them. Cancel `run_link` first."""
        heard_ms = self._following.heard_ms
        self._following.hub.close()
        try:
            if heard_ms is not None:
                await self._replica.database.run(lambda: keep_contact(self._replica, heard_ms))
            await self._replica.database.close()
        except StoreError:
            await self._replica.database.close()
        finally:
            self._opened.lock.release()

    async def run_link(self) -> None:
        """Keep in touch with the server, and let time pass, until cancelled or revoked; nothing else ends it."""
        works = (self._make_rounds(), self.keyring.run(), self.building.labels.run())
        beside = [asyncio.create_task(work) for work in works]
        try:
            await self._runner.run()
        finally:
            for one in beside:
                one.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    def hurry(self) -> None:
        """Try to reach the server now instead of waiting."""
        self._runner.hurry()

    async def _make_rounds(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.round_interval_ms / 1000):
                    await self._damage.wait()
            self._damage.clear()
            try:
                await self._make_round()
            except StoreError as error:
                log.warning("round_failed", reason=type(error).__name__)

    async def _make_round(self) -> None:
        try:
            await self._note_time()
        except ReplicaUnreadable:
            if not self._burial.last_words:
                await self._repair()
            return
        if self._is_in_doubt:
            await self._following.reload()
            self._is_in_doubt = False
            self._runner.look_again()

    async def _repair(self) -> None:
        """A damaged page was read in the middle of work: go on with what can be proved, and fetch the rest anew."""
        async with self._recorder.one_at_a_time:
            self._opened = await open_again(self._opened, self._clock)
            self._replica = self._opened.replica
            self._burial = Burial(self._opened.folder, self._opened.keys, self._replica, self._clock)
            self._recorder.use(self._opened, self._burial)
            self._following.follow(self._replica)
            await self._following.load()
            self._runner.use(self._store())
        self._following.hub.publish(Resync())
        if self._opened.quarantined is not None:
            self._following.hub.publish(self._opened.quarantined)

    async def _pass_time(self) -> Passage:
        moment = moment_of(self._clock)
        step_ms = self._steps.step_ms(moment)
        return await self._replica.database.run(lambda: pass_time(self._replica, self._opened.pen, moment, step_ms))

    async def _note_time(self) -> None:
        passage = await self._pass_time()
        self._following.time_passed(passage.progress, passage.noted)
        self._offer(passage.noted)

    async def _fetch_keys(self, keys: DeviceKeys) -> DeviceKeys:
        return await with_door_keys(keys, self._runner.tokens, self._settings.http_timeout_ms)

    async def _keep_keys(self, keys: DeviceKeys) -> None:
        """On the database's thread, as their destruction: never again after it."""

        def write() -> None:
            self._burial.require_keys()
            write_keys(self._opened.folder.keys, keys)

        await self._ask(write)

    def _offer(self, entries: tuple[OwnEntry, ...]) -> None:
        for entry in entries:
            self._runner.entry_recorded(entry.seq, entry.incarnation)

    async def _hear(self, news: News) -> None:
        try:
            await self._following.hear(news)
        except StoreError as error:
            raise StoreUnavailable(type(error).__name__) from error
        if isinstance(news, ReplicaDestroyed):
            try:
                await asyncio.to_thread(clear_away, self._opened.folder)
            except StoreError as error:
                log.warning("remains_not_deleted", reason=str(error))
            self._following.revoked(self._burial.last_words)

    # -- what the desk shows

    async def roster(self) -> tuple[RosterLine, ...]:
        """Today's roster, by room and name; raises DeskError locked or revoked."""
        self._refusals.require_unlocked()
        await self._following.tidy()
        return rosters.roster(self._following.knowledge, self._following.span_of_today())

    async def collectors(self, child_id: str) -> tuple[Collector, ...]:
        """Who may and who must not collect this child; raises DeskError locked, revoked or unknown_child."""
        self._refusals.require_unlocked()
        self._refusals.require_known(child_id)
        return rosters.collectors(self._following.knowledge, child_id, self._following.today())

    async def find_by_name(self, name: str) -> str:
        """The id of the child with exactly this name; raises DeskError locked, unknown_child or ambiguous_name."""
        self._refusals.require_unlocked()
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
        """Whether a child with this id is known here, on file or not."""
        return is_known(self._following.knowledge, child_id)

    def name_of(self, child_id: str) -> str:
        """The name of a child that is known here, or nothing; a locked desk names nobody."""
        return self._refusals.name_of(child_id)

    @property
    def quarantined(self) -> Quarantined | None:
        """What became of a replica that could not be trusted; None: nothing was wrong since this desk was opened."""
        return self._opened.quarantined

    @property
    def last_words(self) -> str:
        """What there is to say of a desk that was revoked; empty while it lives."""
        return self._following.last_words

    # -- what the desk records

    async def check_in(
        self, child_id: str, *, occurred_at_ms: int | None = None, staff_id: str = "", note: str = ""
    ) -> Recorded:
        """Record that a child came; durable when this returns. `occurred_at_ms` None means now.

        A locked desk records too: whoever knows a child's id was told it while the desk was in touch.

        Raises:
            DeskError: revoked, unknown_child, already_in, bad_input, storage_full, storage_failed.

        """
        return await self._movements.check_in(child_id, occurred_at_ms=occurred_at_ms, staff_id=staff_id, note=note)

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
            DeskError: revoked, unknown_child, already_out, unknown_adult, not_authorised, bad_input, storage_full,
                storage_failed.

        """
        who = {"staff_id": staff_id, "adult_id": adult_id, "adult_name": adult_name}
        return await self._movements.check_out(child_id, occurred_at_ms=occurred_at_ms, **who)

    async def record(self, *wishes: Wish) -> tuple[Recorded, ...]:
        """Write anything down, of whatever subject: all of it in one transaction, or none; durable when this returns.

        Nothing is looked at beforehand but whether a server would take it.

        Raises:
            DeskError: revoked, bad_input, storage_full, storage_failed.

        """
        async with self._recorder.one_at_a_time:
            return await self._recorder.record(*wishes)

    # -- for the agent, which must tell each outcome at least once, also after a kill

    async def settled_untold(self, after_answer: int = 0) -> tuple[EntrySettled, ...]:
        """Outcomes after `after_answer` that `mark_told` was not told of; oldest first, at most 500.

        Raises:
            DeskError: storage_failed, replica_unreadable.

        """
        if self.last_words:
            found = tuple(one for one in self._burial.untold if one.answer > after_answer)
        else:
            found = await self._ask(lambda: _untold(self._replica, after_answer))
        return tuple(settled_message(entry) for entry in found if is_of_a_child(entry))

    async def mark_told(self, through_answer: int) -> None:
        """The outcomes up to this one were told; raises DeskError storage_full or storage_failed."""

        def write() -> None:
            with self._replica.database.transaction():
                self._replica.progress.told(through_answer)

        if not self.last_words:
            await self._ask(write)

    async def _ask(self, work: Callable[[], T]) -> T:
        """Work on the store; its failures become refusals."""
        try:
            return await self._replica.database.run(work)
        except StoreError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: StoreError) -> DeskError:
        """What a failure of the store means for whoever asked; damage is repaired right away."""
        if self._burial.last_words:
            return DeskError("revoked", self._burial.last_words)
        if isinstance(error, StorageFailed):
            # What failed may be there all the same: the rounds read the file anew as soon as it can be read.
            self._is_in_doubt = True
            self._damage.set()
        if isinstance(error, ReplicaUnreadable):
            self._damage.set()
            message = "The file of this desk is damaged and is being repaired; look at the roster, then do it again."
            return DeskError("replica_unreadable", message)
        return desk_error(error)


def _untold(replica: Replica, after_answer: int) -> tuple[OwnEntry, ...]:
    """The next run of answers that holds one to what was recorded of a child; those in between tell nobody anything."""
    last = max(replica.progress.read().told_seq, after_answer)
    while run := replica.journal.settled_after(last):
        if any(is_of_a_child(entry) for entry in run):
            return run
        last = run[-1].answer
    return ()
