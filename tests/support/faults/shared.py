"""One world for all tests of a file: it takes longer to make than most faults, and a survivor is tested harder.

A file that asks for `shared` says `pytest.mark.asyncio(loop_scope="module")`, and expects children whom tests before
have checked in. What they recorded is looked for again after each test.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.faults.worlds import FaultDesk, FaultWorld, fault_world

Shared = tuple[FaultWorld, FaultDesk, FaultDesk]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _lasting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shared]:
    async with fault_world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def shared(_lasting: Shared) -> Shared:
    """The world of this file with its two desks, everything in it whole and linked."""
    await _lasting[0].heal()
    return _lasting
