"""Log-in, and who may use which route."""

from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.core.database import create_engine
from server.core.errors import Conflict, InvalidInput, NotFound
from server.core.tokens import TokenPurpose, Tokens
from server.services.access import RoleId
from server.services.accounts import NewUser
from tests.support.api import PASSWORD, PEOPLE, SECRET, Api, problem
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres

MATRIX = (
    ("GET", "/api/v1/users/me", {"nobody": 401, "parent": 200, "staff": 200, "manager": 200, "admin": 200}),
    ("GET", "/api/v1/centers", {"nobody": 401, "parent": 200, "staff": 200, "manager": 200, "admin": 200}),
    ("GET", "/api/v1/centers/{north}/rooms", {"parent": 403, "staff": 200, "manager": 200, "stranger": 404}),
    ("GET", "/api/v1/centers/{north}/sync-state", {"parent": 403, "staff": 200, "manager": 200, "stranger": 404}),
    ("GET", "/api/v1/attendance?center_id={north}", {"parent": 403, "staff": 200, "manager": 200, "stranger": 404}),
    ("GET", "/api/v1/centers/{north}/devices", {"parent": 403, "staff": 403, "manager": 200, "stranger": 404}),
    ("POST", "/api/v1/centers/{north}/enrolment-codes", {"parent": 403, "staff": 403, "manager": 201, "stranger": 404}),
    ("GET", "/api/v1/centers/{north}/users", {"parent": 403, "staff": 403, "manager": 200, "stranger": 404}),
    ("GET", "/api/v1/centers/{north}/invitations", {"parent": 403, "staff": 403, "manager": 200, "stranger": 404}),
    ("GET", "/api/v1/auth/sessions", {"nobody": 401, "parent": 200, "staff": 200, "manager": 200, "admin": 200}),
    ("POST", "/api/v1/devices/{device}/revoke", {"parent": 403, "staff": 403, "stranger": 404, "manager": 200}),
)


async def test_every_route_answers_every_role_as_the_table_says(api: Api) -> None:
    headers = {who: await api.sign_in(who) for who in PEOPLE} | {"nobody": {}}
    device = await _device(api, headers["manager"])
    for method, path, expected in MATRIX:
        good = expected["manager"]
        whole = {"nobody": 401, "admin": good, "foreign_admin": 200 if "{" not in path else 404} | expected
        for who in sorted(headers, key=lambda who: who == "admin"):
            if who not in whole:
                continue
            url = path.format(north=api.centers["north"], device=device)
            answer = await api.client.request(method, url, headers=headers[who], json={} if method == "POST" else None)
            assert answer.status_code == whole[who], (method, path, who, answer.text)


async def test_every_route_that_needs_no_log_in_is_meant_to(api: Api) -> None:
    open_paths = {
        "/api/v1/auth/token", "/api/v1/auth/refresh", "/api/v1/auth/log-out", "/api/v1/auth/recovery",
        "/api/v1/auth/recovery/complete", "/api/v1/auth/invitations/accept", "/api/v1/devices/enrol",
        "/api/v1/devices/{device_id}/nonce", "/api/v1/devices/{device_id}/token", "/livez", "/readyz",
        "/api/v1/calendars/{token}.ics",
    }  # fmt: skip
    spec = (await api.client.get("/openapi.json")).json()
    found = {
        path for path, methods in spec["paths"].items() for operation in methods.values() if "security" not in operation
    }
    assert found == open_paths


async def test_an_unknown_and_a_known_address_get_the_same_answer(api: Api) -> None:
    await api.sign_in("staff")
    answers = [
        await api.client.post("/api/v1/auth/token", data={"username": name, "password": "wrong but long enough"})
        for name in ("staff@example.org", "nobody@example.org", "x" * 500, "nul\x00@example.org")
    ]
    assert {problem(answer) for answer in answers} == {(401, "wrong_credentials")}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].headers["www-authenticate"] == "Bearer"


async def test_the_address_may_be_typed_in_any_case(api: Api) -> None:
    await api.sign_in("staff")
    form = {"username": " STAFF@Example.org ", "password": PASSWORD}
    answer = await api.client.post("/api/v1/auth/token", data=form)
    assert answer.status_code == 200
    assert answer.json()["token_type"] == "bearer"
    assert answer.json()["expires_in"] == 900
    assert answer.headers["cache-control"] == "no-store"


async def test_a_form_without_a_password_is_told_where(api: Api) -> None:
    answer = await api.client.post("/api/v1/auth/token", data={"username": "a@example.org"})
    assert problem(answer) == (422, "invalid_input")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/password"]


async def test_a_token_ends_after_fifteen_minutes(api: Api) -> None:
    headers = await api.sign_in("staff")
    api.clock.advance_ms(899_000)
    assert (await api.client.get("/api/v1/users/me", headers=headers)).status_code == 200
    api.clock.advance_ms(1_000)
    assert problem(await api.client.get("/api/v1/users/me", headers=headers)) == (401, "invalid_token")


async def test_a_token_for_a_device_or_for_nobody_opens_nothing(api: Api) -> None:
    tokens = Tokens(SECRET, api.clock)
    for token in (
        tokens.issue(TokenPurpose.DEVICE, str(uuid4()), lifetime_s=60),
        tokens.issue(TokenPurpose.ACCESS, str(uuid4()), lifetime_s=60, session_id=str(uuid4())),
        "nonsense",
    ):
        answer = await api.client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})
        assert problem(answer) == (401, "invalid_token")


async def test_an_account_that_is_switched_off_is_out_at_once(api: Api, database: FreshDatabase) -> None:
    headers = await api.sign_in("staff")
    engine = create_engine(database.urls.app)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE user_account SET is_active = false")
    await engine.dispose()
    assert problem(await api.client.get("/api/v1/users/me", headers=headers)) == (403, "account_inactive")
    form = {"username": "staff@example.org", "password": PASSWORD}
    assert problem(await api.client.post("/api/v1/auth/token", data=form)) == (401, "wrong_credentials")


async def test_the_user_sees_roles_and_centres(api: Api) -> None:
    staff, admin = await api.sign_in("staff"), await api.sign_in("admin")
    me = (await api.client.get("/api/v1/users/me", headers=staff)).json()
    assert me["memberships"] == [{"role": "staff", "center_id": api.centers["north"]}]
    mine = (await api.client.get("/api/v1/centers", headers=staff)).json()["items"]
    assert [(center["code"], center["roles"]) for center in mine] == [("north", ["staff"])]
    all_of_it = (await api.client.get("/api/v1/centers", headers=admin)).json()["items"]
    assert [center["code"] for center in all_of_it] == ["north", "south"]


async def test_an_account_is_made_once_with_a_good_password(api: Api) -> None:
    user = NewUser("new@example.org", "New", RoleId.STAFF, "north")
    create = api.services.accounts.create
    with pytest.raises(InvalidInput, match="at least 15"):
        await create(user, "short")
    with pytest.raises(InvalidInput, match="e-mail"):
        await create(NewUser("no address", "New", RoleId.STAFF, "north"), PASSWORD)
    with pytest.raises(NotFound, match="nowhere"):
        await create(NewUser("new@example.org", "New", RoleId.STAFF, "nowhere"), PASSWORD)
    with pytest.raises(InvalidInput, match="which centre"):
        await create(NewUser("new@example.org", "New", RoleId.STAFF), PASSWORD)
    await create(user, PASSWORD)
    with pytest.raises(Conflict):
        await create(NewUser("NEW@example.org", "Again", RoleId.STAFF, "south"), PASSWORD)


async def _device(api: Api, headers: dict[str, str]) -> str:
    answer = await api.enrol(await api.new_code(headers), Ed25519PrivateKey.generate())
    return str(answer.json()["device_id"])
