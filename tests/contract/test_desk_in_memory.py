"""The desk in memory keeps the contract, so that tests of the screen mean something."""

from dataclasses import dataclass

import pytest

from kiosk.services.desk import Collector
from tests.contract.desk import DeskContract
from tests.support.clock import FakeClock
from tests.support.fake_desk import Child, FakeDesk

ADULTS = (
    Collector("adult-1", "Maria Silva", "mother", "authorised", ""),
    Collector("adult-2", "João Pinto", "father", "not_authorised", ""),
    Collector("adult-3", "Helena Silva", "aunt", "not_today", ""),
)


@dataclass
class MemoryWorld:
    desk: FakeDesk

    async def settle(self, event_id: str) -> None:
        await self.desk.settle(event_id)

    async def lock(self) -> None:
        await self.desk.lock()

    async def unlock(self) -> None:
        await self.desk.unlock()


@pytest.fixture
def world() -> MemoryWorld:
    children = [
        Child("ana", "Ana", "Silva", collectors=ADULTS),
        Child("ines", "Inês", "Gonçalves"),
        Child("joao", "João", "Nunes"),
    ]
    return MemoryWorld(FakeDesk(children, FakeClock()))


class TestDeskInMemory(DeskContract):
    pass
