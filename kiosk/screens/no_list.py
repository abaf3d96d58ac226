"""A child without a file is given to somebody: nobody has said who may collect it, so the words say that."""

from typing import Final

from kiosk.screens.scene import Scene
from sync.attendance import EventKind

NO_LIST_NOTE: Final = "Not on file: there is no list of who may collect. Type the full name of whoever does."
NO_LIST_WORDS: Final = "The child is not on file: nobody has said who may collect it."


async def came_with(scene: Scene, child_id: str) -> str:
    """Who brought a child last, as far as somebody said so; raises DeskError as `Corrections.day`."""
    day = await scene.desk.building.corrections.day(child_id)
    brought = (line.adult for line in reversed(day.lines) if line.kind is EventKind.CHECK_IN and line.adult)
    adult = next(brought, "")
    return f"Came with {adult}." if adult else "Nobody said who brought it."
