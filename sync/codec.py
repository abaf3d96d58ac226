"""Bytes to message and back: the only validation of what a peer sent."""

from typing import Final

import msgspec

from sync.errors import CloseCode, UndecodableMessage
from sync.limits import FRAME_BYTES_MAX
from sync.messages import DeviceMessage, ServerMessage

_ENCODER: Final = msgspec.msgpack.Encoder()
_DEVICE_MESSAGES: Final[msgspec.msgpack.Decoder[DeviceMessage]] = msgspec.msgpack.Decoder(DeviceMessage)
_SERVER_MESSAGES: Final[msgspec.msgpack.Decoder[ServerMessage]] = msgspec.msgpack.Decoder(ServerMessage)


def encode(message: DeviceMessage | ServerMessage) -> bytes:
    """One frame.

    Raises:
        ValueError: our own message is larger than a frame may be; a defect of the caller.

    """
    frame = _ENCODER.encode(message)
    if len(frame) > FRAME_BYTES_MAX:
        text = f"a {type(message).__name__} of {len(frame)} bytes does not fit a frame of {FRAME_BYTES_MAX}"
        raise ValueError(text)
    return frame


def decode_from_device(frame: bytes) -> DeviceMessage:
    """What a device sent.

    Raises:
        UndecodableMessage: too large, not MessagePack, unknown message, or a value out of its bounds.

    """
    _check_size(frame)
    try:
        return _DEVICE_MESSAGES.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UndecodableMessage(_reason(error)) from None


def decode_from_server(frame: bytes) -> ServerMessage:
    """What the server sent; raises as `decode_from_device`."""
    _check_size(frame)
    try:
        return _SERVER_MESSAGES.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UndecodableMessage(_reason(error)) from None


def _check_size(frame: bytes) -> None:
    if len(frame) > FRAME_BYTES_MAX:
        message = f"a frame of {len(frame)} bytes is larger than {FRAME_BYTES_MAX}"
        raise UndecodableMessage(message, CloseCode.TOO_BIG)


def _reason(error: Exception) -> str:
    """Why, without the value itself: msgspec names the place and the rule, never the content."""
    return f"not a valid message: {error}"[:120]
