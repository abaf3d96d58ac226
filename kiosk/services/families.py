"""Who belongs together: children who share an adult, so that one confirmation is enough for brothers and sisters."""

from dataclasses import dataclass

from kiosk.messages import Presence
from kiosk.services import roster as rosters
from kiosk.services.knowledge import Knowledge
from kiosk.services.roster import RosterLine, Span
from sync.resemblance import folded_words

FAMILY_MAX = 12
"""More children of one adult are a grandmother of a whole street: the first of them by name are offered."""


@dataclass(frozen=True)
class FamilyMember:
    """A child that is offered; `chosen` before anybody touches it."""

    line: RosterLine
    chosen: bool


def family(knowledge: Knowledge, child_id: str, today: Span) -> tuple[FamilyMember, ...]:
    """A child and those who share an adult with it and stand as it does, itself first.

    Chosen is who shares a guardian, or an adult and the family name. Others that share an adult, as the children of
    neighbours who collect for each other, are offered and not chosen.
    """
    own = rosters.line_of(knowledge, child_id, today)
    adults, guardians = _adults(knowledge, child_id)
    shared = {pickup.child_id for pickup in knowledge.pickups.values() if pickup.adult_id in adults}
    members = []
    for other_id in shared - {child_id}:
        child = knowledge.children.get(other_id)
        if child is None:
            continue
        line = rosters.line_of(knowledge, other_id, today)
        is_named_alike = folded_words(child.family_name) == folded_words(own.family_name)
        if _stands_alike(line, own) and (child.enrolled or line.status is Presence.IN):
            is_family = is_named_alike or not guardians.isdisjoint(_adults(knowledge, other_id)[1])
            members.append(FamilyMember(line, chosen=is_family))
    members.sort(key=lambda one: (not one.chosen, one.line.display_name, one.line.child_id))
    return (FamilyMember(own, chosen=True), *members[: FAMILY_MAX - 1])


def children_of(knowledge: Knowledge, adult_id: str) -> tuple[str, ...]:
    """The children that an adult is on the pick-up list of and not forbidden to collect, in the order of their ids."""
    found = {
        pickup.child_id
        for pickup in knowledge.pickups.values()
        if pickup.adult_id == adult_id and pickup.status in rosters.MAY_COLLECT
    }
    return tuple(sorted(found & knowledge.children.keys()))


def _adults(knowledge: Knowledge, child_id: str) -> tuple[set[str], set[str]]:
    """The adults of a child, and its guardians among them."""
    mine = [pickup for pickup in knowledge.pickups.values() if pickup.child_id == child_id]
    return {one.adult_id for one in mine}, {one.adult_id for one in mine if one.legal_guardian}


def _stands_alike(one: RosterLine, other: RosterLine) -> bool:
    return (one.status is Presence.IN) == (other.status is Presence.IN)
