"""Who is told what by mail, in which words. No mail names a person: it says where to look."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final
from urllib.parse import urlsplit

from server.models.rooms import Center
from server.models.webhooks import PauseReason
from server.repositories import accounts
from server.repositories.notices import Hearer
from server.repositories.unit_of_work import UnitOfWork
from server.services.mail import Mail, Outbox
from sync.findings import FindingKind

# So many findings at once are a mail each; more, as after a long day offline, are one mail that counts them.
FINDINGS_EACH_MAX: Final = 3
NAME_SHOWN_MAX: Final = 120

WORDS: Final[dict[str, str]] = {
    FindingKind.TWO_COLLECTORS: "Two desks recorded that the same child was collected by different people.",
    FindingKind.RELEASED_ON_STALE_AUTHORISATION: (
        "A child was handed over to somebody who was no longer allowed to collect it. The desk did not know yet."
    ),
    FindingKind.RELEASED_BY_OVERRIDE: (
        "A child was handed over although something spoke against it: a second person overrode the desk's warning."
    ),
}
WHY_THIS_MAIL: Final = (
    "You get this mail because you are a manager of this centre. It names nobody on purpose: mail is read on many "
    "screens."
)
OTHER_WORDS: Final = "Something was recorded that a manager must look at."


class Notifications:
    """Tells people of what cannot wait until they look by themselves."""

    def __init__(self, outbox: Outbox, base_url: str) -> None:
        """Queue into `outbox`; links begin with `base_url`."""
        self._outbox = outbox
        self._base_url = base_url

    async def tell_missing(self, unit: UnitOfWork, center: Center, day: date, missing: int) -> int:
        """Tell the managers of a centre, once for a day, how many children are missing; gives how many are new."""
        managers = await managers_of(unit, center)
        return await self._outbox.queue(unit, missing_children(center, day, missing, managers, self._base_url))

    async def ask_guardians(self, unit: UnitOfWork, center: Center, day: date, hearers: Sequence[Hearer]) -> int:
        """Ask guardians, once for a day and a child, where it is: it is expected, not here, and announced by nobody."""
        mails = [_absence_asked(center, day, one, self._base_url) for one in hearers]
        return await self._outbox.queue(unit, mails)

    async def tell_critical(self, unit: UnitOfWork, center: Center, keys: Sequence[str]) -> int:
        """Tell the managers of a centre of critical findings, within the transaction that stores them.

        `keys` are those of findings that are open now; one that a manager was told of is passed over. Gives how many
        mails were queued: 0 when the centre has no manager.
        """
        if not keys:
            return 0
        managers = await managers_of(unit, center)
        return await self._outbox.queue(unit, critical_findings(center, keys, managers, self._base_url))

    async def tell_silent(self, unit: UnitOfWork, center: Center, desks: Mapping[str, datetime]) -> int:
        """Tell the managers of a centre, once for each silence, of desks that are not heard (ids, and since when)."""
        managers = await managers_of(unit, center)
        return await self._outbox.queue(unit, [_silent_desks(center, desks, one, self._base_url) for one in managers])

    async def tell_webhook_paused(
        self, unit: UnitOfWork, center: Center, url: str, reason: PauseReason, occasion: str
    ) -> int:
        """Tell the managers of a centre that a webhook is paused; `occasion` (an id) makes each pausing one mail."""
        managers = await managers_of(unit, center)
        host = urlsplit(url).hostname or ""
        return await self._outbox.queue(
            unit, [_webhook_paused(center, host, reason, occasion, one, self._base_url) for one in managers]
        )


async def managers_of(unit: UnitOfWork, center: Center) -> list[str]:
    """Give the e-mail addresses of the active users with the role manager at a centre, in order.

    Admins of the organisation are not asked to run a centre's day, and not told.
    """
    return [account.email for account in await accounts.managers(unit.session, center.id)]


def missing_children(center: Center, day: date, missing: int, managers: Sequence[str], base_url: str) -> list[Mail]:
    """Give the mails that tell each manager how many children nobody announced and nobody saw on a day."""
    name = one_line(center.name)
    children = "1 child" if missing == 1 else f"{missing} children"
    body = "\n".join(
        (
            f"{children} of {name} expected today {'is' if missing == 1 else 'are'} not here, and announced by nobody.",
            "",
            f"Open Rollcall to see who, and to note whom you called: {base_url}",
            "",
            WHY_THIS_MAIL,
            "",
        )
    )
    return [
        Mail(
            dedupe_key=_missing_key(center.id, day, manager),
            recipient=manager,
            subject=f"{name}: {children} not here, and announced by nobody",
            body=body,
            center_id=center.id,
        )
        for manager in managers
    ]


def _absence_asked(center: Center, day: date, hearer: Hearer, base_url: str) -> Mail:
    """Give the mail; its key is that of account, child and day."""
    name = one_line(center.name)
    body = "\n".join(
        (
            f"A child of yours is expected at {name} today and is not here, and nobody has said why.",
            "",
            "If it does not come, say so in Rollcall or call the centre. If it is on its way, do nothing:",
            f"{base_url}",
            "",
            "You get this mail because you chose it. It names nobody on purpose: mail is read on many screens.",
            "",
        )
    )
    key = f"absence_asked:{hearer.user_id}:{hearer.child_id}:{day.isoformat()}"
    subject = f"{name}: A child of yours is expected and not here"
    return Mail(key, hearer.email, subject, body, center.id, hearer.child_id, hearer.user_id)


def _missing_key(center_id: str, day: date, manager: str) -> str:
    material = f"{center_id}\0{day.isoformat()}\0{manager}"
    return f"missing_children:{hashlib.sha256(material.encode()).hexdigest()}"


def _silent_desks(center: Center, desks: Mapping[str, datetime], manager: str, base_url: str) -> Mail:
    name = one_line(center.name)
    what = "1 desk" if len(desks) == 1 else f"{len(desks)} desks"
    body = "\n".join(
        (
            f"The centre {name} is open, and not heard for a while: {what}.",
            "",
            "A desk works on without a network, and what it records is safe on it. But nobody else sees that yet,",
            "and it does not learn what changes here. Look whether it is switched on and has a network.",
            "",
            f"Open Rollcall to see which: {base_url}",
            "",
            WHY_THIS_MAIL,
            "",
        )
    )
    material = "\0".join((center.id, manager, *(f"{one} {desks[one].isoformat()}" for one in sorted(desks))))
    key = f"silent_desks:{hashlib.sha256(material.encode()).hexdigest()}"
    return Mail(key, manager, f"{name}: {what} not heard", body, center.id)


def _webhook_paused(
    center: Center, host: str, reason: PauseReason, occasion: str, manager: str, base_url: str
) -> Mail:  # fmt: skip
    """The address may hold a token, so only its host is named."""
    name = one_line(center.name)
    why = "it failed for three days" if reason is PauseReason.FAILING else "its receiver said that it is gone"
    body = "\n".join(
        (
            f"The webhook of {name} to {one_line(host)} is paused: {why}.",
            "",
            "Nothing is lost for now: once it is active again, it is told what it missed in the last 30 days.",
            f"Its log of deliveries says what went wrong: {base_url}",
            "",
            WHY_THIS_MAIL,
            "",
        )
    )
    key = hashlib.sha256(f"{occasion}\0{manager}".encode()).hexdigest()
    return Mail(f"webhook_paused:{key}", manager, f"{name}: a webhook is paused", body, center.id)


def critical_findings(center: Center, keys: Sequence[str], managers: Sequence[str], base_url: str) -> list[Mail]:
    """Give the mails that tell each manager of critical findings: one for each key, or one for many.

    The kind of a finding is the part of its key before the first colon, as `sync.findings` makes it.
    """
    different = sorted(set(keys))
    groups = [[key] for key in different] if len(different) <= FINDINGS_EACH_MAX else [different]
    return [_critical(center, group, manager, base_url) for group in groups for manager in managers]


def _critical(center: Center, keys: Sequence[str], manager: str, base_url: str) -> Mail:
    name = one_line(center.name)
    what = "Something critical" if len(keys) == 1 else f"{len(keys)} critical things"
    happened = Counter(WORDS.get(key.partition(":")[0], OTHER_WORDS) for key in keys)
    lines = [f"- {words}{f' ({times} times)' if times > 1 else ''}" for words, times in sorted(happened.items())]
    body = "\n".join(
        (
            f"{what} happened at {name}:",
            "",
            *lines,
            "",
            f"Open Rollcall to see who and when, and to answer: {base_url}",
            "",
            WHY_THIS_MAIL,
            "",
        )
    )
    return Mail(
        dedupe_key=_dedupe_key(center.id, keys, manager),
        recipient=manager,
        subject=f"{name}: {what[0].lower()}{what[1:]} for you to look at",
        body=body,
        center_id=center.id,
    )


def _dedupe_key(center_id: str, keys: Sequence[str], manager: str) -> str:
    """Which findings told to whom, in a fixed length; no field holds a NUL, so no two run into each other."""
    material = "\0".join((center_id, manager, *keys))
    return f"critical_findings:{hashlib.sha256(material.encode()).hexdigest()}"


def one_line(name: str) -> str:
    """Give the name of a centre so that it fits into a subject: one line, not too long."""
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())
    return plain if len(plain) <= NAME_SHOWN_MAX else f"{plain[: NAME_SHOWN_MAX - 1]}…"
