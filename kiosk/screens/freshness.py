"""Keeps a screen in step with the desk while it is open, and turns whatever goes wrong into a sentence."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from kiosk.log import Log
from kiosk.messages import DeskMessage
from kiosk.screens.port import DeskPort
from kiosk.services.errors import DeskError

UNEXPECTED: Final = "That did not work. Look at the list before you try again (see kiosk.log)."

log = Log()


async def keep_fresh(
    desk: DeskPort, show: Callable[[], Awaitable[None]], hear: Callable[[DeskMessage], None] = lambda _: None
) -> None:
    """Show now, and again whenever the desk has news; news that come meanwhile come to one more time.

    `hear` is told of each of them by itself.
    """
    stale = asyncio.Event()
    messages = desk.subscribe()

    async def listen() -> None:
        async for message in messages:
            hear(message)
            stale.set()

    listening = asyncio.create_task(listen())
    try:
        while True:
            await show()
            await stale.wait()
            stale.clear()
    finally:
        listening.cancel()
        messages.close()


async def calmly(step: Callable[[], Awaitable[str]], say: Callable[[str], None]) -> None:
    """Carry out a step and say its sentence; a refusal says what to do, a defect where its cause is."""
    try:
        say(await step())
    except DeskError as refusal:
        say(f"! {refusal.message}")
    except Exception:
        log.exception("desk_step_failed")
        say(f"! {UNEXPECTED}")
