"""What tests of the books share: a server without its HTTP on a database of its own, a centre, a child and a desk."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.postgres_world import PostgresWorld, world_on
from tests.contract.server_world import Desk, make_desk
from tests.support.postgres import FreshDatabase


@pytest.fixture
async def world(database: FreshDatabase) -> AsyncIterator[PostgresWorld]:
    """As the role that the server runs as."""
    async with world_on(database.urls.app) as world:
        yield world


@pytest.fixture
async def owner(database: FreshDatabase) -> AsyncIterator[PostgresWorld]:
    """The same database as the role that owns its tables."""
    async with world_on(database.urls.owner) as world:
        yield world


@pytest.fixture
async def center(world: PostgresWorld) -> str:
    """A centre whose log has not begun."""
    return await world.make_center()


@pytest.fixture
async def desk(world: PostgresWorld, center: str) -> Desk:
    """A desk of that centre."""
    return await make_desk(world, center)


@pytest.fixture
async def child(world: PostgresWorld, center: str) -> str:
    """A child of that centre, of which nothing is in the log."""
    return await world.make_child(center)
