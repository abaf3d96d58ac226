"""Signed tokens: the only module that imports `jose`, and the only judge of a token from outside.

RFC 8725: one algorithm, one key per purpose, explicit types, every claim checked, and a token is refused on
any doubt. python-jose checks the signature; the header and the claims are parsed here, strictly, because the
library is lenient about base64, duplicate names and number forms, and reads the machine's clock.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NoReturn

from jose import jwk, jws
from jose.backends.base import Key

from server.core.clock import Clock
from server.core.errors import InvalidToken

ALGORITHM: Final = "HS256"
ISSUER: Final = "rollcall"
TOKEN_LENGTH_MAX: Final = 4096  # a token of ours has about 390 characters; proxies cut headers at 8 KiB
HEADER_LENGTH_MAX: Final = 256
SUBJECT_LENGTH_MAX: Final = 64
LIFETIME_MAX_S: Final = 3600
_TOKEN_SHAPE = re.compile(r"[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]{43}", re.ASCII)
_TEXT_SHAPE = re.compile(r"[!-~]{1,64}", re.ASCII)
_CLAIMS = frozenset({"iss", "aud", "sub", "iat", "exp", "jti"})
_SESSION_CLAIM = "sid"
_TIME_MAX_S = 1 << 40


class TokenPurpose(StrEnum):
    """What a token is for; one key each, so that one can never pass for the other."""

    ACCESS = "access"
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a good token says; times in whole seconds since the Unix epoch, a session for access tokens only."""

    subject: str
    token_id: str
    issued_at_s: int
    expires_at_s: int
    session_id: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class _PurposeKey:
    key: Key
    kid: str
    typ: str
    audience: str
    has_session: bool


class Tokens:
    """Issues and verifies tokens under keys derived from SECRET_KEY."""

    def __init__(
        self,
        secret_key: str,
        clock: Clock,
        new_token_id: Callable[[], str] = lambda: secrets.token_urlsafe(16),
    ) -> None:
        """Derive one key per purpose; `new_token_id` gives 1 to 64 printable ASCII characters, always new."""
        self._clock = clock
        self._new_token_id = new_token_id
        self._keys = {purpose: _derive(secret_key, purpose) for purpose in TokenPurpose}

    def issue(self, purpose: TokenPurpose, subject: str, *, lifetime_s: int, session_id: str = "") -> str:
        """Sign a token for `subject` (an id, never a name) that is good for `lifetime_s` seconds from now.

        An access token belongs to a session, a device's token to none.

        Raises ValueError for a subject, a session or a lifetime that `verify` would refuse.
        """
        if not _TEXT_SHAPE.fullmatch(subject) or not 0 < lifetime_s <= LIFETIME_MAX_S:
            raise ValueError("the subject or the lifetime of the token is out of bounds")
        now_s = self._clock.wall_ms() // 1000
        key = self._keys[purpose]
        if bool(session_id) != key.has_session or (session_id and not _TEXT_SHAPE.fullmatch(session_id)):
            raise ValueError("an access token needs a session, and no other token may have one")
        claims = {
            "iss": ISSUER,
            "aud": key.audience,
            "sub": subject,
            "iat": now_s,
            "exp": now_s + lifetime_s,
            "jti": self._new_token_id(),
        }
        if session_id:
            claims[_SESSION_CLAIM] = session_id
        return str(jws.sign(claims, key.key, headers={"typ": key.typ, "kid": key.kid}, algorithm=ALGORITHM))

    def verify(self, purpose: TokenPurpose, token: object) -> TokenClaims:
        """Give the claims of a good token. Raises InvalidToken for every other thing, and nothing else."""
        try:
            return self._checked(self._keys[purpose], token)
        except InvalidToken:
            raise
        except Exception as error:  # deep nesting and odd numbers raise what no library documents
            raise InvalidToken from error

    def _checked(self, key: _PurposeKey, token: object) -> TokenClaims:
        if not isinstance(token, str) or len(token) > TOKEN_LENGTH_MAX or not _TOKEN_SHAPE.fullmatch(token):
            _refuse()
        header_part, claims_part, signature_part = token.split(".")
        _decoded(signature_part)
        if len(header_part) > HEADER_LENGTH_MAX:
            _refuse()
        if _parsed(header_part) != {"alg": ALGORITHM, "typ": key.typ, "kid": key.kid}:
            _refuse()
        # Nothing of the payload is looked at before the signature holds.
        jws.verify(token, key.key, algorithms=[ALGORITHM])
        return self._claims(key, _parsed(claims_part))

    def _claims(self, key: _PurposeKey, claims: dict[str, Any]) -> TokenClaims:
        wanted = _CLAIMS | {_SESSION_CLAIM} if key.has_session else _CLAIMS
        if claims.keys() != wanted or claims["iss"] != ISSUER or claims["aud"] != key.audience:
            _refuse()
        subject, token_id = _text(claims["sub"]), _text(claims["jti"])
        issued_at_s, expires_at_s = _seconds(claims["iat"]), _seconds(claims["exp"])
        now_s = self._clock.wall_ms() // 1000
        if not issued_at_s <= now_s < expires_at_s or expires_at_s - issued_at_s > LIFETIME_MAX_S:
            _refuse()
        session_id = _text(claims[_SESSION_CLAIM]) if key.has_session else ""
        return TokenClaims(subject, token_id, issued_at_s, expires_at_s, session_id)


def derive_key(secret_key: str, label: str) -> bytes:
    """Derive 32 bytes for one use from SECRET_KEY: HKDF-SHA256 (RFC 5869), one block, info `label`."""
    pseudo_random = hmac.digest(b"rollcall-keys-v1", secret_key.encode(), hashlib.sha256)
    return hmac.digest(pseudo_random, label.encode() + b"\x01", hashlib.sha256)


def _derive(secret_key: str, purpose: TokenPurpose) -> _PurposeKey:
    material = derive_key(secret_key, f"token:{purpose}")
    kid = derive_key(secret_key, f"token-kid:{purpose}")[:6].hex()
    key = jwk.construct(material, ALGORITHM)
    return _PurposeKey(
        key=key,
        kid=f"{purpose}-{kid}",
        typ=f"{purpose}+jwt",
        audience=f"{ISSUER}:{purpose}",
        has_session=purpose is TokenPurpose.ACCESS,
    )


def _decoded(part: str) -> bytes:
    data = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii") != part:
        _refuse()  # two spellings of one token would slip past a list of revoked ones
    return data


def _parsed(part: str) -> dict[str, Any]:
    value = json.loads(_decoded(part).decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse)
    if not isinstance(value, dict):
        _refuse()
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        _refuse()
    return found


def _text(value: object) -> str:
    if not isinstance(value, str) or not _TEXT_SHAPE.fullmatch(value):
        _refuse()
    return value


def _seconds(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _TIME_MAX_S:
        _refuse()
    return value


def _refuse(_constant: str = "") -> NoReturn:
    raise InvalidToken
