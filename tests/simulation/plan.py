"""What one seed will suffer: a random subset of faults (swarm testing), drawn before anything runs."""

from enum import StrEnum

import msgspec

from tests.simulation.luck import Luck

# Virtual milliseconds. Once faults are over, everything is brought up to date within this time: the bar of the product.
HEALING_MS = 60_000
HOUR_MS = 3_600_000

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
    "device_cloned",
    "replica_set_back",
    "record_rots",
    "device_revoked",
    "lease_short",
    "tokens_short",
    "log_compacted",
    "server_overloaded",
    "power_lost_at_a_sync",
    "disk_sync_fails",
    "disk_full",
)
# What a plan names by its moments, not by striking.
AWAY = "away_for_long"
# These are there from the beginning and not done again and again.
LASTING = frozenset(
    {
        "slow_links",
        "device_store_slow",
        "clock_skew",
        "server_store_slow",
        "hints_lost",
        "lease_short",
        "tokens_short",
    }
)
# These copy or change replicas behind SQLite, which only memory takes.
OF_MEMORY = frozenset({"device_cloned", "replica_set_back", "record_rots"})
# Only files on a disk suffer these.
OF_A_DISK = ("power_lost_at_a_sync", "disk_sync_fails", "disk_full")
# Only the model of the server can do these: the real one is restored by a person, and leaves old days out of its
# snapshots, which desks with wrong clocks make.
OF_THE_MODEL = frozenset({"server_restored_from_backup", "clock_skew", "clock_jump", "log_compacted", "lease_short"})
# Each with its share of the seeds. A whole hour goes by slowly: what takes long to go wrong, and what is always on.
WORKLOADS = {
    "poison": 0.4,
    "reference_edits": 0.4,
    "second_center": 0.4,
    "many_presses": 0.4,
    "small_pages": 0.4,
    "a_whole_hour": 0.005,
}
# Two to eight in a minute and less: each comes between some presses at every desk.
RULING_EVERY_MS = 8_000
# Where the PostgreSQL of this run is, as JSON; unset when there is none.
POSTGRES_VARIABLE = "ROLLCALL_SIMULATION_POSTGRES"


# So many faults come within the last moments of the turmoil, whatever its pace.
LAST_STRIKES = 4
LAST_STRIKES_MS = 1_500
# One seed in so many has its replicas in files that lose what was not synced; one has its server on PostgreSQL.
CRASH_FILES_EVERY = 20
POSTGRES_EVERY = 100
_POSTGRES_AT = 50


class Lane(StrEnum):
    """What the stores of a seed stand on."""

    MEMORY = "memory"
    CRASH_FILES = "crash_files"
    POSTGRES = "postgres"


class Strike(msgspec.Struct, frozen=True):
    """One fault at one moment; its number is its luck, so that it stays what it is when others are left out."""

    number: int
    at_ms: int
    fault: str


class Visit(msgspec.Struct, frozen=True):
    """Somebody presses at a desk, which is named by its index."""

    number: int
    at_ms: int
    desk: int


class Edit(msgspec.Struct, frozen=True):
    """Somebody changes the reference data of a centre, which is named by its index."""

    number: int
    at_ms: int
    center: int


class Absence(msgspec.Struct, frozen=True):
    """No network reaches a desk, which is named by its index, from one moment until another."""

    at_ms: int
    until_ms: int
    desk: int


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The size of the world, and everything that will be done to it; it can be kept as JSON and run again."""

    seed: int
    lane: Lane
    devices: int
    children: int
    centers: int
    turmoil_ms: int
    faults: tuple[str, ...]
    workloads: tuple[str, ...]
    link_delay_ms: tuple[int, int]
    page_changes_max: int
    part_records_max: int
    snapshot_lag_max: int
    strikes: tuple[Strike, ...] = ()
    visits: tuple[Visit, ...] = ()
    edits: tuple[Edit, ...] = ()
    absences: tuple[Absence, ...] = ()
    # Plans that were kept before there were any keep their bytes, and so their names.
    rulings: tuple[Edit, ...] | msgspec.UnsetType = msgspec.UNSET

    def has(self, name: str) -> bool:
        """Whether this seed has the fault or the workload."""
        return name in self.faults or name in self.workloads

    def __str__(self) -> str:
        """Everything but the lists."""
        return repr(msgspec.structs.replace(self, strikes=(), visits=(), edits=(), absences=(), rulings=msgspec.UNSET))


def draw_hours(seed: int) -> Plan:
    """The plan of a seed that lasts for an hour at most.

    One seed in ten has no fault at all: what fails there is no matter of luck.
    """
    luck = Luck(seed, "plan")
    lane = lane_of(seed)
    faults = _swarm(luck, lane)
    workloads = tuple(name for name, share in WORKLOADS.items() if luck.chance(share))
    is_small = "small_pages" in workloads
    plan = Plan(
        seed=seed,
        lane=lane,
        devices=luck.between(2, 4),
        children=luck.between(2, 6),
        centers=2 if "second_center" in workloads else 1,
        turmoil_ms=HOUR_MS if "a_whole_hour" in workloads else luck.pick((15_000, 30_000, 60_000)),
        faults=faults,
        workloads=workloads,
        link_delay_ms=(300, 2_500) if "slow_links" in faults else (2, 80),
        page_changes_max=luck.between(1, 4) * (10 if "slow_links" in faults else 1) if is_small else 500,
        part_records_max=luck.between(1, 5) * (40 if "slow_links" in faults else 1) if is_small else 500,
        snapshot_lag_max=luck.pick((0, 5, 40)),
    )
    return msgspec.structs.replace(
        plan, strikes=_strikes(plan), visits=_visits(plan), edits=_edits(plan), rulings=_rulings(plan) or msgspec.UNSET
    )


def lane_of(seed: int) -> Lane:
    """What the stores of a seed stand on."""
    if seed % POSTGRES_EVERY == _POSTGRES_AT:
        return Lane.POSTGRES
    return Lane.MEMORY if seed % CRASH_FILES_EVERY else Lane.CRASH_FILES


def _swarm(luck: Luck, lane: Lane) -> tuple[str, ...]:
    share = luck.pick((0.15, 0.3, 0.3, 0.5, 0.7))
    drawn = [name for name in FAULTS if name not in OF_A_DISK and luck.chance(share)]
    if lane is Lane.POSTGRES:
        drawn = [name for name in drawn if name not in OF_THE_MODEL]
    if lane is Lane.CRASH_FILES:
        drawn = [name for name in drawn if name not in OF_MEMORY]
    if luck.chance(0.1):
        return ()
    return (*drawn, *OF_A_DISK) if lane is Lane.CRASH_FILES else tuple(drawn)


def _strikes(plan: Plan) -> tuple[Strike, ...]:
    """Moments of the faults that come and go, and which of them comes at each."""
    luck = Luck(plan.seed, "strikes")
    # The few seeds with files are there for what files suffer: it comes more often.
    faults = [name for name in plan.faults if name not in LASTING for _ in range(4 if name in OF_A_DISK else 1)]
    every_ms = HOUR_MS // 40 if plan.has("a_whole_hour") else luck.pick((2_000, 5_000, 10_000))
    if not faults:
        return ()
    moments = _moments(luck, plan.turmoil_ms, every_ms)
    # What goes wrong last is not hidden behind the next thing that goes wrong.
    moments += sorted(luck.between(plan.turmoil_ms - LAST_STRIKES_MS, plan.turmoil_ms - 1) for _ in range(LAST_STRIKES))
    return tuple(Strike(number, at_ms, luck.pick(faults)) for number, at_ms in enumerate(moments))


def _visits(plan: Plan) -> tuple[Visit, ...]:
    luck = Luck(plan.seed, "visits")
    every_ms = 1_000 if plan.has("many_presses") else luck.pick((3_000, 8_000, 20_000))
    if plan.has("a_whole_hour"):
        every_ms = HOUR_MS // 60
    found = [(at_ms, desk) for desk in range(plan.devices) for at_ms in _moments(luck, plan.turmoil_ms, every_ms)]
    return tuple(Visit(number, *visit) for number, visit in enumerate(sorted(found)))


def _edits(plan: Plan) -> tuple[Edit, ...]:
    """Edits all through the turmoil in some seeds; in all of them one at its end, among the last faults."""
    luck = Luck(plan.seed, "edits")
    moments = [(luck.between(plan.turmoil_ms - LAST_STRIKES_MS, plan.turmoil_ms - 1), at) for at in range(plan.centers)]
    for center in range(plan.centers) if plan.has("reference_edits") else ():
        moments += [(luck.between(0, plan.turmoil_ms), center) for _ in range(luck.between(1, 12))]
    return tuple(Edit(number, at_ms, center) for number, (at_ms, center) in enumerate(moments))


def _rulings(plan: Plan) -> tuple[Edit, ...]:
    """When somebody changes what events are judged by, in half of the seeds; its luck is its own."""
    luck = Luck(plan.seed, "rulings")
    if plan.lane is Lane.POSTGRES or luck.chance(0.5):
        return ()
    found = [(at_ms, at) for at in range(plan.centers) for at_ms in _moments(luck, plan.turmoil_ms, RULING_EVERY_MS)]
    return tuple(Edit(number, at_ms, center) for number, (at_ms, center) in enumerate(sorted(found)))


def _moments(luck: Luck, end_ms: int, every_ms: int) -> list[int]:
    moments = []
    at_ms = luck.between(1, every_ms)
    while at_ms < end_ms:
        moments.append(at_ms)
        at_ms += luck.between(1, 2 * every_ms)
    return moments
