"""The commands of the day beside the door: rooms, corrections, staff and visitors, today, the desk, the roll-call."""

from typing import Final

from kiosk.screens.app_code import AppCodeScreen
from kiosk.screens.child_day import ChildDayScreen
from kiosk.screens.health import HealthScreen
from kiosk.screens.people import PeopleScreen
from kiosk.screens.rollcall import RollCallScreen
from kiosk.screens.rooms import RoomsScreen, move_chosen
from kiosk.screens.scene import Command, Scene
from kiosk.screens.today import TodayScreen


async def move(scene: Scene) -> str:
    """Move the chosen child."""
    return await move_chosen(scene.app, scene.desk, scene.chosen)


async def child_day(scene: Scene) -> str:
    """Open the day of the chosen child."""
    if scene.chosen is None:
        return "Choose a child first: type part of a name, or press ↓."
    await scene.app.push_screen_wait(ChildDayScreen(scene.desk, scene.clock, scene.zone, scene.chosen.child_id))
    return ""


async def label(scene: Scene) -> str:
    """Print the chosen child's label, and say its pick-up code."""
    if scene.chosen is None:
        return "Choose a child first: type part of a name, or press ↓."
    return await scene.desk.building.labels.again(scene.chosen.child_id)


async def app_code(scene: Scene) -> str:
    """Show what a parent at this desk types into their app."""
    scene.desk.counter.app_code()
    await scene.app.push_screen_wait(AppCodeScreen(scene.desk.counter))
    return ""


async def people(scene: Scene) -> str:
    """Open staff and visitors."""
    await scene.app.push_screen_wait(PeopleScreen(scene.desk, scene.clock, scene.zone))
    return ""


async def today(scene: Scene) -> str:
    """Open today's names."""
    await scene.app.push_screen_wait(TodayScreen(scene.desk, scene.clock, scene.zone))
    return ""


async def rooms(scene: Scene) -> str:
    """Open the rooms."""
    await scene.app.push_screen_wait(RoomsScreen(scene.desk))
    return ""


async def health(scene: Scene) -> str:
    """Open the desk's own state, or close it."""
    if isinstance(scene.app.screen, HealthScreen):
        scene.app.screen.dismiss(None)
        return ""
    await scene.app.push_screen_wait(HealthScreen(scene.desk))
    return ""


async def roll_call(scene: Scene) -> str:
    """Open the roll-call, over whatever is open."""
    if not isinstance(scene.app.screen, RollCallScreen):
        await scene.app.push_screen_wait(RollCallScreen(scene.desk))
    return ""


ROLL_CALL: Final = Command(
    name="roll_call",
    key="f9",
    hint="Roll call",
    title="Roll call",
    words="roll call: who is in; also on a locked desk",
    run=roll_call,
    when_hidden=True,
)
BUILDING_COMMANDS: Final = (
    Command(
        name="move",
        key="f3",
        hint="Move",
        title="Move the chosen child",
        words="move the chosen child to another room",
        run=move,
        in_footer=False,
    ),
    Command(
        name="child_day",
        key="f5",
        hint="Day",
        title="Day of the chosen child",
        words="the chosen child's day: correct, complete, answer",
        run=child_day,
        in_footer=False,
    ),
    Command(
        name="label",
        key="ctrl+l",
        hint="Label",
        title="Label of the chosen child",
        words="the chosen child's label again, and its pick-up code",
        run=label,
        in_footer=False,
    ),
    Command(
        name="app_code",
        key="ctrl+a",
        hint="App",
        title="Code for a parent's app",
        words="a code for a parent who checks in or out by their app",
        run=app_code,
        in_footer=False,
    ),
    Command(
        name="people",
        key="f6",
        hint="Staff",
        title="Staff and visitors",
        words="staff and visitors: sign in, sign out, rooms",
        run=people,
        in_footer=False,
    ),
    Command(
        name="rooms",
        key="f7",
        hint="Rooms",
        title="Rooms",
        words="rooms: capacity and ratio; move several at once",
        run=rooms,
        in_footer=False,
    ),
    Command(
        name="health",
        key="ctrl+d",
        hint="Desk",
        title="This desk",
        words="this desk: link, queue, clock, disk, what to do",
        run=health,
        when_hidden=True,
        in_footer=False,
    ),
    ROLL_CALL,
    Command(
        name="today",
        key="f12",
        hint="Today",
        title="Today's names",
        words="today: expected, here, absent, gone, by name",
        run=today,
        in_footer=False,
    ),
)
