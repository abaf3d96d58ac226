"""The faults: each is one method that does it once; a seed calls those its plan names, again and again."""

from collections.abc import Callable

from tests.simulation.crashes import POINTS
from tests.simulation.device import Device
from tests.simulation.model_store import CenterState
from tests.simulation.world import World

DAY_MS = 86_400_000
BACKUP_EVERY_MS = 15_000
# These are there from the beginning and not done again and again.
LASTING = ("slow_links", "device_store_slow", "clock_skew", "server_store_slow", "hints_lost")


class Turmoil:
    """Does faults until it is told to stop, and then undoes what would not heal by itself."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.luck = world.luck("faults")
        self.is_over = False
        self._backups: dict[str, CenterState] = {}
        self._actions: tuple[Callable[[], None], ...] = tuple(
            getattr(self, f"_{name}") for name in world.plan.faults if hasattr(self, f"_{name}")
        )
        self._set_the_scene()
        if self._actions:
            self._plan()
        if world.plan.has("server_restored_from_backup"):
            self._back_up()

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
            device.is_partitioned = False
            device.heal()
            if not device.is_up:
                device.boot()

    def _set_the_scene(self) -> None:
        plan, world = self.world.plan, self.world
        for lasting in LASTING:
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

    def _plan(self) -> None:
        wait_ms = self.luck.between(1, 2 * self.world.plan.fault_every_ms)
        self.world.timeline.after(wait_ms, self._strike)

    def _strike(self) -> None:
        if not self.is_over:
            self.luck.pick(self._actions)()
            self._plan()

    def _later(self, low_ms: int, high_ms: int, action: Callable[[], None]) -> None:
        self.world.timeline.after(self.luck.between(low_ms, high_ms), action)

    def _device(self) -> Device:
        return self.luck.pick(self.world.devices)

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
        if device.is_up and device.replica.journal.queue_depth() == 0:
            self._note("new_incarnation", device.name)
            device.replace_replica()
            self.world.reboot_later(device)

    # -- the server

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

    def _drain(self) -> None:
        self._note("drain")
        self.world.server.drain()

    def _rights_lost(self) -> None:
        if self.world.server.connections:
            self._note("rights_lost")
            self.world.server.lose_rights(self.luck.pick(self.world.server.connections))
