"""Shapes of kiosks: enrolment, nonces, tokens, lists."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from server.schemas.auth import AccessToken
from server.schemas.base import Input, Line, Output

NONCE_CHARACTERS = 43  # 32 bytes in base64url
SIGNATURE_CHARACTERS = 86  # 64 bytes


class EnrolmentCodeIn(Input):
    """For which desk; without a name the kiosk chooses one."""

    device_name: Annotated[Line, Field(max_length=200)] = ""


class EnrolmentCodeOut(Output):
    """A code, shown once."""

    code: str = Field(examples=["7KQX-M2PD"])
    expires_at: datetime


class DeviceToken(AccessToken):
    """The token of a device, and the version of the server's program: an older desk tells its people."""

    server_version: str


class EnrolIn(Input):
    """A kiosk that wants to be trusted; `public_key` is its raw Ed25519 key in base64url without padding."""

    code: Annotated[Line, Field(max_length=40)]
    public_key: Annotated[str, Field(min_length=43, max_length=43)]
    device_name: Annotated[Line, Field(max_length=200)] = ""
    app_version: Annotated[Line, Field(max_length=64)] = ""


class EnrolOut(Output):
    """Who the kiosk is from now on, and where it belongs."""

    device_id: str
    device_name: str
    center_id: str
    center_name: str


class NonceOut(Output):
    """A nonce: 32 bytes in base64url, good for one signature within a minute."""

    nonce: str


class DeviceTokenIn(Input):
    """The nonce, and the signature over `rollcall-device-token-v1`, device id and nonce, a line each."""

    nonce: Annotated[str, Field(min_length=NONCE_CHARACTERS, max_length=NONCE_CHARACTERS)]
    signature: Annotated[str, Field(min_length=SIGNATURE_CHARACTERS, max_length=SIGNATURE_CHARACTERS)]


class DeviceOut(Output):
    """A kiosk of the centre."""

    id: str
    name: str
    state: str
    app_version: str
    created_at: datetime
    last_seen_at: datetime | None


class DeviceList(Output):
    """The kiosks of a centre, by name."""

    items: list[DeviceOut]
    next_cursor: str
