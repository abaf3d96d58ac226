"""The questions of the front desk in their order: who comes, who leaves, with whom, how that is known."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from kiosk.messages import Presence
from kiosk.screens.alerts import AlertsScreen
from kiosk.screens.collect import Collection, CollectScreen, Question
from kiosk.screens.family import FamilyScreen
from kiosk.screens.identity import IdentityScreen
from kiosk.screens.no_list import NO_LIST_NOTE, NO_LIST_WORDS, came_with
from kiosk.screens.override import OverrideScreen
from kiosk.screens.pickup_codes import code_was_right
from kiosk.screens.refuse import RefuseScreen
from kiosk.screens.scene import Scene
from kiosk.services.counter import Scanned
from kiosk.services.desk import Recorded, RosterLine
from kiosk.services.door import DoorMode
from kiosk.services.families import FamilyMember
from kiosk.services.release import CODE_MATCH, NEAR_BLOCKED_NAME, Release, lacks_list, of_all
from kiosk.widgets.alert_lines import ALERTS_TO_READ, CHECK_IN, CHECK_OUT, must_read, named
from kiosk.widgets.wording import moment_text

THROW_AWAY: Final = "Throw away any label of it."
NO_PINS: Final = "Nobody has a PIN here: this desk is open to whoever stands at it."


async def act_on(scene: Scene, line: RosterLine) -> tuple[Recorded, ...]:
    """Check a child in, or out, and whoever of its family comes or leaves with it; empty when it was cancelled."""
    return await act_on_family(scene, scene.desk.counter.family(line.child_id))


async def act_on_family(
    scene: Scene, members: Sequence[FamilyMember], scanned: Scanned | None = None
) -> tuple[Recorded, ...]:
    """The same for children that were found together, and where it was by an adult's code or card with that adult."""
    leaves = members[0].line.status is Presence.IN
    lines = await _choose(scene, members, CHECK_OUT if leaves else CHECK_IN)
    if not lines:
        return ()
    if leaves:
        return await _release(scene, lines, scanned)
    return await scene.desk.counter.arrive([line.child_id for line in lines])


async def act_on_scanned(scene: Scene, scanned: Scanned) -> tuple[Recorded, ...]:
    """The same for whoever a code or a card opens: a child by its own, or all the children of an adult."""
    if not scanned.adult_id:
        return await act_on(scene, scanned.lines[0])
    return await act_on_family(scene, [FamilyMember(line, chosen=True) for line in scanned.lines], scanned)


async def undo_last(scene: Scene) -> str:
    """Take the last entry back."""
    has_label = await scene.desk.counter.has_label()
    undone = await scene.desk.counter.undo()
    names = ", ".join(one.child_name for one in undone if one.child_name)
    label = f" {THROW_AWAY}" if has_label else ""
    return f"Taken back{': ' if names else ''}{names}.{label} It stays in the log as taken back."


async def lock_desk(scene: Scene) -> str:
    """Hide the names."""
    if scene.desk.door.state().mode is not DoorMode.UNLOCKED:
        return NO_PINS
    scene.desk.door.lock()
    return ""


async def _choose(scene: Scene, members: Sequence[FamilyMember], act: str) -> list[RosterLine]:
    """Who of a family it is about; one child alone is asked about only when something must be read."""
    first, gallery = members[0].line, scene.desk.counter.picture
    if len(members) > 1:
        title = f"{first.display_name} and family: who is to {act}?"
        chosen = await scene.app.push_screen_wait(FamilyScreen(title, members, act=act, gallery=gallery))
        return [one.line for one in members if chosen and one.line.child_id in chosen]
    if must_read(first.alerts, ALERTS_TO_READ[act]):
        is_read = await scene.app.push_screen_wait(AlertsScreen(first, act=act, gallery=gallery))
        return [first] if is_read else []
    return [first]


async def _release(scene: Scene, lines: Sequence[RosterLine], scanned: Scanned | None) -> tuple[Recorded, ...]:
    names = names_of(lines)
    collectors = of_all([await scene.desk.collectors(line.child_id) for line in lines])
    alerts = [
        alert for line in lines for alert in (named(line.given_name, line.alerts) if len(lines) > 1 else line.alerts)
    ]
    question = Question(names, alerts, collectors, await _list_note(scene), lines[0].child_id)
    is_without_list = any(lacks_list(collectors, is_on_file=line.is_on_file) for line in lines)
    if is_without_list:
        question = replace(question, list_note=await came_with(scene, lines[0].child_id), nobody_note=NO_LIST_NOTE)
    screen = CollectScreen(question, scene.desk.counter.picture)
    if scanned is not None:
        screen.call_after_refresh(screen.take_scan, scanned)
    chosen = await scene.app.push_screen_wait(screen)
    child_ids = [line.child_id for line in lines]
    if chosen is None:
        return ()
    if chosen.is_refused:
        refusal = await scene.app.push_screen_wait(RefuseScreen(names, name=chosen.adult_name))
        return () if refusal is None else await scene.desk.counter.refuse(child_ids, refusal)
    release = await _made_sure(scene, chosen, lines, NO_LIST_WORDS if is_without_list else _near_words(chosen))
    return () if release is None else await scene.desk.counter.release(child_ids, release)


def _near_words(chosen: Collection) -> str:
    return f"{chosen.adult_name} is close to {chosen.near}, who may not collect." if chosen.near else ""


async def _made_sure(scene: Scene, chosen: Collection, lines: Sequence[RosterLine], objection: str) -> Release | None:
    """The release with all that must be known of it; None when it was given up. `objection`: what speaks against it."""
    overridden = None
    if objection:
        overridden = await scene.app.push_screen_wait(OverrideScreen(scene.desk.door, objection))
        if overridden is None:
            return None
    identity: str | None = CODE_MATCH
    if not chosen.method:
        identity = await _identity(scene, chosen, lines[0])
        if identity == CODE_MATCH and not await code_was_right(scene, [line.child_id for line in lines]):
            return None
    if not identity:
        return None
    return Release(
        adult_id=chosen.adult_id,
        adult_name=chosen.adult_name,
        identity_check=identity,
        auth_method=chosen.method or "staff_attested",
        warnings=(NEAR_BLOCKED_NAME,) if chosen.near else (),
        reason=overridden.reason if overridden else "",
        approval=overridden.approval if overridden else None,
    )


async def _identity(scene: Scene, chosen: Collection, first: RosterLine) -> str | None:
    """How the person was known; with their picture, and that of the first child who leaves."""
    picture = scene.desk.counter.picture
    faces = [(first.display_name, picture(first.child_id))]
    if chosen.adult_id:
        faces.append((chosen.adult_name, picture(chosen.adult_id)))
    question = f"How do you know that this is {chosen.adult_name or 'the person'}?"
    return await scene.app.push_screen_wait(IdentityScreen(question, faces))


async def _list_note(scene: Scene) -> str:
    """What to say of a pick-up list that is too old to be believed."""
    if not scene.desk.counter.is_list_old():
        return ""
    as_of_ms = (await scene.desk.status()).data_as_of_ms
    since = "another day" if as_of_ms is None else moment_text(as_of_ms, scene.clock.wall_ms(), scene.zone)
    return f"! List from {since}, phone to check."


def names_of(lines: Sequence[RosterLine]) -> str:
    """`Ana, Rui and Eva Silva` is more than a title holds: the first two, and how many more."""
    names = [line.display_name for line in lines]
    if len(names) <= 2:  # noqa: PLR2004 - two names fit on a line
        return " and ".join(names)
    return f"{names[0]}, {names[1]} and {len(names) - 2} more"
