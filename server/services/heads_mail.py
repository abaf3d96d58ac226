"""Each signed day by mail to those whom the operator names: a copy outside that no copy command has to carry."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from server.core.signed_heads import SignedSheet, key_id, to_line
from server.repositories.unit_of_work import UnitOfWork
from server.services.mail import Mail, Outbox

# Of the 10,000 of a mail; a sheet of some ten centres is as long. One that is longer lies in the file alone.
LINE_CHARACTERS_MAX: Final = 9_000


@dataclass(frozen=True, slots=True)
class HeadsMail:
    """Mails sheets to `recipients`."""

    outbox: Outbox
    recipients: Sequence[str]

    async def queue(self, unit: UnitOfWork, signed: SignedSheet) -> None:
        """Queue the mails of a sheet, in the transaction that stores it."""
        await self.outbox.queue(unit, mails_of(signed, self.recipients))


def mails_of(signed: SignedSheet, recipients: Sequence[str]) -> list[Mail]:
    """Give the mails of a sheet, which hold ids and hashes and name nobody; each is queued once ever."""
    sheet = signed.sheet
    line = to_line(signed).decode().strip()
    whole = (
        "Keep this mail. The line below is the sheet itself: put it into a file, with those of other days, and",
        "rollcall-server verify --heads FILE names what is not any more what was signed.",
        "",
        line,
    )
    digest = ("The sheet is too long for a mail: it lies in SIGNED_HEADS_PATH. Keep its digest, by which it is known.",)
    body = "\n".join(
        (
            f"Sheet {sheet.number} of {sheet.day}: where {len(sheet.heads)} chains of this server stand.",
            f"Digest {sheet.digest.hex()}, signed with the key {key_id(signed.public_key)}.",
            "",
            *(whole if len(line) <= LINE_CHARACTERS_MAX else digest),
            "",
        )
    )
    subject = f"Rollcall: signed heads of {sheet.day}, number {sheet.number}"
    return [Mail(_key(signed, recipient), recipient, subject, body) for recipient in recipients]


def _key(signed: SignedSheet, recipient: str) -> str:
    material = f"{signed.sheet.digest.hex()}\0{recipient}"
    return f"signed_heads:{hashlib.sha256(material.encode()).hexdigest()}"
