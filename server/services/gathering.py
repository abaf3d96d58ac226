"""Asks once for what several ask for at the same time: what is asked while one answer is being made waits for the next.

So nobody gets an answer that was begun before they asked, and the number of questions does not grow with the askers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Gathering(Generic[Answer]):
    """Questions by place and name; one round of a place runs at a time."""

    def __init__(self, answer: Callable[[str, Collection[str]], Awaitable[Mapping[str, Answer]]]) -> None:
        """Let `answer` tell of a place what all the names of a round asked for; each of them must be answered."""
        self._answer = answer
        self._waiting: dict[str, dict[str, asyncio.Future[Answer]]] = {}
        self._rounds: dict[str, asyncio.Task[None]] = {}

    async def of(self, place: str, name: str) -> Answer:
        """Ask, and wait for the round in which it is answered; raises what that round raised."""
        waiting = self._waiting.setdefault(place, {})
        if name not in waiting:
            waiting[name] = asyncio.get_running_loop().create_future()
        future = waiting[name]
        if place not in self._rounds:
            self._rounds[place] = asyncio.create_task(self._run(place), name=f"gathering {place}")
        # Whoever gives up does not take the answer from the others.
        return await asyncio.shield(future)

    async def _run(self, place: str) -> None:
        try:
            while asked := self._waiting.pop(place, None):
                await self._round(place, asked)
        finally:
            del self._rounds[place]

    async def _round(self, place: str, asked: dict[str, asyncio.Future[Answer]]) -> None:
        try:
            answers = await self._answer(place, asked.keys())
        except Exception as error:  # noqa: BLE001 - it is raised where it was asked
            for future in asked.values():
                future.set_exception(error)
                future.exception()  # looked at: whoever asked may be gone
            return
        for name, future in asked.items():
            future.set_result(answers[name])
