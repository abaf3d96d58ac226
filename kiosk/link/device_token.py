"""A device's 15-minute token: bought by a signature over the server's nonce, kept until shortly before it ends."""

import base64
from collections.abc import Callable
from typing import Annotated, Final

import msgspec

from kiosk.keys import DeviceKeys
from kiosk.link.client import NotRollcall, base_url, post

# A token is renewed this long before it ends, so that no dial is refused by a token that ended on its way.
MARGIN_MS: Final = 60_000

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=4_096)]


class _Nonce(msgspec.Struct, frozen=True):
    nonce: Annotated[str, msgspec.Meta(min_length=16, max_length=128)]


class _Token(msgspec.Struct, frozen=True):
    access_token: _Text
    expires_in: Annotated[int, msgspec.Meta(ge=1, le=86_400)]
    # A server of an older version does not tell; one that tells nonsense is taken for one that does not.
    server_version: str = ""


def message_to_sign(device_id: str, nonce: str) -> bytes:
    """What the device signs: bound to its purpose, its id, and this one nonce."""
    return f"rollcall-device-token-v1\n{device_id}\n{nonce}".encode()


class TokenSource:
    """Gives a token that is good for a while yet."""

    def __init__(self, keys: DeviceKeys, monotonic_ms: Callable[[], int], timeout_ms: int) -> None:
        self._keys = keys
        self._monotonic_ms = monotonic_ms
        self._timeout_ms = timeout_ms
        self.server_version = ""
        self._token = ""
        self._good_until_ms = 0

    def forget(self) -> None:
        """The server did not take the token: buy another next time."""
        self._token = ""

    async def token(self) -> str:
        """The kept token, or a new one.

        Raises:
            ServerUnreachable, NotRollcall, Refused: as `client.post`.

        """
        if self._token and self._monotonic_ms() < self._good_until_ms:
            return self._token
        bought = await self._buy()
        self._token = bought.access_token
        self.server_version = bought.server_version
        self._good_until_ms = self._monotonic_ms() + bought.expires_in * 1_000 - MARGIN_MS
        return self._token

    async def _buy(self) -> _Token:
        server = base_url(self._keys.server_url)
        device = f"/api/v1/devices/{self._keys.device_id}"
        offered = await post(server, f"{device}/nonce", {}, _Nonce, self._timeout_ms)
        if not offered.nonce.isascii():
            raise NotRollcall("its nonce is no nonce")
        signature = self._keys.sign(message_to_sign(self._keys.device_id, offered.nonce))
        body = {"nonce": offered.nonce, "signature": base64url(signature)}
        token: _Token = await post(server, f"{device}/token", body, _Token, self._timeout_ms)
        if not token.access_token.isascii() or not token.access_token.isprintable():
            raise NotRollcall("its token is no token")
        return token


def base64url(data: bytes) -> str:
    """Base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
