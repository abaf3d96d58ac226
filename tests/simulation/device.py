"""A desk: the shipped store and session, a person who presses, and a shell that dials again and again."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiosk.link.device_store import perform_store
from kiosk.store.errors import StorageFailed, StoreError
from kiosk.store.pen import Pen
from kiosk.store.progress import Progress
from kiosk.store.replica import Replica
from sync import effects as do
from sync import events as on
from sync.device_session import DeviceSession
from sync.driver import LANE_DRAIN_S
from sync.errors import NEEDS_A_PERSON, CloseCode
from sync.journal import Draft, Entry
from sync.messages import proof_material
from tests.simulation.books import said_by
from tests.simulation.crashes import Crash, CrashPoints
from tests.simulation.desk_store import CrashingDatabase, copy_database
from tests.simulation.dialling import DIAL_TIMEOUT_MS, Tries
from tests.simulation.disk import CrashDisk, MemoryDisk
from tests.simulation.link import Link
from tests.simulation.loop import SessionLoop
from tests.simulation.shown import begins_another_life, check_nothing_vanished, events_shown
from tests.simulation.tidying import TIDY_EVERY_MS, tidy
from tests.simulation.worker import StoreWorker

if TYPE_CHECKING:
    from tests.simulation.world import World


class Device:
    """One desk of one centre. What is durable is in `database`; everything else is lost in a crash.

    A twin is the same device a second time, on a copy of its replica: somebody cloned the machine.
    """

    def __init__(
        self, world: "World", name: str, center_id: str, path: Path | None, *, twin: "Device | None" = None
    ) -> None:
        self.world = world
        self.name = name
        self.center_id = center_id
        self.id: str = world.ids.uuid() if twin is None else twin.id
        self.incarnation: str = world.ids.uuid() if twin is None else twin.incarnation
        self.luck = world.luck(f"device {name}")
        self.is_destroyed = False
        self.is_rotten = False
        self.heard_ms: int | None = None
        self.skew_ms = 0
        self.boots = 0
        self.is_up = False
        self.is_partitioned = False
        self.person_needed = ""
        self.paused_until_ms = 0
        self.told: list[Entry] = []
        self.points = CrashPoints(name, world.trace)
        self.phase: do.NotePhase | None = None
        self.link: Link | None = None
        self.loop: SessionLoop | None = None
        self.links_opened = 0
        self._generation = 0
        self.tries = Tries()
        self._fails_next = 0
        disk_luck = world.luck(f"disk {name}")
        reach = self.points.reach
        self.disk = MemoryDisk(reach) if path is None else CrashDisk(path / name, disk_luck, reach)
        self.database = self.disk.open()
        if twin is not None:
            copy_database(twin.database, self.database)
            held = said_by(self)
            self.told = [entry for entry in twin.told if (entry.event_id, entry.body) in held]
        self.boot()

    # -- the process

    def boot(self) -> None:
        """Start the program on whatever the disk holds; without its keys it is no desk any more."""
        if self.is_destroyed:
            return
        self.boots += 1
        self.heard_ms = None
        self._generation += 1
        self.is_up = True
        self.worker = StoreWorker(self.world.timeline, self.luck)
        self.worker.delay_ms = self.world.device_store_delay_ms
        self.points.disarm()
        self.pen = Pen(
            sign=self.world.signer(self.id),
            new_id=self.luck.uuid,
            monotonic_ms=lambda: self.world.timeline.now_ms,
            boot_id=f"{self.name}-{self.boots}",
        )
        self.replica = Replica(self.database)
        try:
            self.replica.prepare(device_id=self.id, center_id=self.center_id, incarnation=self.incarnation)
        except StoreError as error:
            self.world.trace.note(self.name, f"cannot start: {error}")
            self.is_up = False
            self.world.reboot_later(self)
            return
        self.world.checkers.device_booted(self)
        self._dial_after(self.luck.between(0, 500))
        self.after(TIDY_EVERY_MS, lambda: tidy(self))

    def crash(self) -> None:
        """Lose power: whatever was not committed is gone."""
        if not self.is_up:
            return
        self.world.trace.note(self.name, "loses power")
        self.is_up = False
        self._generation += 1
        self.worker.stop()
        if self.loop is not None:
            self.loop.stop()
        if self.link is not None:
            self.world.break_link(self.link, self.luck)
        self.link = self.loop = self.phase = None
        self.points.disarm()
        self.database = self.disk.lose_power(self.database)

    def replace_replica(self) -> None:
        """A manager replaces the desk's disk: same device, an empty replica, a new incarnation."""
        self.crash()
        self.incarnation = self.world.ids.uuid()
        self.database = self.disk.replace(self.database)
        self.is_rotten = False
        self.world.checkers.replica_replaced(self)

    def set_back(self, copy: CrashingDatabase) -> None:
        """Somebody restores an older copy of the replica."""
        self.crash()
        self.database = self.disk.replace(self.database)
        copy_database(copy, self.database)
        self.is_rotten = False
        self.world.checkers.replica_set_back(self)

    def rot(self) -> None:
        """A record is gone, and nothing in the program did it."""
        rows = self.database.fetch_all("SELECT entity, entity_id FROM record ORDER BY entity, entity_id")
        if rows:
            entity, entity_id = self.luck.pick(rows)
            self.world.trace.note(self.name, f"loses record {entity} {entity_id[:8]}")
            self.is_rotten = True
            self.database.fetch_all("DELETE FROM record WHERE entity = ? AND entity_id = ?", (entity, entity_id))

    def pause(self, duration_ms: int) -> None:
        """Stop the process for a while (a lid is closed)."""
        self.paused_until_ms = self.world.timeline.now_ms + duration_ms
        self.worker.paused_until_ms = self.paused_until_ms
        if self.loop is not None:
            self.loop.paused_until_ms = self.paused_until_ms

    def heal(self) -> None:
        """No more faults of this machine; a pause runs out by itself."""
        self._fails_next = 0
        self.worker.delay_ms = self.world.device_store_delay_ms = (0, 6)

    def fail_next_write(self) -> None:
        """The disk refuses once."""
        self._fails_next += 1

    def wall_ms(self) -> int:
        """What this desk's clock claims."""
        return self.world.true_wall_ms() + self.skew_ms

    # -- the person

    def press(self, child_id: str, draft: Callable[[Progress], Draft]) -> None:
        """Somebody presses for a child: an entry is written and, once durable, shown as recorded.

        `draft` makes the entry once the desk knows where it stands.
        """
        if not self.is_up or self.person_needed or self.is_destroyed:
            return
        self.submit(lambda: self._record(child_id, draft), self._tell)

    def _record(self, child_id: str, draft: Callable[[Progress], Draft]) -> Entry:
        if self.is_destroyed:
            raise StoreError("the keys are gone")
        entry: Entry | None = None
        try:
            with self.database.transaction():
                self.replica.progress.advance_ratchet(
                    monotonic_ms=self.world.timeline.now_ms, boot_id=self.pen.boot_id, wall_ms=self.wall_ms()
                )
                entry = self.replica.journal.append(draft, self.pen.sign, child_id=child_id)
        except StoreError:
            # As `write_down` of the desk: a COMMIT that failed may have taken effect; the file, opened again, knows.
            if entry is None or self.replica.journal.find(entry.event_id) is None:
                raise
        self.world.trace.counts["entries"] += 1
        self.world.trace.note(self.name, f"writes entry {entry.seq} ({entry.kind})")
        return entry

    def _tell(self, result: Any) -> None:
        if isinstance(result, StoreError):
            self.world.trace.note(self.name, "refuses to record")
            if (
                isinstance(result, StorageFailed) and self.loop is not None
            ):  # it may be there, and the next link sees it
                self.loop.deliver(on.LinkClosed())
            return
        self._reach("device: before the person is told")
        if not self.is_up:
            return
        self.told.append(result)
        if self.loop is not None:
            self.loop.deliver(on.EntryRecorded(result.seq, result.incarnation))

    def _reach(self, point: str) -> None:
        try:
            self.points.reach(point)
        except Crash:
            self._crash_and_come_back()

    def _crash_and_come_back(self) -> None:
        self.crash()
        self.world.reboot_later(self)

    def submit(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Do work on the store's thread; `done` gets the result or the `StoreError`."""

        def guarded() -> Any:
            if self._fails_next:
                self._fails_next -= 1
                return StoreError("the disk refuses")
            try:
                result = work()
            except StoreError as error:
                return error
            except Crash:
                self._crash_and_come_back()
                return None
            if not self.is_destroyed:
                self.world.checkers.device_stored(self)
            return result

        self.worker.submit(guarded, done)

    # -- the link

    @property
    def is_away(self) -> bool:
        """Whether no network reaches this desk for hours, days or weeks."""
        return self.world.timeline.now_ms < self.tries.away_until_ms

    def after(self, delay_ms: int, action: Callable[[], object]) -> None:
        """Do something later, unless this process is dead by then."""
        generation = self._generation

        def act() -> None:
            if generation == self._generation:
                action()

        self.world.timeline.after(delay_ms, act)

    def _dial_after(self, wait_ms: int) -> None:
        pause_ms = self.paused_until_ms - self.world.timeline.now_ms
        self.after(max(wait_ms, pause_ms), self._dial)

    def _dial(self) -> None:
        if self.person_needed or self.is_destroyed:
            return
        self.world.trace.note(self.name, "dials")
        if self.is_partitioned or self.is_away:
            self.after(DIAL_TIMEOUT_MS, self._failed)
        else:
            self.after(self.world.round_trip_ms(self.luck), self._connect)

    def _failed(self) -> None:
        wait_ms = self.tries.failed(self.world.timeline.now_ms, self.luck.fraction)
        self._dial_after(wait_ms)

    def _connect(self) -> None:
        link = self.world.connect(self)
        if link is None:
            self._failed()
            return
        self.links_opened += 1
        self.link = link
        now_ms = self.world.timeline.now_ms
        session = DeviceSession(app_version="0.1", schema_version=1, now_ms=now_ms)
        loop = SessionLoop(session, self.world.timeline, self._carry_out, self._start)
        self.loop = loop
        loop.paused_until_ms = self.paused_until_ms
        loop.when_ended = lambda: self._ended(loop)
        loop.when_room = link.down.pump
        link.down.receive = loop.offer_frame
        link.down.ended = lambda code: self._link_closed(link, loop, code)
        loop.deliver(on.LinkOpened())

    def _link_closed(self, link: Link, loop: SessionLoop, code: CloseCode | None) -> None:
        link.up.close(None)
        if loop is self.loop and loop.is_running and code in NEEDS_A_PERSON:
            self._needs_person(f"server closed with {code!r}")
        loop.deliver(on.LinkClosed())

    def _needs_person(self, why: str) -> None:
        self.person_needed = why
        self.world.trace.note(self.name, f"needs a person: {why}")

    def _carry_out(self, effect: Any) -> None:
        link, loop = self.link, self.loop
        if link is None or loop is None:
            return
        match effect:
            case do.SendFrame(frame):
                self.world.checkers.device_sent(self, link, frame)
                if not link.up.is_open:
                    loop.deliver(on.LinkClosed())
                link.up.send(frame)
            case do.CloseLink(code, reason):
                self.world.trace.note(self.name, f"closes {link.name}: {code.name} {reason}")
                self.world.checkers.device_closed(self, code, reason)
                link.up.close(code)
                if code in NEEDS_A_PERSON:
                    self._needs_person(f"{code.name}: {reason}")
            case do.NotePhase():
                self.phase = effect
                self.tries.failures = 0
            case do.NoteClock():
                self.submit(lambda: self._perform(effect), lambda result: self._clock_noted(loop, result))
            case do.SignChallenge(nonce):
                signature = self.pen.sign(proof_material(self.id, nonce))
                loop.deliver(on.ChallengeSigned(nonce, signature))
            case do.KeepAdvice(wait_ms):
                self.tries.advised_ms = wait_ms

    def _clock_noted(self, loop: SessionLoop, result: Any) -> None:
        if isinstance(result, on.ClockNoted):
            loop.deliver(result)

    def _perform(self, effect: Any) -> Any:
        """As the live store: the keys of a revoked device are gone before its replica is."""
        if not isinstance(effect, do.DestroyReplica):
            return self._noted_clock(effect) if isinstance(effect, do.NoteClock) else self._stored(effect)
        told = said_by(self)
        event = perform_store(effect, self.replica, wall_ms=self.wall_ms(), pen=self.pen, destroy_keys=self._destroy)
        if self.is_destroyed:
            self.world.checkers.device_destroys_itself(self, told)
        return event

    def _stored(self, effect: Any) -> Any:
        before = events_shown(self) if begins_another_life(effect) else set()
        event = perform_store(effect, self.replica, wall_ms=self.wall_ms(), pen=self.pen)
        if before:
            check_nothing_vanished(self, before)
        if isinstance(effect, do.StoreSnapshotPart) and effect.part.part == effect.part.parts:
            self.world.checkers.snapshot_stored(self, effect.part.bucket)
        return event

    def _noted_clock(self, effect: do.NoteClock) -> Any:
        """When the lease was renewed is unknown while it is, for a COMMIT that fails may have done so all the same."""
        heard_ms, self.heard_ms = self.heard_ms, None
        event = self._stored(effect)
        self.heard_ms = self.world.timeline.now_ms if effect.lease_ms else heard_ms
        return event

    def _destroy(self) -> None:
        self.is_destroyed = True

    def _start(self, effect: Any, done: Callable[[Any], None]) -> None:
        self.world.trace.note(self.name, f"begins {type(effect).__name__}")

        def finished(result: Any) -> None:
            failed = isinstance(result, StoreError)
            if failed:
                self.world.trace.note(self.name, f"{type(effect).__name__} failed: {result}")
            done(on.StoreFailed(effect.lane, "the store failed") if failed else result)
            self._drained()

        self.submit(lambda: self._perform(effect), finished)

    def _ended(self, loop: SessionLoop) -> None:
        """The session is over: wait until its store effects are, then dial again."""
        self.world.trace.note(self.name, "has no link")
        self.phase = None
        if self.link is not None:
            self.link.up.close(None)
        self.link = None

        def give_up_waiting() -> None:
            if self.loop is loop:
                self._over()

        self.after(int(LANE_DRAIN_S * 1000), give_up_waiting) if loop.lanes_busy else self._over()

    def _drained(self) -> None:
        loop = self.loop
        if loop is not None and not loop.is_running and not loop.lanes_busy:
            self._over()

    def _over(self) -> None:
        self.loop = None
        if not self.person_needed:
            self._failed()
