"""Two centres of two organisations with one of everything in each, and everybody who may ask for it.

What belongs to `other` has the word CANARY in every text, so that an answer to somebody of `north` can be searched.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.core.database import create_engine
from server.repositories.job_locks import JobLocks
from server.services.access import RoleId
from server.services.accounts import NewUser
from server.services.journal_intake import DeviceKey
from sync.attendance import EventKind
from tests.contract.server_world import Desk, new_id
from tests.support.api import PASSWORD, Api
from tests.support.families import Families, families_of
from tests.support.photo_files import telephone_photo
from tests.support.postgres import FreshDatabase

WHO: Final = (
    "nobody", "device", "revoked", "father", "mother", "staff", "manager", "theirs", "stranger",
    "foreign_admin", "admin",
)  # fmt: skip
"""Who asks, refused ones first. `theirs`: the manager names, at their own centre, what belongs to another one."""

CANARY: Final = "CANARY"
PLACE_OF_CANARY: Final = f"""\
record,external_id,center,name,given_name,family_name,room,child,adult,status,role,relationship,legal_guardian
room,CAVE,other,{CANARY} room,,,,,,,,,
child,X-1,other,,{CANARY}given,{CANARY}family,CAVE,,,,,,
guardian,X-2,other,,{CANARY}adult,{CANARY}family,,,,,,,
pickup,,other,,,,,X-1,X-2,authorised,,mother,yes
staff,X-3,other,,{CANARY}staff,{CANARY}family,,,,,educator,,
"""
PHOTO: Final = telephone_photo()
_numbers = itertools.count(1)
_workdays = itertools.count()


@dataclass
class Place:
    """A centre, who manages it, and the id of one of each thing in it."""

    center: str
    manager: str
    word: str
    ids: dict[str, str] = field(default_factory=dict)


class RightsWorld:
    """Asks as anybody, and keeps one of everything there."""

    def __init__(self, families: Families) -> None:
        """Begin with the families of north."""
        self.families = families
        self.api: Api = families.api
        self.north = Place(families.center, "manager", "Plain")
        self.other = Place(self.api.centers["other"], "their_manager", CANARY)
        self.devices: dict[str, dict[str, str]] = {}

    async def headers(self, who: str) -> dict[str, str]:
        """What somebody sends to be known."""
        if who == "nobody":
            return {}
        return self.devices.get(who) or await self.families.headers("manager" if who == "theirs" else who)

    async def good(self, place: Place, method: str, path: str, **more: Any) -> Any:
        """Ask as the manager of a place, and be granted it."""
        headers = {**await self.headers(place.manager), **more.pop("headers", {})}
        found = await self.api.client.request(method, f"/api/v1{path}", headers=headers, **more)
        assert found.is_success, (method, path, found.text)
        return found.json() if found.content else None

    async def fill(self) -> None:
        """Make one of everything in both centres."""
        self.families._made.add("their_manager")
        await self.api.services.accounts.create(
            NewUser("theirs@example.org", f"{CANARY} manager", RoleId.MANAGER, "other"), PASSWORD
        )
        form = {"username": "theirs@example.org", "password": PASSWORD}
        answer = (await self.api.client.post("/api/v1/auth/token", data=form)).raise_for_status().json()
        self.devices["their_manager"] = {"Authorization": f"Bearer {answer['access_token']}"}
        await self.families.take_in(PLACE_OF_CANARY)
        for place, names in ((self.north, ("C-1", "G-3", "S-1")), (self.other, ("X-1", "X-2", "X-3"))):
            await self._fill(place, *names)
        self.north.ids["guardian_id"] = self.families.ids["G-1"]
        self.other.ids["guardian_id"] = self.other.ids["adult_id"]
        self.other.ids["my_pickup_id"] = self.other.ids["pickup_id"]
        self.other.ids["my_absence_id"] = self.other.ids["absence_id"]
        await self.announce()
        await self.stay_away()
        await self.export()
        for who in ("device", "revoked"):
            await self._device(who)

    async def link_again(self) -> None:
        """Let the neighbour be the adult that they were."""
        path = f"/centers/{self.north.center}/adults/{self.north.ids['adult_id']}/account"
        await self.good(self.north, "PUT", path, json={"user_id": self.north.ids["account_user_id"]})

    async def show(self, place: Place) -> None:
        """Let there be a picture of the child, and of the people who may be asked about."""
        adults = {place.ids.get(name) for name in ("adult_id", "guardian_id", "my_adult_id")} - {None}
        for whose in (
            f"children/{place.ids['child_id']}",
            *(f"adults/{adult}" for adult in sorted(filter(None, adults))),
        ):
            path = f"/api/v1/centers/{place.center}/{whose}/photo"
            headers = {**await self.headers(place.manager), "content-type": "image/jpeg", "if-match": "*"}
            found = await self.api.client.put(path, content=PHOTO, headers=headers)
            if not found.is_success:
                headers.pop("if-match")
                found = await self.api.client.put(path, content=PHOTO, headers=headers)
            assert found.is_success, (path, found.text)

    async def announce(self) -> None:
        """Let the mother say who collects her child on a day of its own."""
        body = {
            "id": new_id(), "given_name": "Noor", "family_name": "Aziz", "phone": "12345678", "relationship": "aunt",
            "day": "2026-09-22", "password": PASSWORD,
        }  # fmt: skip
        made = await self.families.good("mother", "POST", "/my/children/{C1}/pickups", json=body)
        self.north.ids["my_pickup_id"] = made["id"]
        statement = "SELECT adult_id FROM pickup_authorisation WHERE id = :id"
        self.north.ids["my_adult_id"] = str(await self.families.value(statement, id=made["id"]))
        await self.show(self.north)

    async def stay_away(self) -> None:
        """Let the mother say that her child does not come on a day of its own."""
        made = await self.families.good("mother", "POST", "/my/children/{C1}/absences", json=my_absence(self.north))
        self.north.ids["my_absence_id"] = made["id"]

    async def export(self) -> None:
        """Let the mother ask for what is held of her, and the manager of the other centre for a child's file."""
        self.north.ids["export_id"] = (await self.families.good("mother", "POST", "/my/exports"))["id"]
        path = f"/centers/{self.other.center}/children/{self.other.ids['child_id']}/exports"
        self.other.ids["export_id"] = (await self.good(self.other, "POST", path))["id"]

    async def _fill(self, place: Place, child: str, adult: str, staff: str) -> None:
        at = f"/centers/{place.center}"
        statement = "SELECT id FROM person WHERE external_id = :one AND center_id = :center"
        for name, external_id in (("child_id", child), ("adult_id", adult), ("person_id", staff)):
            place.ids[name] = str(await self.families.value(statement, one=external_id, center=place.center))
        place.ids["room_id"] = str(
            await self.families.value("SELECT id FROM room WHERE center_id = :center", center=place.center)
        )
        users = (await self.good(place, "GET", f"{at}/users"))["items"]
        place.ids["user_id"] = users[0]["id"]
        place.ids["account_user_id"] = self.families.accounts["neighbour"]
        for name in _MADE:
            await self.make(place, name)
        await self.show(place)
        child_id, service_id = place.ids["child_id"], place.ids["service_id"]
        schedule: dict[str, Any] = {
            "id": new_id(),
            "child_id": child_id,
            "service_id": service_id,
            "weekdays": [1],
            "first_day": day(),
        }
        await self.good(place, "POST", f"{at}/schedules", json=schedule)
        booking = {"id": new_id(), "child_id": child_id, "service_id": service_id, "day": workday()}
        await self.good(place, "POST", f"{at}/bookings", json=booking)
        place.ids |= {"schedule_id": schedule["id"], "booking_id": booking["id"], "effective_from": "2026-01-01"}
        pickups = await self.good(place, "GET", f"{at}/children/{child_id}/pickups")
        place.ids["pickup_id"] = pickups["items"][0]["id"]
        await self._attend(place)

    async def _attend(self, place: Place) -> None:
        """A desk, a stay with a contradiction, and a roll-call."""
        desk = await self.desk(place)
        place.ids["device_id"], roll = desk.key.device_id, new_id()
        came = desk.check_in(place.ids["child_id"], minute=-90)
        again = desk.check_in(place.ids["child_id"], minute=-30)
        begun = desk.event("", EventKind.ROLLCALL_START, minute=-5, rollcall_id=roll)
        await self.families.push(desk, came, again, begun)
        place.ids |= {"stay_id": came.event_id, "rollcall_id": roll}
        (finding,) = (await self.good(place, "GET", "/reviews", params={"center_id": place.center}))["items"]
        timeless = [one["answer"] for one in finding["possible_answers"] if "time" not in one["needs"]]
        place.ids |= {"finding": finding["finding"], "answer": timeless[0]}

    async def desk(self, place: Place) -> Desk:
        """Enrol a desk."""
        key = Ed25519PrivateKey.generate()
        body = {"device_name": f"{place.word} desk"}
        code = (await self.good(place, "POST", f"/centers/{place.center}/enrolment-codes", json=body))["code"]
        found = (await self.api.enrol(code, key)).json()
        return Desk(DeviceKey(found["center_id"], found["device_id"]), key)

    async def _device(self, who: str) -> None:
        desk = await self.desk(self.north)
        device_id = desk.key.device_id
        nonce = await self.api.nonce(device_id)
        token = (await self.api.token(device_id, nonce, desk.private_key)).json()["access_token"]
        self.devices[who] = {"Authorization": f"Bearer {token}"}
        if who == "revoked":
            await self.good(self.north, "POST", f"/devices/{device_id}/revoke")
        self.north.ids[who] = device_id

    async def make(self, place: Place, name: str) -> None:
        """Make another of what a request uses up."""
        method, path, body = _MADE[name](place)
        found = await self.good(place, method, path, json=body)
        place.ids[name] = str(
            (found or {}).get("id") or body.get("absence_id") or body.get("id") or place.ids.get(name, "")
        )
        if name == "invitation_id":
            listed = await self.good(place, "GET", f"/centers/{place.center}/invitations")
            place.ids[name] = next(one["id"] for one in listed["items"] if one["email"] == body["email"])
        if name == "service_id":
            place.ids[name] = path.rsplit("/", 1)[1]
            await self.good(
                place, "PUT", f"{path}/terms/2026-01-01", json={"price": "25.50"}, headers={"If-Match": "*"}
            )

    async def status(self, who: str, method: str, path: str, **more: Any) -> httpx.Response | int:
        """Ask as somebody; of a stream only the status, as it begins."""
        headers = {**await self.headers(who), **more.pop("headers", {})}
        if path.endswith("/live"):
            return await self._beginning(f"/api/v1{path}", headers)
        return await self.api.client.request(method, f"/api/v1{path}", headers=headers, **more)

    async def _beginning(self, path: str, headers: dict[str, str]) -> int:
        begun: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        scope = {
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": raw, "http_version": "1.1", "scheme": "http", "server": ("test", 80), "client": ("test", 1),
            "asgi": {"version": "3.0"}, "root_path": "",
        }  # fmt: skip

        async def receive() -> dict[str, Any]:
            await asyncio.Event().wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start" and not begun.done():
                begun.set_result(message["status"])

        serving = asyncio.create_task(self.api.app(scope, receive, send))
        try:
            return await asyncio.wait_for(begun, 10)
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


def day() -> str:
    """A day that nothing was said of before."""
    return (date(2027, 1, 4) + timedelta(days=next(_numbers))).isoformat()


def workday() -> str:
    """A day from Monday to Friday of its own, before all those of `day`: nothing else is booked or closed then."""
    weeks, days = divmod(next(_workdays), 5)
    return (date(2026, 9, 28) + timedelta(weeks=weeks, days=days)).isoformat()


def address() -> str:
    """An address that nobody has."""
    return f"invited{next(_numbers)}@example.org"


Made = tuple[str, str, dict[str, Any]]
_MADE: Final[dict[str, Callable[[Place], Made]]] = {
    # First, so that what follows is noted for it.
    "webhook_id": lambda place: ("POST", f"/centers/{place.center}/webhooks", webhook(place)),
    "service_id": lambda place: ("PUT", f"/centers/{place.center}/services/{new_id()}", service(place)),
    "absence_id": lambda place: (
        "POST", f"/centers/{place.center}/children/{place.ids['child_id']}/absences", absence(place),
    ),
    "alert_id": lambda place: (
        "POST", f"/centers/{place.center}/children/{place.ids['child_id']}/alerts", alert(place),
    ),
    "barcode_of_child": lambda place: (
        "POST", f"/centers/{place.center}/children/{place.ids['child_id']}/barcodes", barcode(place),
    ),
    "barcode_of_adult": lambda place: (
        "POST", f"/centers/{place.center}/adults/{place.ids['adult_id']}/barcodes", barcode(place),
    ),
    "erasure_id": lambda place: ("POST", f"/centers/{place.center}/erasures", erasure(place)),
    "hold_id": lambda place: ("POST", f"/centers/{place.center}/legal-holds", hold(place)),
    "closure_id": lambda place: ("POST", f"/centers/{place.center}/closures", days(place)),
    "invitation_id": lambda place: (
        "POST", f"/centers/{place.center}/invitations", {"email": address(), "role": "parent"},
    ),
}  # fmt: skip


def service(place: Place) -> dict[str, Any]:
    """A service on every day with room for many."""
    return {
        "code": f"S{next(_numbers)}", "name": f"{place.word} mornings", "unit": "session", "currency": "EUR",
        "capacity": 50, "weekdays": [1, 2, 3, 4, 5, 6, 7], "from_time": "08:00", "to_time": "13:00",
    }  # fmt: skip


def absence(place: Place) -> dict[str, Any]:
    """An absence of one day."""
    one = day()
    return {"absence_id": new_id(), "kind": "sick", "first_day": one, "last_day": one, "note": f"{place.word} note"}


def my_absence(_place: Place) -> dict[str, Any]:
    """An absence of one day, as a guardian announces it."""
    one = day()
    return {"id": new_id(), "kind": "sick", "first_day": one, "last_day": one}


def alert(place: Place) -> dict[str, Any]:
    """An alert."""
    return {"id": new_id(), "kind": "note", "severity": "info", "text": f"{place.word} alert"}


def barcode(_place: Place) -> dict[str, Any]:
    """A card that nobody has."""
    return {"id": new_id(), "barcode": new_id()}


def erasure(place: Place) -> dict[str, Any]:
    """The child is to be erased; once it is checked in, nobody does."""
    return {"id": new_id(), "kind": "child", "person_id": place.ids["child_id"]}


def hold(place: Place) -> dict[str, Any]:
    """An adult who must not be erased."""
    return {"id": new_id(), "person_id": place.ids["adult_id"], "reason": f"{place.word} file"}


def webhook(place: Place) -> dict[str, Any]:
    """A webhook to a host that there is nowhere (RFC 2606)."""
    return {"id": new_id(), "url": "https://hooks.invalid/", "description": place.word, "kinds": ["booking.changed"]}


def days(place: Place) -> dict[str, Any]:
    """A closure of one day."""
    one = day()
    return {"first_day": one, "last_day": one, "reason": f"{place.word} closure"}


@asynccontextmanager
async def rights_world(api: Api, database: FreshDatabase) -> AsyncIterator[RightsWorld]:
    """Give the world, filled; exports are asked for, and none is made meanwhile."""
    engine = create_engine(database.urls.app, pool_size=1)
    try:
        async with JobLocks(engine).held("make_exports"), families_of(api, database) as families:
            world = RightsWorld(families)
            await world.fill()
            yield world
    finally:
        await engine.dispose()
