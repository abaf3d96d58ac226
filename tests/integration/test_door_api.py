"""PINs and family codes at the server: who may set them, what is refused, and what every desk gets."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from httpx import Response

from kiosk.services.scans import ScanFault, read_scan
from server.core.database import create_engine
from server.core.ids import Ids
from server.repositories.unit_of_work import UnitsOfWork
from server.services.devices import from_base64url
from sync.family_code import FamilyCode, read_code
from sync.pins import PIN_LANES, PIN_MEMORY_KIB, PIN_PASSES, STRETCHED_BYTES, is_checkable, opens, salt_of
from sync.records import StaffRecord
from tests.support.api import PASSWORD, Api, problem
from tests.support.postgres import FreshDatabase
from tests.support.ratio_office import Office

pytestmark = pytest.mark.postgres

PIN = "483920"
ROSTER = """record,external_id,center,given_name,family_name,role,email,phone
staff,S-1,north,Ruth,Appiah,educator,STAFF@example.org,+351 912 734 518
staff,S-2,north,Sam,Baker,support,,
"""
NOBODY = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
async def office(api: Api, database: FreshDatabase) -> AsyncIterator[Office]:
    engine = create_engine(database.urls.app)
    office = Office(api, UnitsOfWork(engine, clock=api.clock, luck=bytes, new_id=Ids(api.clock).new))
    await office.take_in(ROSTER)
    try:
        yield office
    finally:
        await engine.dispose()


def stretched(pin: str, salt: bytes) -> bytes:
    maker = Argon2id(
        salt=salt, length=STRETCHED_BYTES, iterations=PIN_PASSES, lanes=PIN_LANES, memory_cost=PIN_MEMORY_KIB
    )
    return maker.derive(pin.encode())


async def held(office: Office, person_id: str) -> StaffRecord:
    """What every desk holds of a member of staff."""
    statement = "SELECT body FROM current_record WHERE center_id = :center_id AND entity_id = :person_id"
    return msgspec.json.decode(bytes(await office.one(statement, person_id=person_id)), type=StaffRecord)


async def test_a_pin_is_set_by_who_may_and_reaches_the_desks_in_a_form_only_they_can_check(office: Office) -> None:
    api, ruth, sam = office.api, await office.person("S-1"), await office.person("S-2")
    staff = f"/api/v1/centers/{office.center_id}/staff"

    async def put(who: str, person_id: str, pin: str = PIN) -> tuple[int, str]:
        body = {"pin": pin}
        answer = await api.client.put(f"{staff}/{person_id}/pin", json=body, headers=await office.headers(who))
        if answer.status_code == 200:
            assert PIN not in answer.text
            return 200, answer.json()["person_id"]
        return problem(answer)

    assert await put("parent", ruth) == (403, "not_entitled")
    assert await put("stranger", ruth) == (404, "not_found")
    assert await put("staff", sam) == await put("staff", NOBODY) == (403, "not_entitled")
    assert await put("manager", NOBODY) == (404, "not_found")
    for weak in ("123456", "111111", "310885", "912734", "48392", "48392a", "4" * 40):
        assert (await put("manager", ruth, weak))[0] == 422
    assert (await held(office, ruth)).pin is msgspec.UNSET

    assert await put("staff", ruth) == (200, ruth)  # the person, by the e-mail of the account
    first = (await held(office, ruth)).pin
    assert await put("manager", ruth) == (200, ruth)
    second = (await held(office, ruth)).pin
    assert isinstance(first, msgspec.Struct)
    assert isinstance(second, msgspec.Struct)
    assert first.salt != second.salt

    key = Ed25519PrivateKey.generate()
    device_id = (await api.enrol(await api.new_code(await office.headers("manager")), key)).json()["device_id"]
    path = f"/api/v1/devices/{device_id}/door-keys"
    assert problem(await api.client.get(path)) == (401, "unauthenticated")
    assert problem(await api.client.get(path, headers=await office.headers("admin"))) == (401, "invalid_token")
    token = (await api.token(device_id, await api.nonce(device_id), key)).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert problem(await api.client.get(path.replace(device_id, NOBODY), headers=bearer)) == (404, "device_unknown")
    keys = (await api.client.get(path, headers=bearer)).json()
    pepper = from_base64url(keys["pin_pepper"], 32)
    assert pepper is not None
    assert is_checkable(second, pepper)
    assert opens(second, stretched(PIN, salt_of(second)), pepper)
    assert not opens(second, stretched("483921", salt_of(second)), pepper)

    await office.take_in(ROSTER.replace("educator", "assistant"))
    assert ((await held(office, ruth)).role, (await held(office, ruth)).pin) == ("assistant", second)
    assert await office.wrong_books() == []
    gone = await api.client.delete(f"{staff}/{ruth}/pin", headers=await office.headers("manager"))
    assert gone.status_code == 204
    assert (await held(office, ruth)).pin is msgspec.UNSET
    version = await office.version()
    await api.client.delete(f"{staff}/{ruth}/pin", headers=await office.headers("manager"))
    assert await office.version() == version

    await api.client.post(f"/api/v1/devices/{device_id}/revoke", headers=await office.headers("manager"))
    assert problem(await api.client.get(path, headers=bearer)) == (404, "device_unknown")


async def test_a_family_code_is_signed_by_the_key_that_desks_hold_and_ends(office: Office) -> None:
    api, adult = office.api, await office.person("G-1")
    path = f"/api/v1/centers/{office.center_id}/adults/{adult}/family-code"

    async def post(who: str, body: dict[str, int], where: str = path) -> tuple[int, str]:
        answer = await api.client.post(where, json=body, headers=await office.headers(who))
        return (201, answer.json()["code"]) if answer.status_code == 201 else problem(answer)

    assert (await post("staff", {}))[0] == 403
    assert (await post("stranger", {}))[0] == 404
    assert (await post("manager", {"days": 0}))[0] == (await post("manager", {"days": 401}))[0] == 422
    child = await office.person("C-1")
    assert await post("manager", {}, path.replace(adult, child)) == (404, "not_found")

    status, text = await post("manager", {"days": 2})
    read = read_code(text)
    assert status == 201
    assert read is not None
    code, signature = read
    assert (code.center_id, code.adult_id) == (office.center_id, adult)
    assert code.expires_at_s == api.clock.wall_ms() // 1_000 + 2 * 86_400
    assert (await post("manager", {}))[1] != text

    key = Ed25519PrivateKey.generate()
    device_id = (await api.enrol(await api.new_code(await office.headers("manager")), key)).json()["device_id"]
    token = (await api.token(device_id, await api.nonce(device_id), key)).json()["access_token"]
    answer = await api.client.get(
        f"/api/v1/devices/{device_id}/door-keys", headers={"Authorization": f"Bearer {token}"}
    )
    family_key = from_base64url(answer.json()["family_key"], 32)
    assert family_key is not None
    Ed25519PublicKey.from_public_bytes(family_key).verify(signature, code.to_sign())
    await a_parent_shows_it_on_a_telephone(office, adult, family_key)


async def a_parent_shows_it_on_a_telephone(office: Office, adult: str, family_key: bytes) -> None:
    """The code of the day, at every centre where the account is an adult's, as a desk without a network reads it."""
    api, parent = office.api, await office.headers("parent")

    async def ask(path: str = "", headers: dict[str, str] | None = parent) -> Response:
        return await api.client.get(f"/api/v1/my/family-codes{path}", headers=headers)

    def scanned(text: str, days: int = 0, center_id: str = office.center_id) -> FamilyCode | ScanFault:
        return read_scan(text, family_key, center_id, api.clock.wall_ms() + days * 86_400_000)

    assert problem(await ask(headers=None)) == (401, "unauthenticated")
    assert (await ask()).json() == {"items": [], "next_cursor": ""}
    assert problem(await ask(f"/{office.center_id}/qr")) == (404, "not_found")
    me = (await api.client.get("/api/v1/users/me", headers=parent)).json()["id"]
    account = f"/api/v1/centers/{office.center_id}/adults/{adult}/account"
    manager = await office.headers("manager")
    (await api.client.put(account, json={"user_id": me}, headers=manager)).raise_for_status()
    answer = await ask()
    (mine,) = answer.json()["items"]
    assert (answer.headers["cache-control"], mine["center_name"]) == ("no-store", "North House")
    code = scanned(mine["code"])
    assert isinstance(code, FamilyCode)
    assert (code.center_id, code.adult_id) == (office.center_id, adult)
    assert mine["expires_at"] == "2026-09-29T00:00:00Z"
    assert isinstance(scanned(mine["code"], days=7), FamilyCode)
    assert isinstance(scanned(mine["code"], days=8), ScanFault)
    assert isinstance(scanned(mine["code"], center_id=api.centers["south"]), ScanFault)
    wrong = mine["code"].replace(mine["code"][40], "A" if mine["code"][40] != "A" else "B", 1)
    assert isinstance(scanned(wrong), ScanFault)
    picture = await api.client.get(f"/api/v1{mine['qr']}", headers=parent)
    assert (picture.headers["content-type"], picture.text[:5]) == ("image/svg+xml", "<?xml")
    assert problem(await ask(f"/{api.centers['south']}/qr")) == (404, "not_found")
    assert (await ask()).json()["items"] == [mine], "the same day, the same code"
    api.clock.advance_ms(86_400_000)
    form = {"username": "parent@example.org", "password": PASSWORD}
    token = (await api.client.post("/api/v1/auth/token", data=form)).json()["access_token"]
    parent |= {"Authorization": f"Bearer {token}"}
    assert (await ask()).json()["items"][0]["code"] != mine["code"]
    token = (await api.client.post("/api/v1/auth/token", data=form | {"username": "manager@example.org"})).json()
    manager |= {"Authorization": f"Bearer {token['access_token']}"}
    (await api.client.delete(account, headers=manager)).raise_for_status()
    assert (await ask()).json() == {"items": [], "next_cursor": ""}
