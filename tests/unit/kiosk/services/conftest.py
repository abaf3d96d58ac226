"""A whole desk on a file in memory, at a standing 07:58."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.building_desk import MORNING_MS, UnlinkedDesk, open_building
from tests.support.kiosk_clock import StandingClock


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock(MORNING_MS)


@pytest.fixture
async def desk(tmp_path: Path, clock: StandingClock) -> AsyncIterator[UnlinkedDesk]:
    opened = await open_building(tmp_path / "desk", clock)
    yield opened
    await opened.close()
