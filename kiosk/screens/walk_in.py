"""A child who is not on file comes: what it is called, whether it is one that is known, its room, and it is in."""

from dataclasses import replace
from typing import Final

from kiosk.messages import Presence
from kiosk.screens.asking import AskScreen, ChooseScreen, Field
from kiosk.screens.front import act_on
from kiosk.screens.rooms import ROOM_WIDTH, room_row
from kiosk.screens.scene import Said, Scene
from kiosk.services.desk import RosterLine
from kiosk.services.errors import DeskError
from kiosk.services.newcomers import Newcomer, cleaned, described
from kiosk.services.typed_words import NAME_CHARACTERS_MAX, NOTE_CHARACTERS_MAX
from kiosk.widgets.choice_list import Row
from kiosk.widgets.wording import clock_text

CANCELLED: Final = "Cancelled; nothing was recorded."
SOMEBODY_ELSE: Final = "somebody else"
HINT: Final = "ENTER goes on. Look for the name on the roster first."


async def take_in(scene: Scene) -> Said:
    """Check in a child who is not on file, or the one on file that it turns out to be.

    Raises:
        DeskError: as `Counter.take_in`.

    """
    newcomer = await _described(scene)
    if newcomer is None:
        return CANCELLED
    known = scene.desk.counter.resembling(newcomer.name)
    if known:
        key = await _is_it(scene, newcomer, known)
        chosen = next((line for line in known if line.child_id == key), None)
        if chosen is not None:
            return await _known_after_all(scene, chosen)
        if not key:
            return CANCELLED
    room_id = await _room(scene, newcomer)
    if room_id is None:
        return CANCELLED
    none_of = frozenset(line.child_id for line in known)
    return (await scene.desk.counter.take_in(replace(newcomer, room_id=room_id, none_of=none_of)),)


async def _described(scene: Scene) -> Newcomer | None:
    """What is typed of it, asked again with what was typed while something is wrong; None: it was given up."""
    said, note = Newcomer(name=_as_a_name(scene.typed)), HINT
    while True:
        fields = (
            Field("Name", "as the child is called", NAME_CHARACTERS_MAX, said.name),
            Field("Who brings it", "full name of the adult; may be left empty", NAME_CHARACTERS_MAX, said.adult_name),
            Field("Note", "a phone number, an allergy; may be left empty", NOTE_CHARACTERS_MAX, said.note),
        )
        typed = await scene.app.push_screen_wait(AskScreen("A child who is not on file", fields, note))
        if not typed:
            return None
        said = Newcomer(name=typed[0], adult_name=typed[1], note=typed[2])
        try:
            return cleaned(said)
        except DeskError as refusal:
            note = f"! {refusal.message}"


def _as_a_name(searched: str) -> str:
    """What was searched for, as a name to begin with: whoever searches writes no capitals."""
    return searched.title() if searched.islower() else searched


async def _is_it(scene: Scene, newcomer: Newcomer, known: tuple[RosterLine, ...]) -> str:
    """The id of the child it is, `SOMEBODY_ELSE`, or nothing when it was given up."""
    title = f"Is it {described(known[0])}?" if len(known) == 1 else f"Is {newcomer.name} one of these?"
    rows = [Row(line.child_id, f"Yes: {described(line)}{_where(scene, line)}") for line in known]
    rows.append(Row(SOMEBODY_ELSE, f"No: {newcomer.name} is somebody else, who is not on file"))
    return await scene.app.push_screen_wait(ChooseScreen(title, rows))


def _where(scene: Scene, line: RosterLine) -> str:
    if line.status is Presence.NOT_ARRIVED or line.since_ms is None:
        return ""
    return f", {'in since' if line.status is Presence.IN else 'left'} {clock_text(line.since_ms, scene.zone)}"


async def _known_after_all(scene: Scene, line: RosterLine) -> Said:
    """A child that is known comes by its own file; one that is in is not asked who collects it."""
    if line.status is Presence.IN:
        return f"{described(line)} is in already; nothing was recorded."
    return await act_on(scene, line) or CANCELLED


async def _room(scene: Scene, newcomer: Newcomer) -> str | None:
    """The chosen room; empty when the centre has none, None when it was given up."""
    lines = [line for line in (await scene.desk.building.moves.rooms()).rooms if line.room_id]
    if not lines:
        return ""
    rows = [room_row(line, ROOM_WIDTH) for line in lines]
    key = await scene.app.push_screen_wait(ChooseScreen(f"To which room does {newcomer.name} go?", rows))
    return key.removeprefix("room-") or None
