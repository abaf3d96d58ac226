"""What a desk shows of its children, by the part of the shipped desk that knows it."""

from typing import TYPE_CHECKING

from kiosk.services.knowledge import Knowledge
from sync import effects as do
from sync.messages import Plan
from tests.simulation.trace import Violated

if TYPE_CHECKING:
    from tests.simulation.device import Device


def begins_another_life(effect: object) -> bool:
    """Whether this replaces the replica by what a restored server still knows."""
    if not isinstance(effect, do.StoreSnapshotPart):
        return False
    return effect.plan is Plan.RECONCILE and effect.part.part == effect.part.parts


def events_shown(device: "Device") -> set[str]:
    """The events of the children of its centre on which this desk's screen rests."""
    knowledge = Knowledge(device.id)
    replica = device.replica
    knowledge.load(replica.progress.read().version, replica.records.all(), replica.journal.recent(-(2**62)))
    children = device.world.offices[device.center_id].children
    return {event_id for child in children for event_id in knowledge.facts(child)}


def check_nothing_vanished(device: "Device", before: set[str]) -> None:
    """Another life of the server takes no event from a screen: a child in the building is not shown as gone for it."""
    vanished = before - events_shown(device)
    if vanished:
        raise Violated("nobody_vanishes", f"{device.name} no longer shows {sorted(vanished)[:3]}")
