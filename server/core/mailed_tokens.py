"""Tokens that are given out by mail: they follow from the id of a row and SECRET_KEY, and are stored nowhere.

A mail waits in a table, and stays there for a while after it went out. So its body holds a mark in place of the token,
which is put in when the mail is handed to the mail server. A copy of the database opens nothing.
"""

import base64
import binascii
import hashlib
import hmac
import re
import uuid
from enum import StrEnum
from typing import Final

from server.core.tokens import derive_key

TOKEN_CHARACTERS: Final = 64  # 16 bytes of the id and 32 of HMAC-SHA256, in base64url
_ID_BYTES: Final = 16
_SHAPE = re.compile(r"[A-Za-z0-9_-]{64}", re.ASCII)
_MARK = re.compile(
    r"\[\[(recovery|invitation|export):([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\]\]"
)


class TokenKind(StrEnum):
    """What a mailed token is for; one key each."""

    RECOVERY = "recovery"
    INVITATION = "invitation"
    EXPORT = "export"


class MailedTokens:
    """Makes tokens for mails and reads them."""

    def __init__(self, secret_key: str) -> None:
        """Derive one key for each kind."""
        self._keys = {kind: derive_key(secret_key, f"mailed-token:{kind}") for kind in TokenKind}

    def token(self, kind: TokenKind, row_id: str) -> str:
        """Give the token of a row (its id, a UUID)."""
        named = uuid.UUID(row_id).bytes
        return base64.urlsafe_b64encode(named + hmac.digest(self._keys[kind], named, hashlib.sha256)).decode("ascii")

    def row_of(self, kind: TokenKind, token: str) -> str | None:
        """Give the id of the row that a token is of; None for what is no token of ours and this kind."""
        if not _SHAPE.fullmatch(token):
            return None
        try:
            data = base64.b64decode(token, altchars=b"-_", validate=True)
        except binascii.Error:
            return None
        row_id = str(uuid.UUID(bytes=data[:_ID_BYTES]))
        return row_id if hmac.compare_digest(self.token(kind, row_id), token) else None

    def fill(self, body: str) -> str:
        """Put tokens in place of the marks of a body."""
        return _MARK.sub(lambda found: self.token(TokenKind(found[1]), found[2]), body)


def mark(kind: TokenKind, row_id: str) -> str:
    """Give what stands in a waiting mail in place of the token of a row."""
    return f"[[{kind}:{row_id}]]"
