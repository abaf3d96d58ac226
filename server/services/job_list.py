"""Every job that a server does by itself: how often, on how many servers, and what for (docs/operations.md, too)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from server.services.jobs import Job, RunsOn
from server.services.mail_sender import RUN_DEADLINE_S
from server.services.webhook_sender import RUN_DEADLINE_S as WEBHOOKS_DEADLINE_S

SEND_MAIL: Final = "send_mail"
ANSWER_RECOVERIES: Final = "answer_recoveries"
MAKE_EXPORTS: Final = "make_exports"
TELL_WEBHOOKS: Final = "tell_webhooks"


@dataclass(frozen=True, slots=True)
class JobKind:
    """A job: seconds from start to start, seconds that a run may take, which servers run it, and what it does."""

    name: str
    every_s: int
    deadline_s: float
    what: str
    runs_on: RunsOn = RunsOn.ONE_SERVER


JOB_KINDS: Final = (
    JobKind(SEND_MAIL, 5, RUN_DEADLINE_S, "sends what waits in the outbox", RunsOn.EVERY_SERVER),
    JobKind("forget_mail", 3_600, 60, "takes away mails that were sent or given up 90 days ago"),
    JobKind(
        ANSWER_RECOVERIES, 60, 50, "mails a link to whoever forgot their password and has an account",
        RunsOn.EVERY_SERVER,
    ),
    JobKind("tidy_accounts", 600, 60, "takes away sessions, links and counts of tries that are over"),
    JobKind("forget_browser_sessions", 3_600, 60, "takes away sessions of browsers that are over"),
    JobKind("auto_close", 60, 50, "an hour after a centre closed, takes who is still in for gone"),
    JobKind("keep_up_bookings", 60, 50, "ends requests and waits that are over, and says who came"),
    JobKind("book_schedules", 3_600, 300, "books schedules eight weeks ahead"),
    JobKind("absence_follow_up", 60, 50, "tells managers how many children are missing without a word"),
    JobKind(TELL_WEBHOOKS, 5, WEBHOOKS_DEADLINE_S, "tells webhooks what happened"),
    JobKind("forget_deliveries", 3_600, 60, "takes away what is old of the deliveries of webhooks"),
    JobKind("tell_guardians", 15, 60, "mails guardians what they chose to be told of"),
    JobKind("tell_late_pick_ups", 60, 50, "mails guardians who chose it when a child was picked up late"),
    JobKind("device_silence", 60, 50, "tells managers of desks that have not been heard"),
    JobKind("sign_heads", 3_600, 300, "signs once a day where all chains stand", RunsOn.EVERY_SERVER),
    JobKind("erase_late_words", 3_600, 300, "takes names and notes out of what came in late of erased people"),
    JobKind("retention", 3_600, 300, "erases children whose time of keeping is over"),
    JobKind(MAKE_EXPORTS, 60, 1_800, "makes the exports that people asked for, and ends those that are over"),
)  # fmt: skip


def jobs_of(work: Mapping[str, Callable[[], Awaitable[object]]]) -> tuple[Job, ...]:
    """Give the jobs with what each runs. Raises ValueError when one has nothing to run, or something is no job."""
    if work.keys() != {kind.name for kind in JOB_KINDS}:
        raise ValueError("the jobs and their work differ")
    return tuple(Job(kind.name, kind.every_s, kind.deadline_s, work[kind.name], kind.runs_on) for kind in JOB_KINDS)
