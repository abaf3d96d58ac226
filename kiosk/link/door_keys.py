"""The keys by which a desk checks PINs and family codes, fetched from the server against the desk's own token."""

import base64
import binascii
from typing import Annotated

import msgspec

from kiosk.keys import KEY_BYTES, DeviceKeys
from kiosk.link.client import NotRollcall, base_url, get
from kiosk.link.device_token import TokenSource

_Text = Annotated[str, msgspec.Meta(min_length=43, max_length=43)]


class _DoorKeys(msgspec.Struct, frozen=True):
    pin_pepper: _Text
    family_key: _Text


async def with_door_keys(keys: DeviceKeys, tokens: TokenSource, timeout_ms: int) -> DeviceKeys:
    """The desk's keys with the door keys that the server gives now.

    Raises:
        ServerUnreachable, NotRollcall, Refused: as `client.get`; a server of an older version knows no door keys.

    """
    server, path = base_url(keys.server_url), f"/api/v1/devices/{keys.device_id}/door-keys"
    answer: _DoorKeys = await get(server, path, await tokens.token(), _DoorKeys, timeout_ms)
    return msgspec.structs.replace(keys, pin_pepper=_key(answer.pin_pepper), family_key=_key(answer.family_key))


def _key(text: str) -> bytes:
    try:
        key = base64.urlsafe_b64decode(text + "=")
    except (binascii.Error, ValueError) as error:
        raise NotRollcall("its key is no key") from error
    if len(key) != KEY_BYTES:
        raise NotRollcall("its key is no key")
    return key
