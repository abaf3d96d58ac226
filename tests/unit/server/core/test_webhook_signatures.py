"""Signatures of webhooks are those of Standard Webhooks, and those of docs/webhooks.md."""

import re
from pathlib import Path

import pytest

from server.core.webhook_signatures import WebhookSecrets, signature, signed_headers

DOCUMENT = Path(__file__).parents[4] / "docs/webhooks.md"
KEY = "n2Xw7-Qv4bK9_tR3yLz8mHc5jDg6fPs1aEu0oViW"
HOOK = "0192f0c1-2b7e-7000-8000-000000000001"


def test_the_example_of_the_standard_comes_out() -> None:
    # https://github.com/standard-webhooks/standard-webhooks: the vector that its libraries are tested with.
    found = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_vectors_of_the_document_come_out() -> None:
    text = DOCUMENT.read_text("utf-8")
    pattern = r"^secret: (\S+)\nid: (\S+)\ntimestamp: (\d+)\nbody: (.+)\nsignature: (\S+)$"
    vectors = re.findall(pattern, text, re.MULTILINE)
    assert len(vectors) >= 2
    for secret, message_id, timestamp, body, told in vectors:
        assert signature(secret, message_id, int(timestamp), body.encode()) == told


def test_a_rotation_signs_with_both_secrets() -> None:
    made = WebhookSecrets(KEY)
    first, second = made.secret(HOOK, 1), made.secret(HOOK, 2)
    headers = signed_headers([second, first], "log_1", 1_790_000_000, b"{}")
    assert headers["webhook-signature"].split(" ") == [
        signature(second, "log_1", 1_790_000_000, b"{}"),
        signature(first, "log_1", 1_790_000_000, b"{}"),
    ]
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("log_1", "1790000000")


def test_a_secret_follows_from_the_webhook_the_number_and_the_key() -> None:
    secrets = {
        WebhookSecrets(key).secret(hook, number)
        for key in (KEY, KEY[::-1])
        for hook in (HOOK, HOOK.replace("1", "2"))
        for number in (1, 2)
    }
    assert len(secrets) == 8
    assert WebhookSecrets(KEY).secret(HOOK, 1) in secrets
    assert all(re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", one) for one in secrets)
    with pytest.raises(ValueError, match="begins with"):
        signature("C2FVsBQIhrscChlQIMV", "m", 1, b"")
