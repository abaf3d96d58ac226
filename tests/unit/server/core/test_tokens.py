"""Tokens: what is accepted is exactly what was issued, whatever a stranger sends."""

import base64
import hashlib
import hmac
import json
import subprocess
import sys
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.core.clock import SystemClock
from server.core.errors import InvalidToken
from server.core.tokens import ISSUER, LIFETIME_MAX_S, TokenPurpose, Tokens, derive_key
from tests.support.clock import FakeClock

SECRET = "correct horse battery staple, but longer than that"
SUBJECT = "0192f0c1-2345-7abc-8def-0123456789ab"
SESSION = "0192f0c1-9999-7abc-8def-0123456789ab"
ACCESS = TokenPurpose.ACCESS
KEY = derive_key(SECRET, "token:access")


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: bytes, payload: bytes, key: bytes = KEY, digest: str = "sha256") -> str:
    body = f"{encoded(header)}.{encoded(payload)}"
    return f"{body}.{encoded(hmac.digest(key, body.encode(), digest))}"


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, payload, _signature = token.split(".")
    first, second = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in (header, payload))
    return first, second


def issued(tokens: Tokens, purpose: TokenPurpose = ACCESS) -> str:
    return tokens.issue(purpose, SUBJECT, lifetime_s=900, session_id=SESSION if purpose is ACCESS else "")


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tokens(clock: FakeClock) -> Tokens:
    return Tokens(SECRET, clock)


@pytest.mark.parametrize("purpose", list(TokenPurpose))
def test_an_issued_token_is_good_until_it_expires(tokens: Tokens, clock: FakeClock, purpose: TokenPurpose) -> None:
    token = issued(tokens, purpose)
    claims = tokens.verify(purpose, token)
    assert (claims.subject, claims.expires_at_s - claims.issued_at_s) == (SUBJECT, 900)
    assert claims.session_id == (SESSION if purpose is ACCESS else "")
    clock.advance_ms(899_000)
    tokens.verify(purpose, token)
    clock.advance_ms(1_000)
    with pytest.raises(InvalidToken):
        tokens.verify(purpose, token)


def test_a_token_of_one_purpose_is_none_of_the_other(tokens: Tokens) -> None:
    with pytest.raises(InvalidToken):
        tokens.verify(TokenPurpose.DEVICE, issued(tokens))


def test_a_token_of_another_secret_is_refused(tokens: Tokens, clock: FakeClock) -> None:
    with pytest.raises(InvalidToken):
        tokens.verify(ACCESS, issued(Tokens(SECRET + "!", clock)))


def test_a_token_from_the_future_is_refused(tokens: Tokens, clock: FakeClock) -> None:
    token = issued(tokens)
    clock.advance_ms(-1000)
    with pytest.raises(InvalidToken):
        tokens.verify(ACCESS, token)


def test_every_token_has_its_own_id(tokens: Tokens) -> None:
    ids = {tokens.verify(ACCESS, issued(tokens)).token_id for _ in range(50)}
    assert len(ids) == 50


@pytest.mark.parametrize(("subject", "lifetime_s"), [("", 9), ("a b", 9), ("x" * 65, 9), (SUBJECT, 0), (SUBJECT, 3601)])
def test_what_would_be_refused_is_not_issued(tokens: Tokens, subject: str, lifetime_s: int) -> None:
    with pytest.raises(ValueError, match="out of bounds"):
        tokens.issue(ACCESS, subject, lifetime_s=lifetime_s, session_id=SESSION)


@pytest.mark.parametrize(("purpose", "session_id"), [(ACCESS, ""), (ACCESS, "x" * 65), (TokenPurpose.DEVICE, SESSION)])
def test_only_an_access_token_has_a_session(tokens: Tokens, purpose: TokenPurpose, session_id: str) -> None:
    with pytest.raises(ValueError, match="needs a session"):
        tokens.issue(purpose, SUBJECT, lifetime_s=900, session_id=session_id)


@pytest.mark.parametrize("purpose", list(TokenPurpose))
def test_a_session_is_claimed_by_access_tokens_and_by_no_others(tokens: Tokens, purpose: TokenPurpose) -> None:
    header, payload = parts(issued(tokens, purpose))
    turned = {**payload, "sid": SESSION}
    if purpose is ACCESS:
        del turned["sid"]
    with pytest.raises(InvalidToken):
        tokens.verify(purpose, signed(compact(header), compact(turned), derive_key(SECRET, f"token:{purpose}")))


HEADER_CHANGES: dict[str, Any] = {
    "no algorithm": {"alg": None}, "algorithm none": {"alg": "none"}, "None": {"alg": "None"},
    "HS384": {"alg": "HS384"}, "RS256": {"alg": "RS256"}, "lower case": {"alg": "hs256"},
    "list": {"alg": ["HS256"]},
    "other type": {"typ": "JWT"}, "device type": {"typ": "device+jwt"},
    "other key": {"kid": "access-000000000000"},
    "path as key": {"kid": "../../dev/null"}, "number as key": {"kid": 1}, "extra": {"x": 1},
    "critical": {"crit": ["exp"]},
    "unencoded": {"b64": False}, "embedded key": {"jwk": {"kty": "oct", "k": "AAAA"}},
    "url": {"jku": "https://example.org"},
    "compressed": {"zip": "DEF"}, "nested": {"cty": "JWT"},
}  # fmt: skip
CLAIM_CHANGES: dict[str, Any] = {
    "other issuer": {"iss": "somebody"}, "issuers": {"iss": [ISSUER]},
    "other audience": {"aud": "rollcall:device"},
    "audiences": {"aud": ["rollcall:access"]}, "number as subject": {"sub": 1}, "empty subject": {"sub": ""},
    "NUL": {"sub": "a\x00b"}, "no subject": {"sub": ...}, "no id": {"jti": ...},
    "no issue time": {"iat": ...},
    "no end": {"exp": ...}, "no audience": {"aud": ...}, "no issuer": {"iss": ...},
    "end as text": {"exp": "9999999999"},
    "end as fraction": {"exp": 9999999999.5}, "true end": {"exp": True}, "null end": {"exp": None},
    "endless": {"exp": float("inf")}, "not a number": {"exp": float("nan")}, "minus": {"iat": -1},
    "huge": {"exp": 10**40},
    "too long": {"exp": "iat+3601"}, "extra claim": {"admin": True}, "not before": {"nbf": 0},
    "long id": {"jti": "x" * 65}, "list id": {"jti": []},
    "no session": {"sid": ...}, "empty session": {"sid": ""}, "list of sessions": {"sid": [SESSION]},
    "null session": {"sid": None}, "long session": {"sid": "x" * 65}, "NUL in session": {"sid": "a\x00b"},
}  # fmt: skip


@pytest.mark.parametrize("name", HEADER_CHANGES)
def test_a_header_that_differs_is_refused_even_when_well_signed(tokens: Tokens, name: str) -> None:
    header, payload = parts(issued(tokens))
    tokens.verify(ACCESS, signed(compact(header), compact(payload)))
    changed = {key: value for key, value in {**header, **HEADER_CHANGES[name]}.items() if value is not None}
    with pytest.raises(InvalidToken):
        tokens.verify(ACCESS, signed(compact(changed), compact(payload)))


@pytest.mark.parametrize("name", CLAIM_CHANGES)
def test_claims_that_differ_are_refused_even_when_well_signed(tokens: Tokens, name: str) -> None:
    header, payload = parts(issued(tokens))
    changed = {key: value for key, value in {**payload, **CLAIM_CHANGES[name]}.items() if value is not ...}
    if changed.get("exp") == "iat+3601":
        changed["exp"] = payload["iat"] + LIFETIME_MAX_S + 1
    with pytest.raises(InvalidToken):
        tokens.verify(ACCESS, signed(compact(header), compact(changed)))


def hostile(token: str) -> list[object]:
    header, payload, signature = token.split(".")
    head, body = (base64.urlsafe_b64decode(part + "==") for part in (header, payload))
    last = signature[-1]
    twin = signature[:-1] + chr(ord(last) + 1 if last not in "Zz9_" else ord(last) - 1)
    return [
        None, 0, b"", token.encode(), [token], "", ".", "..", "...", "a.b.c", token + ".", "." + token,
        token + "=",
        token + "\n", " " + token, "Bearer " + token, token.replace(".", "..", 1), f"{header}.{payload}.",
        f"{header}.{payload}", f"{payload}.{header}.{signature}", f"{header}=.{payload}.{signature}",
        "x" * 5000,
        f"{header}.{payload}.{twin}", token.upper(), "é" + token[1:], token + "\u0000", "\ud800" + token[1:],
        signed(head, b"[" * 2500), signed(b"[" * 150, body), signed(b'{"a":' * 30, body), signed(head,
        b'{"exp":' * 300),
        signed(head, b""), signed(head, b"null"), signed(head, b"[]"), signed(head, b'"text"'),
        signed(b"\xff\xfe", body),
        signed(head, b"\xff" + body), signed(head, body[:-1] + b',"exp":9999999999}'), signed(head,
        b"\xef\xbb\xbf" + body),
        signed(head[:-1] + b',"alg":"HS256"}', body), signed(head, body.replace(b'"iat":', b'"iat":1e')),
        signed(head, body.replace(b'"exp":', b'"exp":Infinity,"x":')), signed(head, body.replace(b'"exp":',
        b'"exp":' + b"9" * 3000)),
        signed(head, body, b""), signed(head, body, SECRET.encode()), signed(head, body, KEY, "sha512"),
        signed(b'{"alg":"none"}', body, b""), encoded(b'{"alg":"none","typ":"JWT"}') + f".{payload}.",
        f"{header}.{payload}.{encoded(hashlib.sha256(body).digest())}", '{"protected":"", "signatures":[]}',
        f"{header}.{header}.{payload}.{signature}.{signature}",
    ]  # fmt: skip


def test_nothing_hostile_is_accepted_and_nothing_but_invalid_token_is_raised(tokens: Tokens) -> None:
    for number, thing in enumerate(hostile(issued(tokens))):
        try:
            tokens.verify(ACCESS, thing)
        except InvalidToken:
            continue
        pytest.fail(f"hostile token number {number} was accepted: {str(thing)[:120]!r}")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
changes = st.dictionaries(
    st.sampled_from(["iss", "aud", "sub", "iat", "exp", "jti", "sid", "nbf", "alg", "typ", "kid", "crit", "b64", "x"]),
    json_values | st.integers(-5, 4000).map(lambda shift: ("now", shift)),
    max_size=2,
)


@settings(max_examples=300, deadline=None, print_blob=True)
@given(
    header_changes=changes,
    claim_changes=changes,
    flips=st.lists(st.tuples(st.integers(0, 400), st.characters()), max_size=2),
)
def test_what_is_accepted_here_is_accepted_by_pyjwt(
    header_changes: dict[str, Any], claim_changes: dict[str, Any], flips: list[tuple[int, str]]
) -> None:
    clock = FakeClock(SystemClock().wall_ms())  # stands still at the machine's time, which PyJWT looks at
    now_s = clock.wall_ms() // 1000
    ours = Tokens(SECRET, clock)
    header, payload = parts(issued(ours))
    resolve = {name: now_s + value[1] if isinstance(value, tuple) else value for name, value in claim_changes.items()}
    header_now = {name: str(value) if isinstance(value, tuple) else value for name, value in header_changes.items()}
    token = signed(compact({**header, **header_now}), compact({**payload, **resolve}))
    for position, character in flips:
        at = position % len(token)
        token = token[:at] + character + token[at + 1 :]
    try:
        claims = ours.verify(ACCESS, token)
    except InvalidToken:
        return
    theirs = jwt.decode(
        token, KEY, algorithms=["HS256"], audience=f"{ISSUER}:access", issuer=ISSUER,
        options={"require": ["exp", "iat", "aud", "iss", "sub", "jti", "sid"]},
    )  # fmt: skip
    assert (theirs["sub"], theirs["sid"]) == (claims.subject, claims.session_id)


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=200)
    | st.binary(max_size=50)
    | st.from_regex(r"[A-Za-z0-9_-]{2,40}\.[A-Za-z0-9_-]{2,40}\.[A-Za-z0-9_-]{43}")
)
def test_nothing_made_up_is_accepted(thing: object) -> None:
    with pytest.raises(InvalidToken):
        Tokens(SECRET, FakeClock()).verify(ACCESS, thing)


def test_the_libraries_with_known_weaknesses_are_never_imported() -> None:
    code = "import sys, server.core.tokens; print([m for m in ('ecdsa', 'rsa') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_keys_of_two_purposes_and_two_secrets_differ() -> None:
    labels = ["token:access", "token:device", "app-role:rollcall_app"]
    keys = {derive_key(secret, label) for label in labels for secret in (SECRET, SECRET + "!")}
    assert len(keys) == 6
    assert {len(key) for key in keys} == {32}
