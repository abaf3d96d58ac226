"""Passwords: the rules for a new one, and argon2id by the passlib interface, away from the event loop."""

import asyncio
import unicodedata
from itertools import pairwise
from typing import Any, Final

from passlib.hash import argon2

from server.core.errors import FieldProblem, InvalidInput

PASSWORD_LENGTH_MIN: Final = 15  # NIST SP 800-63B-4 section 3.1.1.2, a password as the only factor
PASSWORD_LENGTH_MAX: Final = 256  # bounds the work before hashing
HASH_LENGTH_MAX: Final = 256
# OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, two passes, one lane.
_MEMORY_KIB: Final = 19 * 1024
_PASSES: Final = 2
_LANES: Final = 1
_BLOCKLIST = frozenset({
    "passwordpassword", "password1234567", "password12345678", "passw0rdpassw0rd", "123456789012345",
    "1234567890123456", "qwertyuiopasdfg", "qwertyuiopasdfgh", "qwertyuiop12345", "qwertyuiop123456",
    "iloveyouiloveyou", "letmeinletmeinletmein", "correcthorsebatterystaple", "administrator123",
    "changemechangeme", "welcomewelcome1", "abcdefghijklmno", "abcdefghijklmnop",
    "thisismypassword", "mypasswordispassword", "trustno1trustno1", "1q2w3e4r5t6y7u8i", "1qaz2wsx3edc4rfv",
    "zaq12wsxcde34rfv", "987654321098765", "111222333444555",
})  # fmt: skip
_CONTEXT_WORDS = frozenset({"rollcall", "childcare", "daycare", "nursery", "kiosk", "password", "admin"})
_CONTEXT_REMAINDER_MIN = 8


def check_new_password(password: str, context_words: tuple[str, ...] = ()) -> None:
    """Raise InvalidInput when a password is too short, too long, common, or made of known words.

    `context_words` are texts an attacker knows, such as the parts of the e-mail address or the centre's name.
    There are no composition rules. The message never repeats the password.
    """
    text = _normalised(password)
    if len(text) < PASSWORD_LENGTH_MIN:
        _refuse(f"Use at least {PASSWORD_LENGTH_MIN} characters; several words in a row are easy to remember")
    if len(password) > PASSWORD_LENGTH_MAX or len(text) > PASSWORD_LENGTH_MAX:
        _refuse(f"Use at most {PASSWORD_LENGTH_MAX} characters")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        _refuse("Use no control characters")
    if _is_common(text.casefold(), context_words):
        _refuse("This password is common or made of words that belong to the account; choose another")


class Passwords:
    """Hashes and verifies with argon2id, `concurrency` at once, so that a flood leaves other work alone."""

    def __init__(self, concurrency: int = 2) -> None:
        """Bound the memory used to `concurrency` times 19 MiB."""
        self._hasher: Any = argon2.using(type="ID", memory_cost=_MEMORY_KIB, time_cost=_PASSES, parallelism=_LANES)
        self._free = asyncio.Semaphore(concurrency)
        self._dummy_hash = ""

    async def hash(self, password: str) -> str:
        """Give the hash to store. Raises InvalidInput when the password breaks `check_new_password`."""
        check_new_password(password)
        async with self._free:
            return str(await asyncio.to_thread(self._hasher.hash, _normalised(password)))

    async def verify(self, password: str, stored: str) -> bool:
        """Tell whether the password made the stored hash; False too for an impossible password or hash.

        It takes the same work in every case that an outsider can bring about.
        """
        text = _normalised(password[: PASSWORD_LENGTH_MAX + 1])
        if len(password) > PASSWORD_LENGTH_MAX or not self._is_ours(stored) or "\x00" in text:
            await self.dummy_verify()
            return False
        async with self._free:
            return await asyncio.to_thread(self._verified, text, stored)

    async def dummy_verify(self) -> None:
        """Do the work of one `verify` for nobody, so that an unknown account costs the same time."""
        async with self._free:
            if not self._dummy_hash:
                self._dummy_hash = str(await asyncio.to_thread(self._hasher.hash, "nobody has this password"))
            await asyncio.to_thread(self._verified, "wrong", self._dummy_hash)

    def needs_update(self, stored: str) -> bool:
        """Tell whether the hash was made with other costs than today's and should be made anew at log-in."""
        try:
            return not self._is_ours(stored) or bool(self._hasher.needs_update(stored))
        except ValueError:  # damaged
            return True

    def _is_ours(self, stored: str) -> bool:
        return len(stored) <= HASH_LENGTH_MAX and bool(self._hasher.identify(stored))

    def _verified(self, text: str, stored: str) -> bool:
        try:
            return bool(self._hasher.verify(text, stored))
        except (ValueError, TypeError):  # a damaged hash; a lone surrogate in the password
            return False


def _normalised(password: str) -> str:
    """NFKC, as NIST SP 800-63B-4 section 3.1.1.2 advises, so that every keyboard spells it alike."""
    return unicodedata.normalize("NFKC", password)


def _is_common(text: str, context_words: tuple[str, ...]) -> bool:
    letters = "".join(character for character in text if character.isalnum())
    if text in _BLOCKLIST or letters in _BLOCKLIST or _is_repetition(text):
        return True
    remainder = letters
    for word in sorted({*_CONTEXT_WORDS, *(word.casefold() for word in context_words)}, key=len, reverse=True):
        if len(word) >= 4:  # noqa: PLR2004 - shorter words occur in any sentence
            remainder = remainder.replace(word, "")
    return remainder != letters and len(remainder) < _CONTEXT_REMAINDER_MIN


def _is_repetition(text: str) -> bool:
    """Tell whether the text is one piece of up to six characters over and over, or a run such as 7890123."""
    if any(text == (text[:size] * len(text))[: len(text)] for size in range(1, 7)):
        return True
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    return steps <= {1, -9} or steps <= {-1, 9}


def _refuse(detail: str) -> None:
    raise InvalidInput(detail, (FieldProblem("/password", detail),))
