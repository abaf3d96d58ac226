"""Refresh tokens: what they look like, how one follows from the other, and which were given out by us.

A token is base64url of 64 bytes: the id of its session (16), a secret (32), and a tag over both (16). The tag tells a
token that was given out once from one that somebody made up, without looking anything up: only the former can be a
theft and end its session, so nobody can end a session by guessing.

The next token is an HMAC of the current one under a key from SECRET_KEY and a salt that is new each time. Whoever lost
the answer can be given it again although no token is stored; a copy of the database alone, or an old token and
SECRET_KEY without the database, give none.
"""

import base64
import binascii
import hashlib
import hmac
import re
import uuid
from dataclasses import dataclass
from typing import Final

from server.core.tokens import derive_key

SECRET_BYTES: Final = 32  # RFC 9700 and RFC 6749 section 10.10: 256 bits cannot be guessed
SALT_BYTES: Final = 32
_ID_BYTES: Final = 16
_TAG_BYTES: Final = 16
TOKEN_CHARACTERS: Final = 86
_SHAPE = re.compile(r"[A-Za-z0-9_-]{86}", re.ASCII)


@dataclass(frozen=True, slots=True, repr=False)
class RefreshToken:
    """A token that bears our tag; `text` is what the client holds, `digest` (32 bytes) what may be stored."""

    session_id: str
    text: str
    digest: bytes


class RefreshTokens:
    """Makes tokens and knows its own."""

    def __init__(self, secret_key: str) -> None:
        """Derive the two keys."""
        self._tag_key = derive_key(secret_key, "refresh-token:tag")
        self._next_key = derive_key(secret_key, "refresh-token:next")

    def first(self, session_id: str, secret: bytes) -> RefreshToken:
        """Make the first token of a session (a UUID) of 32 unpredictable bytes."""
        if len(secret) != SECRET_BYTES:
            raise ValueError("a refresh token is made of 32 bytes")
        named = uuid.UUID(session_id).bytes + secret
        text = base64.urlsafe_b64encode(named + self._tag(named)).rstrip(b"=").decode("ascii")
        return RefreshToken(session_id, text, hashlib.sha256(named).digest())

    def following(self, token: RefreshToken, salt: bytes) -> RefreshToken:
        """Give the token that follows on another by a salt (32 bytes); always the same one."""
        if len(salt) != SALT_BYTES:
            raise ValueError("a salt has 32 bytes")
        return self.first(
            token.session_id, hmac.digest(self._next_key, salt + token.text.encode("ascii"), hashlib.sha256)
        )

    def read(self, text: str) -> RefreshToken | None:
        """Give a token that was given out by us once, good or not any more; None for every other text."""
        if not _SHAPE.fullmatch(text):
            return None
        try:
            data = base64.b64decode(text + "==", altchars=b"-_", validate=True)
        except binascii.Error:
            return None
        named, tag = data[:-_TAG_BYTES], data[-_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(named)):
            return None
        again = self.first(str(uuid.UUID(bytes=named[:_ID_BYTES])), named[_ID_BYTES:])
        return again if again.text == text else None  # two spellings of one token would be two tokens

    def _tag(self, named: bytes) -> bytes:
        return hmac.digest(self._tag_key, named, hashlib.sha256)[:_TAG_BYTES]
