"""What several ask for at the same time is asked once, and nobody gets an answer that is older than their question."""

import asyncio
from collections.abc import Collection

import pytest

from server.services.gathering import Gathering


class Source:
    """Answers when it is told to, with the number of the round."""

    def __init__(self) -> None:
        self.rounds: list[set[str]] = []
        self.gate = asyncio.Event()
        self.failing = False

    async def answer(self, place: str, names: Collection[str]) -> dict[str, str]:
        self.rounds.append(set(names))
        number = len(self.rounds)
        await self.gate.wait()
        if self.failing:
            raise RuntimeError(place)
        return {name: f"{place} {name} {number}" for name in names}


async def _asked(gathering: Gathering[str], *names: str) -> list[asyncio.Task[str]]:
    tasks = [asyncio.create_task(gathering.of("north", name)) for name in names]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_what_is_asked_together_is_asked_once_and_what_comes_later_is_asked_anew() -> None:
    source = Source()
    gathering = Gathering(source.answer)
    first = await _asked(gathering, "ruth", "bob", "ruth")
    later = await _asked(gathering, "bob", "mia")
    assert source.rounds == [{"ruth", "bob"}]
    first[0].cancel()
    source.gate.set()
    assert await asyncio.gather(*first[1:]) == ["north bob 1", "north ruth 1"], "one who gives up takes nothing along"
    assert await asyncio.gather(*later) == ["north bob 2", "north mia 2"]
    assert await gathering.of("south", "ruth") == "south ruth 3"
    assert source.rounds == [{"ruth", "bob"}, {"bob", "mia"}, {"ruth"}]


async def test_a_failure_reaches_those_who_asked_and_the_next_may_succeed() -> None:
    source = Source()
    source.failing = True
    source.gate.set()
    gathering = Gathering(source.answer)
    for task in await _asked(gathering, "ruth", "bob"):
        with pytest.raises(RuntimeError, match="north"):
            await task
    source.failing = False
    assert await gathering.of("north", "ruth") == "north ruth 2"
