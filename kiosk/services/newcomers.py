"""A child who is not on file and stands at the door: what is said of it, and whether it may be one who is on file."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from kiosk.messages import Presence
from kiosk.services.children import NOT_ON_FILE, KnownChild, all_children, child_of
from kiosk.services.errors import DeskError
from kiosk.services.knowledge import Knowledge
from kiosk.services.recording import Wish
from kiosk.services.roster import RosterLine, Span, line_of
from kiosk.services.typed_words import typed_name, typed_note
from sync.attendance import EventKind
from sync.resemblance import Resemblance, resemblance

# More children of one name than fit on a screen; a refusal in one sentence names the first of them.
RESEMBLING_MAX: Final = 8
NAMED_MAX: Final = 3


@dataclass(frozen=True, kw_only=True)
class Newcomer:
    """What a person says of a child who is not on file.

    `name` is as it is called, `adult_name` who brings it; this, `note` and `room_id` may be empty. `none_of` are the
    ids of children who are known and close by name, and of whom a person said that it is none of them.
    `occurred_at_ms` None means now (UTC milliseconds). `staff_id` empty: whoever is at the desk.
    """

    name: str
    room_id: str = ""
    adult_name: str = ""
    note: str = ""
    none_of: frozenset[str] = frozenset()
    occurred_at_ms: int | None = None
    staff_id: str = ""


def cleaned(newcomer: Newcomer) -> Newcomer:
    """The same with its texts on one line each; raises DeskError bad_input for a name, adult or note out of bounds."""
    adult = newcomer.adult_name
    return replace(
        newcomer,
        name=typed_name(newcomer.name),
        adult_name=typed_name(adult) if adult.strip() else "",
        note=typed_note(newcomer.note),
    )


def arrival_of(newcomer: Newcomer, child_id: str, staff_id: str) -> Wish:
    """The arrival of a newcomer that is cleaned, under this id; `staff_id` attests unless somebody else is named."""
    return Wish(
        kind=EventKind.CHECK_IN,
        child_id=child_id,
        provisional_name=newcomer.name,
        room_id=newcomer.room_id,
        adult_name=newcomer.adult_name,
        note=newcomer.note,
        staff_id=newcomer.staff_id or staff_id,
        occurred_at_ms=newcomer.occurred_at_ms,
    )


def resembling(knowledge: Knowledge, name: str, today: Span) -> tuple[RosterLine, ...]:
    """The children who may be meant by a name, the same name first: whoever is on file, and others who are here today.

    A preferred name counts as well as the given one.
    """
    found = []
    for child_id in all_children(knowledge):
        closeness = _closeness(child_of(knowledge, child_id), name)
        if closeness is not Resemblance.NONE:
            line = line_of(knowledge, child_id, today)
            if line.is_on_file or line.status is not Presence.NOT_ARRIVED:
                found.append((closeness is not Resemblance.SAME, line.display_name, child_id, line))
    return tuple(line for *_, line in sorted(found, key=lambda one: one[:3])[:RESEMBLING_MAX])


def described(line: RosterLine) -> str:
    """A child as one asks after it: `Mia Berger (Bears)`."""
    where = ", ".join(filter(None, ("" if line.is_on_file else NOT_ON_FILE, line.room_name)))
    return f"{line.display_name} ({where})" if where else line.display_name


def require_none_of(lines: Iterable[RosterLine], newcomer: Newcomer) -> None:
    """Raises DeskError resembles_known when a child of such a name is known and nobody said that it is not this one."""
    doubtful = [line for line in lines if line.child_id not in newcomer.none_of]
    if doubtful:
        who = " or ".join(map(described, doubtful[:NAMED_MAX]))
        raise DeskError("resembles_known", f"Is it {who}? Check that child in; or say that it is somebody else.")


def _closeness(child: KnownChild, name: str) -> Resemblance:
    """The best of what a preferred and a given name come to."""
    both = {resemblance(name, f"{given} {child.family_name}") for given in (child.called, child.given_name)}
    return next((one for one in (Resemblance.SAME, Resemblance.NEAR) if one in both), Resemblance.NONE)
