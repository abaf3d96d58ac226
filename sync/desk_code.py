"""Desk codes: what a desk shows to a parent who stands before it, so that their telephone can say which desk that is.

A code is made from the centre's pepper, the desk and the minute, so a desk makes one without a network, and the server,
which can make the pepper, knows of which desk it is. It is no secret for long and gives no right: who sends it has an
account, and the code says that they are, or just were, where it is shown.
"""

import hmac
from collections.abc import Iterable
from typing import Final

from sync.pickup_code import ALPHABET

CODE_CHARACTERS: Final = 8
"""20 ** 8 codes; a centre of ten desks has forty good ones at a time, so a guess is right once in 640 million times."""
GROUP_CHARACTERS: Final = 4
STEP_MS: Final = 60_000
# Who begins to type at the end of a minute has two more; a desk's clock may be ahead by a minute.
STEPS_BEHIND: Final = 2
STEPS_AHEAD: Final = 1
# What the pepper seals is a PIN, and what another key of it seals a card; a key of its own keeps codes apart.
_KEY_LABEL: Final = b"rollcall-desk-code-key-v1"
_CODE_LABEL: Final = b"rollcall-desk-code-v1\n"


def desk_code(pepper: bytes, device_id: str, at_ms: int) -> str:
    """The code that a desk shows at a moment (UTC milliseconds by the server's clock)."""
    return _code(_key(pepper), device_id, at_ms // STEP_MS)


def left_ms(at_ms: int) -> int:
    """For how long yet a desk shows the code of a moment (milliseconds); it is good for at least as long again."""
    return STEP_MS - at_ms % STEP_MS


def shown(code: str) -> str:
    """A code as people read it out: in groups."""
    return f"{code[:GROUP_CHARACTERS]} {code[GROUP_CHARACTERS:]}"


def typed_code(text: str) -> str:
    """The code in what a person typed; case, blanks and hyphens do not matter. Empty: it is none."""
    signs = "".join(sign for sign in text.upper() if sign not in " -")
    return signs if len(signs) == CODE_CHARACTERS and set(signs) <= set(ALPHABET) else ""


def desk_of(code: str, pepper: bytes, device_ids: Iterable[str], now_ms: int) -> str | None:
    """Which of these desks shows this code, or did a moment ago; None: none of them.

    All of them are tried, whichever it is, so that the time it takes tells nothing.
    """
    key, found = _key(pepper), None
    now = now_ms // STEP_MS
    for device_id in device_ids:
        for step in range(now - STEPS_BEHIND, now + STEPS_AHEAD + 1):
            if hmac.compare_digest(_code(key, device_id, step).encode(), code.encode()):
                found = device_id
    return found


def _key(pepper: bytes) -> bytes:
    return hmac.digest(pepper, _KEY_LABEL, "sha256")


def _code(key: bytes, device_id: str, step: int) -> str:
    number = int.from_bytes(hmac.digest(key, _CODE_LABEL + f"{device_id}\n{step}".encode(), "sha256"), "big")
    signs = []
    for _ in range(CODE_CHARACTERS):
        number, rest = divmod(number, len(ALPHABET))
        signs.append(ALPHABET[rest])
    return "".join(signs)
