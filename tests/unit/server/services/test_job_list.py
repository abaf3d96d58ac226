"""The list of jobs: each has its work and its line in docs/operations.md, and says when it is due next."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from server.services.job_book import next_start
from server.services.job_list import JOB_KINDS, jobs_of
from server.services.retention import years_before

DOCUMENT = (Path(__file__).parents[4] / "docs" / "operations.md").read_text(encoding="utf-8")
NOW = datetime(2026, 9, 21, 14, 0, tzinfo=UTC)


async def nothing() -> None:
    return


def test_every_job_has_its_work_and_nothing_else_has() -> None:
    work = {kind.name: nothing for kind in JOB_KINDS}
    assert [job.name for job in jobs_of(work)] == [kind.name for kind in JOB_KINDS]
    assert all(job.deadline_s < 3_600 and kind.what for job, kind in zip(jobs_of(work), JOB_KINDS, strict=True))
    with pytest.raises(ValueError, match="differ"):
        jobs_of({**work, "more": nothing})
    with pytest.raises(ValueError, match="differ"):
        jobs_of(dict(list(work.items())[1:]))


def test_operations_lists_every_job_in_order() -> None:
    section = DOCUMENT.partition("## What a server does by itself")[2]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [kind.name for kind in JOB_KINDS]


def test_a_job_is_due_when_its_time_has_passed_since_its_last_start() -> None:
    assert next_start(NOW - timedelta(seconds=20), 60, NOW) == NOW + timedelta(seconds=40)
    assert next_start(NOW - timedelta(days=3), 60, NOW) == NOW
    assert next_start(None, 60, NOW) is None
    assert next_start(NOW + timedelta(hours=1), 60, NOW) is None, "the clock was set back: nobody can say"


def test_years_are_those_of_the_calendar() -> None:
    assert years_before(NOW, 5) == date(2021, 9, 21)
    assert years_before(datetime(2028, 2, 29, tzinfo=UTC), 5) == date(2023, 2, 28)
