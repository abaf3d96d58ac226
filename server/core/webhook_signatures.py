"""Signatures of webhooks, as Standard Webhooks 1.0 has them (standardwebhooks.com), and the secrets behind them.

Signed is `{id}.{timestamp}.{body}` with HMAC-SHA256 under the 32 bytes that follow `whsec_` in the secret. A secret
follows from the id of its webhook, a number and SECRET_KEY: it is stored nowhere, and a copy of the database signs
nothing.
"""

import base64
import hashlib
import hmac
import uuid
from typing import Final

from server.core.tokens import derive_key

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how every secret begins, and none
SIGNATURE_VERSION: Final = "v1"


class WebhookSecrets:
    """Makes the secrets of webhooks."""

    def __init__(self, secret_key: str) -> None:
        """Derive the one key from which they follow."""
        self._key = derive_key(secret_key, "webhook-secret")

    def secret(self, webhook_id: str, number: int) -> str:
        """Give the secret of a webhook (its id, a UUID) after `number` - 1 rotations, as its integrator keeps it."""
        material = uuid.UUID(webhook_id).bytes + number.to_bytes(4, "big")
        return SECRET_PREFIX + base64.b64encode(hmac.digest(self._key, material, hashlib.sha256)).decode("ascii")


def signature(secret: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    """Give the signature of a message under a secret, with its version before it.

    Raises:
        ValueError: that is no secret.

    """
    if not secret.startswith(SECRET_PREFIX):
        raise ValueError(f"a secret begins with {SECRET_PREFIX}")
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    signed = b".".join((message_id.encode(), str(timestamp_s).encode(), body))
    return f"{SIGNATURE_VERSION},{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode('ascii')}"


def signed_headers(secrets: list[str], message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """Give the three headers of a message; several secrets (during a rotation) are several signatures."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(signature(secret, message_id, timestamp_s, body) for secret in secrets),
    }
