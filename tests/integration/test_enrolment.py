"""How a kiosk comes to be trusted, gets its tokens, and stops being trusted."""

import asyncio
from collections import defaultdict
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from server.core.database import create_engine
from server.core.tokens import TokenPurpose, Tokens
from server.services.enrolment import ALPHABET
from tests.support.api import SECRET, Api, problem
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
async def manager(api: Api) -> dict[str, str]:
    return await api.sign_in("manager")


@pytest.fixture
async def device_id(api: Api, manager: dict[str, str], key: Ed25519PrivateKey) -> str:
    return str((await api.enrol(await api.new_code(manager), key)).json()["device_id"])


def with_other_end(code: str) -> str:
    """A code whose last letter is wrong."""
    return code[:-1] + next(letter for letter in ALPHABET if letter != code[-1])


async def test_a_code_makes_a_device_of_its_centre(api: Api, manager: dict[str, str], key: Ed25519PrivateKey) -> None:
    code = await api.new_code(manager, "Front desk")
    answer = await api.enrol(code.lower().replace("-", " "), key)
    assert answer.status_code == 201
    found = answer.json()
    assert (found["center_id"], found["center_name"]) == (api.centers["north"], "North House")
    path = f"/api/v1/centers/{api.centers['north']}/devices"
    listed = (await api.client.get(path, headers=manager)).json()["items"]
    assert [(one["id"], one["name"], one["state"]) for one in listed] == [(found["device_id"], "Front desk", "active")]


async def test_a_lost_answer_can_be_asked_for_again(api: Api, manager: dict[str, str], key: Ed25519PrivateKey) -> None:
    code = await api.new_code(manager)
    first = await api.enrol(code, key)
    api.clock.advance_ms(3_600_000)
    assert (await api.enrol(code, key)).json() == first.json()


async def test_two_kiosks_cannot_share_a_code(api: Api, manager: dict[str, str], key: Ed25519PrivateKey) -> None:
    code = await api.new_code(manager)
    answers = await asyncio.gather(api.enrol(code, key), api.enrol(code, Ed25519PrivateKey.generate()))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    loser = next(answer for answer in answers if answer.status_code == 409)
    assert problem(loser) == (409, "enrolment_code_used")


async def test_a_code_ends_after_ten_minutes(api: Api, manager: dict[str, str], key: Ed25519PrivateKey) -> None:
    code = await api.new_code(manager)
    api.clock.advance_ms(600_000)
    assert problem(await api.enrol(code, key)) == (410, "enrolment_code_expired")


async def test_a_wrong_code_is_counted_and_locked_after_five_tries(
    api: Api, manager: dict[str, str], key: Ed25519PrivateKey
) -> None:
    code = await api.new_code(manager)
    codes = [problem(await api.enrol(with_other_end(code), key))[1] for _ in range(5)]
    assert codes == ["enrolment_code_wrong"] * 4 + ["enrolment_code_locked"]
    assert problem(await api.enrol(code, key)) == (403, "enrolment_code_locked")


@pytest.mark.parametrize("code", ["2222-2222", "", "ABCD", "0O1I-LLLL", "ABCD-EFGH-JKMN"])
async def test_a_code_that_was_never_made_is_wrong(api: Api, key: Ed25519PrivateKey, code: str) -> None:
    assert problem(await api.enrol(code, key)) == (403, "enrolment_code_wrong")


async def test_a_key_can_be_enrolled_only_once(api: Api, manager: dict[str, str], key: Ed25519PrivateKey) -> None:
    await api.enrol(await api.new_code(manager), key)
    assert problem(await api.enrol(await api.new_code(manager), key)) == (409, "device_key_taken")


@pytest.mark.parametrize("public_key", ["A" * 42, "A" * 44, "!" * 43, "A" * 42 + "B"])
async def test_a_key_that_is_none_is_refused(api: Api, public_key: str) -> None:
    answer = await api.client.post("/api/v1/devices/enrol", json={"code": "2222-2222", "public_key": public_key})
    assert problem(answer) == (422, "invalid_input")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/public_key"]


async def test_a_signature_buys_a_token(api: Api, device_id: str, key: Ed25519PrivateKey) -> None:
    answer = await api.token(device_id, await api.nonce(device_id), key)
    assert answer.status_code == 200
    claims = Tokens(SECRET, api.clock).verify(TokenPurpose.DEVICE, answer.json()["access_token"])
    assert claims.subject == device_id
    assert answer.json()["server_version"]
    assert answer.json()["expires_in"] == claims.expires_at_s - claims.issued_at_s == 900


async def test_a_nonce_is_good_once(api: Api, device_id: str, key: Ed25519PrivateKey) -> None:
    nonce = await api.nonce(device_id)
    answers = await asyncio.gather(*(api.token(device_id, nonce, key) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
    assert problem(await api.token(device_id, nonce, key)) == (401, "nonce_used")


async def test_a_nonce_is_good_for_a_minute(api: Api, device_id: str, key: Ed25519PrivateKey) -> None:
    nonce = await api.nonce(device_id)
    api.clock.advance_ms(60_000)
    assert problem(await api.token(device_id, nonce, key)) == (401, "nonce_used")


async def test_a_wrong_signature_uses_the_nonce_up(api: Api, device_id: str, key: Ed25519PrivateKey) -> None:
    nonce = await api.nonce(device_id)
    answer = await api.token(device_id, nonce, Ed25519PrivateKey.generate())
    assert problem(answer) == (401, "signature_wrong")
    assert problem(await api.token(device_id, nonce, key)) == (401, "nonce_used")


async def test_a_nonce_of_another_device_is_of_no_use(
    api: Api, manager: dict[str, str], device_id: str, key: Ed25519PrivateKey
) -> None:
    other_key = Ed25519PrivateKey.generate()
    other = (await api.enrol(await api.new_code(manager, "Second"), other_key)).json()["device_id"]
    nonce = await api.nonce(device_id)
    assert problem(await api.token(other, nonce, other_key)) == (401, "nonce_used")
    assert (await api.token(device_id, nonce, key)).status_code == 200


async def test_nonces_are_bounded(api: Api, device_id: str) -> None:
    for _ in range(100):
        await api.nonce(device_id)
    answer = await api.client.post(f"/api/v1/devices/{device_id}/nonce")
    assert problem(answer) == (429, "rate_limited")
    assert answer.headers["retry-after"] == "60"
    api.clock.advance_ms(60_000)
    await api.nonce(device_id)


async def test_a_revoked_device_gets_a_token_to_hand_over_its_journal(
    api: Api, manager: dict[str, str], device_id: str, key: Ed25519PrivateKey
) -> None:
    for _ in range(2):
        answer = await api.client.post(f"/api/v1/devices/{device_id}/revoke", headers=manager)
        assert answer.json()["state"] == "revoked"
    answer = await api.token(device_id, await api.nonce(device_id), key)
    claims = Tokens(SECRET, api.clock).verify(TokenPurpose.DEVICE, answer.json()["access_token"])
    assert claims.subject == device_id


async def test_a_suspended_device_gets_nothing(
    api: Api, database: FreshDatabase, device_id: str, key: Ed25519PrivateKey
) -> None:
    nonce = await api.nonce(device_id)
    engine = create_engine(database.urls.app)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE device SET state = 'suspended'"))
    await engine.dispose()
    assert problem(await api.token(device_id, nonce, key)) == (403, "device_suspended")
    assert problem(await api.client.post(f"/api/v1/devices/{device_id}/nonce")) == (403, "device_suspended")


PUBLIC = {
    ("get", "/api/v1/calendars/{token}.ics"),
    ("post", "/api/v1/auth/token"),
    ("post", "/api/v1/auth/refresh"),
    ("post", "/api/v1/auth/log-out"),
    ("post", "/api/v1/auth/recovery"),
    ("post", "/api/v1/auth/recovery/complete"),
    ("post", "/api/v1/auth/invitations/accept"),
    ("post", "/api/v1/devices/enrol"),
    ("post", "/api/v1/devices/{device_id}/nonce"),
    ("post", "/api/v1/devices/{device_id}/token"),
    ("get", "/livez"),
    ("get", "/readyz"),
}


OF_DEVICES = {("get", "/api/v1/devices/{device_id}/door-keys")}


async def test_a_devices_token_is_of_no_use_for_any_other_door(
    api: Api, device_id: str, key: Ed25519PrivateKey
) -> None:
    token = (await api.token(device_id, await api.nonce(device_id), key)).json()["access_token"]
    paths = (await api.client.get("/openapi.json")).json()["paths"]
    doors = {(method, path) for path, methods in paths.items() for method in methods}
    assert doors > PUBLIC | OF_DEVICES
    for method, path in sorted(doors - PUBLIC - OF_DEVICES):
        place = path.format_map(defaultdict(lambda: device_id, center_id=api.centers["north"]))
        answer = await api.client.request(method, place, headers={"Authorization": f"Bearer {token}"})
        assert problem(answer) == (401, "invalid_token"), (method, path)


async def test_an_unknown_device_is_told_so(api: Api, manager: dict[str, str]) -> None:
    path = f"/api/v1/devices/{uuid4()}"
    assert problem(await api.client.post(f"{path}/nonce")) == (404, "device_unknown")
    assert problem(await api.client.post(f"{path}/revoke", headers=manager)) == (404, "device_unknown")
    assert problem(await api.client.post("/api/v1/devices/not-an-id/nonce")) == (422, "invalid_input")
