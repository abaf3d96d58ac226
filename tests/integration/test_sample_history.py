"""Centres with a past are written as production writes them: every check of the books finds them right."""

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pytest

from server import operation
from server.core.asking import NOBODY, asks
from server.core.errors import Conflict
from server.repositories import bookings
from server.services.projections import Projections
from server.services.verification import Verification
from tests.support.api import settings_for
from tests.support.books import books_on
from tests.support.history import SMALL, write_history
from tests.support.postgres import FreshDatabase, PostgresServer

pytestmark = pytest.mark.postgres


async def test_the_books_of_a_history_are_right(
    database: FreshDatabase, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    async with books_on(postgres_server, database) as books:
        await books.take_in()
        with pytest.raises(Conflict, match="There are 2 centres in this database"):
            await write_history(database)
        beside = dataclasses.replace(SMALL, into_existing=True)
        told: list[tuple[int, int]] = []
        # As the command does it: who typed it is nobody yet.
        with asks(NOBODY):
            written = await operation.write_history(
                settings_for(database, tmp_path), beside, lambda done, total: told.append((done, total))
            )
        assert told[-1] == (total := told[-1][1], total)
        assert written.centers == 2
        assert min(written.children, written.events, written.bookings, written.absences) > 0
        with pytest.raises(Conflict, match="The sample is here already: lantern-hill, lantern-quay"):
            await write_history(database, beside)
        verification = Verification(books.units)
        for center_id in await verification.center_ids():
            assert (await verification.check(center_id)).findings == []
            rebuilt = await Projections(books.units).rebuild(center_id)
            assert (rebuilt.wrong_stays, rebuilt.wrong_reviews) == (0, 0)
        stored = "SELECT count(*) FROM attendance_event"
        assert await books.value(stored) == written.events
        arrivals = "SELECT count(DISTINCT received_at) FROM journal_entry"
        assert await books.value(arrivals) > SMALL.days * 5, "each push arrives at a time of its own"
        # Who came has `attended`, by the rule of the job that says so every minute.
        async with books.units.begin() as unit:
            first, last = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
            assert await bookings.settle_used(unit.session, since=first, before=last, now=last) == 0
        assert await books.value("SELECT count(*) FROM review WHERE kind = 'presence_on_closure'") > 0
        assert await books.value("SELECT count(*) FROM stay WHERE ended_at IS NULL") == 0
