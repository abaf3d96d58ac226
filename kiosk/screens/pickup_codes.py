"""The pick-up code of the slip, asked for when a child leaves: every child that leaves needs its own."""

from collections.abc import Sequence
from typing import Final

from kiosk.screens.asking import AskScreen, Field
from kiosk.screens.scene import Scene

TRIES_MAX: Final = 3
CODES_CHARACTERS_MAX: Final = 200


async def code_was_right(scene: Scene, child_ids: Sequence[str]) -> bool:
    """Ask for the codes until they are right, at most three times; False when it was given up."""
    title = "Pick-up code of the slip?"
    for _ in range(TRIES_MAX):
        field = Field("Code", "like K7RT; of several children all of them, one after the other", CODES_CHARACTERS_MAX)
        note = "ENTER checks it. No slip? ESC, and make sure another way."
        typed = await scene.app.push_screen_wait(AskScreen(title, (field,), note))
        if not typed:
            return False
        lacking = scene.desk.building.labels.lacking(child_ids, typed[0])
        if not lacking:
            return True
        wrong = "That is not" if len(child_ids) == 1 else "Not among these:"
        title = f"! {wrong} the code for {', '.join(lacking)}."
    return False
