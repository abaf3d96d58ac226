"""The faults: each is one method that does it once; a seed calls those its plan names, again and again."""

from collections.abc import Callable
from functools import partial

from sync import events as on
from tests.simulation.crashes import POINTS
from tests.simulation.desk_store import CrashingDatabase, copy_database
from tests.simulation.device import Device
from tests.simulation.disk import CrashDisk
from tests.simulation.luck import Luck
from tests.simulation.model_store import CenterState
from tests.simulation.people import Visitors
from tests.simulation.plan import AWAY, LASTING, Strike
from tests.simulation.world import World

DAY_MS = 86_400_000
BACKUP_EVERY_MS = 8_000
COPY_EVERY_MS = 8_000
SHORT_LEASE_MS = 8_000
LEASE_OF_DAYS_MS = 3 * DAY_MS
# More would only make the run longer.
TWINS_MAX = 2
VISITS_AT_A_TWIN = 4


class Turmoil:
    """Does faults until it is told to stop, and then undoes what would not heal by itself."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.luck = world.luck("faults")
        self.is_over = False
        self._twins = 0
        self._backups: dict[str, CenterState] = {}
        self._copies: dict[str, CrashingDatabase] = {}
        self._set_the_scene()
        for strike in world.plan.strikes:
            world.timeline.at(strike.at_ms, partial(self._strike, strike))
        for absence in world.plan.absences:
            until_ms = min(absence.until_ms, world.plan.turmoil_ms)
            world.timeline.at(absence.at_ms, partial(self._away, world.devices[absence.desk], until_ms))
        if world.plan.has("server_restored_from_backup"):
            self._back_up()
        if world.plan.has("replica_set_back"):
            world.timeline.after(COPY_EVERY_MS, self._copy_replicas)

    def stop(self) -> None:
        """The end of all faults. Links that are half open stay so: the sessions must notice by themselves."""
        world = self.world
        self.is_over = True
        world.trace.note("HEALING", "faults end")
        world.server.points.disarm()
        world.server.breaks_next_commit.clear()
        world.server.hangs_next = 0
        for link in world.links:
            link.up.swallow_next = link.down.swallow_next = False
        world.server.store_delay_ms = (1, 15)
        world.server.boot()
        for store in world.stores.values():
            store.is_down = False
        for device in world.devices:
            device.points.disarm()
            device.is_partitioned, device.tries.away_until_ms = False, 0
            device.heal()
            device.disk.heal()
            if device.is_rotten:
                # Nothing looks at a bucket that nobody touches; the next Hello does.
                device.crash()
            if not device.is_up:
                device.boot()

    def _set_the_scene(self) -> None:
        plan, world = self.world.plan, self.world
        for lasting in sorted(LASTING):
            if plan.has(lasting):
                self._note(lasting)
        world.server.loses_hints = plan.has("hints_lost")
        if plan.has("clock_skew"):
            for device in world.devices:
                device.skew_ms = self._skew()
        if plan.has("device_store_slow"):
            world.device_store_delay_ms = (0, 1_500)
        if plan.has("server_store_slow"):
            world.server.store_delay_ms = (5, 4_000)
        if plan.has("lease_short"):
            for store in world.stores.values():
                store.lease_ms = LEASE_OF_DAYS_MS if plan.has("weeks") else SHORT_LEASE_MS

    def _strike(self, strike: Strike) -> None:
        if not self.is_over:
            self.luck = Luck(self.world.plan.seed, f"strike {strike.number}")
            getattr(self, f"_{strike.fault}")()

    def _later(self, low_ms: int, high_ms: int, action: Callable[[], None]) -> None:
        self.world.timeline.after(self.luck.between(low_ms, high_ms), action)

    def _device(self) -> Device:
        return self.luck.pick([device for device in self.world.devices if not device.is_destroyed])

    def _note(self, kind: str, detail: str = "") -> None:
        self.world.trace.fault(kind, detail)

    # -- links

    def _cut(self, kind: str, *, kept_frames: int, tell: bool, lag_ms: int) -> None:
        device = self._device()
        if device.link is None:
            return
        self._note(kind, device.link.name)
        device.link.down.cut(kept_frames=0, tell=True, lag_ms=0)
        device.link.up.cut(kept_frames=kept_frames, tell=tell, lag_ms=lag_ms)

    def _link_cut_told(self) -> None:
        self._cut("link_cut_told", kept_frames=0, tell=True, lag_ms=0)

    def _link_cut_bytes_arrive_later(self) -> None:
        lag_ms = self.luck.between(0, 20_000)
        kept = self.luck.pick((1, 2, 1_000))
        self._cut("link_cut_bytes_arrive_later", kept_frames=kept, tell=self.luck.chance(0.5), lag_ms=lag_ms)

    def _link_cut_half_open(self) -> None:
        device = self._device()
        if device.link is not None:
            self._note("link_cut_half_open", device.link.name)
            self.luck.pick((device.link.stall, device.link.stall_up, device.link.stall_down))()

    def _link_stalled_then_resumed(self) -> None:
        link = self._device().link
        if link is not None:
            self._note("link_stalled_then_resumed", link.name)
            link.stall()
            self._later(500, 30_000, link.resume)

    def _partition(self) -> None:
        device = self._device()
        self._note("partition", device.name)
        device.is_partitioned = True
        if device.link is not None:
            device.link.stall()
            if self.luck.chance(0.5):
                self._later(1_000, 30_000, device.link.resume)
        self._later(1_000, 30_000, lambda: setattr(device, "is_partitioned", False))

    def _away(self, device: Device, until_ms: int) -> None:
        """No network reaches a desk for hours, days or weeks; then it does."""
        if self.is_over:
            return
        device.tries.away_until_ms = until_ms
        self._note(AWAY, device.name)
        if device.link is not None:
            device.link.stall()

    def _frame_swallowed(self) -> None:
        """Software between the two loses one frame out of the middle; the protocol must notice the hole."""
        link = self._device().link
        if link is not None:
            self._note("frame_swallowed", link.name)
            self.luck.pick((link.up, link.down)).swallow_next = True

    # -- desks

    def _device_crash(self) -> None:
        device = self._device()
        if device.is_up:
            self._note("device_crash", device.name)
            device.crash()
            self.world.reboot_later(device)

    def _device_crash_at_a_point(self) -> None:
        device = self._device()
        point = self.luck.pick([name for name in POINTS if name.startswith("device")])
        self._note("device_crash_at_a_point", f"{device.name} {point}")
        device.points.arm(point, self.luck.between(0, 5))

    def _device_store_fails(self) -> None:
        device = self._device()
        self._note("device_store_fails", device.name)
        device.fail_next_write()

    def _power_lost_at_a_sync(self) -> None:
        device = self._device()
        point = self.luck.pick([name for name in POINTS if name.startswith("disk")])
        self._note("power_lost_at_a_sync", f"{device.name} {point}")
        device.points.arm(point, self.luck.between(0, 9))

    def _disk_sync_fails(self) -> None:
        disk = self._device().disk
        if isinstance(disk, CrashDisk):
            self._note("disk_sync_fails")
            disk.fails_syncs += self.luck.between(1, 2)

    def _disk_full(self) -> None:
        disk = self._device().disk
        if isinstance(disk, CrashDisk):
            self._note("disk_full")
            disk.is_full = True
            self._later(500, 20_000, lambda: setattr(disk, "is_full", False))

    def _device_paused(self) -> None:
        device = self._device()
        self._note("device_paused", device.name)
        device.pause(self._nap_ms())

    def _nap_ms(self) -> int:
        left_ms = max(1, self.world.plan.turmoil_ms - self.world.timeline.now_ms)
        return min(left_ms, self.luck.between(500, 60_000))

    def _clock_jump(self) -> None:
        device = self._device()
        self._note("clock_jump", device.name)
        device.skew_ms = self._skew()

    def _skew(self) -> int:
        size = self.luck.pick((1_000, 60_000, 3_600_000, DAY_MS, 400 * DAY_MS, 60 * 365 * DAY_MS))
        return self.luck.between(-size, size)

    def _new_incarnation(self) -> None:
        device = self._device()
        if device.is_up and device.database.is_open and device.replica.journal.queue_depth() == 0:
            self._note("new_incarnation", device.name)
            device.replace_replica()
            self.world.reboot_later(device)

    def _device_cloned(self) -> None:
        """Somebody copies the machine: two desks say that they are one."""
        device = self._device()
        if self._twins < TWINS_MAX and device.is_up and not device.is_rotten and device.id not in self.world.revoked_ms:
            self._twins += 1
            name = f"{device.name}-twin-{self._twins}"
            self._note("device_cloned", name)
            twin = Device(self.world, name, device.center_id, None, twin=device)
            self.world.devices.append(twin)
            visitors = Visitors(self.world, twin)
            for number in range(VISITS_AT_A_TWIN):
                self._later(1, 20_000, partial(visitors.press, number))

    def _copy_replicas(self) -> None:
        for device in self.world.devices:
            if device.is_up and not device.is_rotten and not device.is_destroyed:
                copy = CrashingDatabase.make(None, lambda _point: None)
                copy_database(device.database, copy)
                self._copies[device.name] = copy
        if not self.is_over:
            self.world.timeline.after(COPY_EVERY_MS, self._copy_replicas)

    def _replica_set_back(self) -> None:
        device = self._device()
        copy = self._copies.get(device.name)
        if copy is not None and device.is_up:
            self._note("replica_set_back", device.name)
            device.set_back(copy)
            self.world.reboot_later(device)

    def _record_rots(self) -> None:
        device = self._device()
        if device.is_up and device.database.is_open:
            self._note("record_rots", device.name)
            device.rot()

    def _device_revoked(self) -> None:
        """A manager revokes one device, which may know nothing of it for a while."""
        device = self._device()
        if not self.world.revoked_ms:
            self._note("device_revoked", device.name)
            self.world.revoked_ms[device.id] = self.world.timeline.now_ms

    # -- the server

    def _log_compacted(self) -> None:
        for store in self.world.stores.values():
            horizon = store.state.head.version if self.world.plan.has("weeks") and self.luck.chance(0.3) else 0
            self._note("log_compacted", f"up to {store.compact(horizon)}")

    def _server_overloaded(self) -> None:
        self._note("server_overloaded")
        self.world.server.tell_all(on.Overloaded(self.luck.between(100, 9_000)))

    def _server_crash(self) -> None:
        if self.world.server.is_up:
            self._note("server_crash")
            self.world.server.crash()

    def _server_machine_lost(self) -> None:
        if self.world.server.is_up:
            self._note("server_machine_lost")
            self.world.server.crash(machine_lost=True)

    def _server_crash_at_a_point(self) -> None:
        point = self.luck.pick([name for name in POINTS if name.startswith("server")])
        self._note("server_crash_at_a_point", point)
        self.world.server.points.arm(point, self.luck.between(0, 3))

    def _server_store_down(self) -> None:
        self._note("server_store_down")
        for store in self.world.stores.values():
            store.is_down = True
        self._later(500, 15_000, self._server_store_up)

    def _server_store_up(self) -> None:
        for store in self.world.stores.values():
            store.is_down = False

    def _server_commit_unknown(self) -> None:
        self._note("server_commit_unknown")
        self.world.server.breaks_next_commit.append(self.luck.chance(0.5))

    def _server_store_hangs(self) -> None:
        self._note("server_store_hangs")
        self.world.server.hangs_next += 1

    def _server_paused(self) -> None:
        self._note("server_paused")
        self.world.server.pause(self._nap_ms())

    def _back_up(self) -> None:
        self._backups = {center: store.state for center, store in self.world.stores.items()}
        if not self.is_over:
            self.world.timeline.after(BACKUP_EVERY_MS, self._back_up)

    def _server_restored_from_backup(self) -> None:
        self._note("server_restored_from_backup")
        self.world.server.crash()
        for center_id, store in self.world.stores.items():
            epoch = self.luck.uuid()
            store.restore(self._backups.get(center_id, store.state), epoch)
            self.world.checkers.server_restored(center_id)
        if self.luck.chance(0.5):
            self._desk_burns()

    def _desk_burns(self) -> None:
        """What destroyed the server destroyed a desk too: only the replicas of others still know what it recorded."""
        device = self._device()
        if device.is_up and device.database.is_open and device.id not in self.world.revoked_ms:
            self._note("new_incarnation", device.name)
            device.replace_replica()
            self.world.reboot_later(device)

    def _drain(self) -> None:
        self._note("drain")
        self.world.server.drain()

    def _rights_lost(self) -> None:
        if self.world.server.connections:
            self._note("rights_lost")
            self.world.server.lose_rights(self.luck.pick(self.world.server.connections))
