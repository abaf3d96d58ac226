"""What one seed will suffer: a random subset of faults (swarm testing), drawn before anything runs."""

import msgspec

from tests.simulation.luck import Luck

# Virtual milliseconds: faults happen in the first part, liveness is judged at the end of the second.
HEALING_MS = 120_000
# A system without faults is brought up to date within this time (the pass bar of the product).
QUIET_MS = 60_000

FAULTS = (
    "link_cut_told",
    "link_cut_bytes_arrive_later",
    "link_cut_half_open",
    "link_stalled_then_resumed",
    "frame_swallowed",
    "partition",
    "slow_links",
    "device_crash",
    "device_crash_at_a_point",
    "device_store_fails",
    "device_store_slow",
    "device_paused",
    "clock_skew",
    "clock_jump",
    "server_crash",
    "server_crash_at_a_point",
    "server_machine_lost",
    "server_store_down",
    "server_commit_unknown",
    "server_store_slow",
    "server_store_hangs",
    "server_paused",
    "server_restored_from_backup",
    "drain",
    "rights_lost",
    "hints_lost",
    "new_incarnation",
)
WORKLOADS = ("poison", "reference_edits", "second_center", "many_presses", "small_pages")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The size of the world and its faults; each fault happens about every `fault_every_ms`."""

    seed: int
    devices: int
    children: int
    centers: int
    turmoil_ms: int
    press_every_ms: int
    fault_every_ms: int
    faults: tuple[str, ...]
    workloads: tuple[str, ...]
    link_delay_ms: tuple[int, int]
    page_changes_max: int
    part_records_max: int
    snapshot_lag_max: int

    def has(self, name: str) -> bool:
        """Whether this seed has the fault or the workload."""
        return name in self.faults or name in self.workloads


def draw(seed: int) -> Plan:
    """The plan of a seed. One seed in ten has no fault at all: what fails there is no matter of luck."""
    luck = Luck(seed, "plan")
    share = luck.pick((0.15, 0.3, 0.3, 0.5, 0.7))
    faults = tuple(name for name in FAULTS if luck.chance(share))
    if luck.chance(0.1):
        faults = ()
    workloads = tuple(name for name in WORKLOADS if luck.chance(0.4))
    is_small = "small_pages" in workloads
    return Plan(
        seed=seed,
        devices=luck.between(2, 4),
        children=luck.between(2, 6),
        centers=2 if "second_center" in workloads else 1,
        turmoil_ms=luck.pick((30_000, 60_000, 120_000)),
        press_every_ms=1_000 if "many_presses" in workloads else luck.pick((3_000, 8_000, 20_000)),
        fault_every_ms=luck.pick((2_000, 5_000, 10_000)),
        faults=faults,
        workloads=workloads,
        link_delay_ms=(300, 2_500) if "slow_links" in faults else (2, 80),
        page_changes_max=luck.between(1, 4) * (10 if "slow_links" in faults else 1) if is_small else 500,
        part_records_max=luck.between(1, 5) * (40 if "slow_links" in faults else 1) if is_small else 500,
        snapshot_lag_max=luck.pick((0, 5, 40)),
    )
