"""Everything of one seed, wired together: timeline, luck, server, desks, people, faults and checkers."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.simulation.checkers import Checkers
from tests.simulation.device import Device
from tests.simulation.link import Link
from tests.simulation.luck import Luck
from tests.simulation.model_store import ModelServerStore
from tests.simulation.people import Office
from tests.simulation.plan import Lane, Plan
from tests.simulation.server import Server
from tests.simulation.signatures import keyed_hash, private_key
from tests.simulation.timeline import Timeline
from tests.simulation.trace import Trace
from tests.simulation.truth import Truth

StoreMaker = Callable[["World", str], Any]
"""Makes the store of a centre by its id."""

# Monday 2026-03-02 07:00 UTC: the moment at which every seed begins.
DAWN_WALL_MS = 1_772_434_800_000


class World:
    """One run. Nothing in it is shared with another one."""

    def __init__(
        self,
        plan: Plan,
        show: Callable[[str], None] | None = None,
        folder: Path | None = None,
        server_store: StoreMaker | None = None,
    ) -> None:
        self.plan = plan
        self.timeline = Timeline()
        self.trace = Trace(self.timeline, show)
        self.ids = self.luck("ids")
        self.checkers = Checkers(self)
        self.truth = Truth()
        self.device_store_delay_ms = (0, 6)
        self.is_partitioned = False
        self.revoked_ms: dict[str, int] = {}
        self.links: list[Link] = []
        self._links_made = 0
        self._link_luck = self.luck("links")
        salts = self.luck("salts")
        centers = [self.ids.uuid() for _ in range(plan.centers)]
        make = partial(server_store, self) if server_store else partial(self._store, salts)
        self.stores: dict[str, Any] = {center: make(center) for center in centers}
        self.offices = {center: Office(self, store) for center, store in self.stores.items()}
        self.server = Server(self, self.stores)
        self.devices = [
            Device(self, f"desk-{index}", centers[index % len(centers)], folder) for index in range(plan.devices)
        ]

    def _store(self, salts: Luck, center_id: str) -> ModelServerStore:
        store = ModelServerStore(
            center_id,
            epoch=self.ids.uuid(),
            salt=salts.octets,
            wall_ms=self.true_wall_ms,
            verify=lambda device_id, digest, signature: self.signer(device_id)(digest) == signature,
        )
        store.page_changes_max = self.plan.page_changes_max
        store.part_records_max = self.plan.part_records_max
        store.snapshot_lag_max = self.plan.snapshot_lag_max
        return store

    def luck(self, concern: str) -> Luck:
        """The luck of one concern of this seed."""
        return Luck(self.plan.seed, concern)

    def true_wall_ms(self) -> int:
        """The time that a perfect clock would show."""
        return DAWN_WALL_MS + self.timeline.now_ms

    def signer(self, device_id: str) -> Callable[[bytes], bytes]:
        """The signature of a device."""
        return private_key(device_id).sign if self.plan.lane is Lane.POSTGRES else keyed_hash(device_id)

    def round_trip_ms(self, luck: Luck) -> int:
        """How long a link takes to be opened."""
        low, high = self.plan.link_delay_ms
        return luck.between(low, high) + luck.between(low, high)

    def connect(self, device: Device) -> Link | None:
        """Open a link, or None when nobody answers."""
        if not self.server.is_up or device.is_partitioned or device.is_away:
            return None
        self._links_made += 1
        link = Link(f"link-{self._links_made}", self.timeline, self._link_luck, self.plan.link_delay_ms)
        self.links.append(link)
        self.trace.note(device.name, f"opens {link.name}")
        self.trace.counts["links"] += 1
        self.server.accept(link, device)
        return link

    def break_link(self, link: Link, luck: Luck) -> None:
        """One end died: what it sent may arrive late, in part or never, and the other end is told or not."""
        for pipe in (link.up, link.down):
            kept_frames = luck.pick((0, 1, 3, 1_000))
            pipe.cut(kept_frames=kept_frames, tell=luck.chance(0.8), lag_ms=luck.pick((0, 200, 5_000, 20_000)))

    def reboot_later(self, device: Device) -> None:
        """Bring a crashed desk back after a while."""
        self.timeline.after(device.luck.between(200, 10_000), lambda: None if device.is_up else device.boot())
