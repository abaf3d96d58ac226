"""The planning of the centre north as its people see it over HTTP, parents among them, and a desk for who came."""

import itertools
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any

import httpx

from server.services.roster_file import SourceFile
from tests.support.api import PEOPLE, Api
from tests.support.inbox import Inbox

TODAY = date(2026, 9, 21)  # a Monday, 15:13 at the centre
TOMORROW = TODAY + timedelta(days=1)
WORKDAYS = [1, 2, 3, 4, 5]
SESSION = {
    "code": "AM", "name": "Mornings", "unit": "session", "currency": "EUR", "capacity": 2, "weekdays": WORKDAYS,
    "from_time": "08:00", "to_time": "13:00",
}  # fmt: skip
TERMS = {
    "price": "25.50", "late_minute_price": "0.80", "late_grace_min": 10, "no_show_percent": 100,
    "late_cancel_percent": 50, "cancel_free_hours": 24,
}  # fmt: skip
RETRIES = 30
_numbers = itertools.count(1)


def fresh_id() -> str:
    """An id that nothing else has, behind those that were made before: of one moment, the smaller id is first."""
    return str(uuid.UUID(int=0x4000_8000_0000_0000_0000 + next(_numbers)))


class Planning:
    """Everybody of `PEOPLE`, by name, over one running app."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.api: Api = inbox.api
        self.client = inbox.api.client
        self._adults: dict[str, dict[str, str]] = {}
        self._linked: set[tuple[str, str]] = set()

    async def ask(
        self, method: str, path: str, who: str = "manager", *, json: Any = None, tag: str = "", **params: Any
    ) -> httpx.Response:
        """Ask something about the centre north; `tag`: If-Match."""
        url = f"/api/v1/centers/{self.api.centers['north']}/{path}"
        headers = {**await self.inbox.who(who), **({"If-Match": tag} if tag else {})}
        tries = RETRIES
        while True:
            answer = await self.client.request(method, url, json=json, params=params, headers=headers)
            tries -= 1
            # A machine with more to do than it can says so, and to ask again is safe.
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or not tries:
                return answer

    async def get(self, path: str, who: str = "staff", **params: Any) -> Any:
        """Ask for something that there is."""
        answer = await self.ask("GET", path, who, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def service(self, service_id: str = "", **changes: Any) -> str:
        """Make or change a service, with terms from the beginning of the year; gives its id."""
        changes.setdefault("code", f"S{next(_numbers)}")
        tag, service_id = "*" if service_id else "", service_id or fresh_id()
        terms = {**TERMS, **changes.pop("terms", {})}
        made = await self.ask("PUT", f"services/{service_id}", json={**SESSION, **changes}, tag=tag)
        assert made.status_code == 200, made.text
        priced = await self.ask("PUT", f"services/{service_id}/terms/2026-01-01", json=terms, tag="*")
        assert priced.status_code == 200, priced.text
        return service_id

    def wish(self, child: str, service: str, day: date = TOMORROW, **more: Any) -> dict[str, Any]:
        """A wish with an id of its own."""
        return {"id": fresh_id(), "child_id": child, "service_id": service, "day": day.isoformat(), **more}

    async def book(self, child: str, service: str, day: date = TOMORROW, who: str = "staff", **more: Any) -> Any:
        """Book, and give the booking."""
        answer = await self.ask("POST", "bookings", who, json=self.wish(child, service, day, **more))
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def status(self, booking_id: str) -> str:
        """How a booking stands."""
        return str((await self.get(f"bookings/{booking_id}"))["status"])

    async def cancel(self, booking_id: str, who: str = "staff", **body: Any) -> Any:
        """Give a booking back."""
        answer = await self.ask("POST", f"bookings/{booking_id}/cancel", who, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def link(self, who: str, child: str, **rights: bool) -> None:
        """Let an account speak for a child; a second time, with other rights."""
        me = (await self.client.get("/api/v1/users/me", headers=await self.inbox.who(who))).raise_for_status().json()
        adult = self._adults.setdefault(who, {"id": fresh_id(), "given_name": "Ada", "family_name": "Lind"})
        tag = "*" if (who, child) in self._linked else ""
        self._linked.add((who, child))
        for method, path, body in (
            ("POST", "adults", adult),
            ("PUT", f"children/{child}/relationships/{adult['id']}", {"can_book": True, **rights}),
            ("PUT", f"adults/{adult['id']}/account", {"user_id": me["id"]}),
        ):
            (await self.ask(method, path, json=body, tag=tag)).raise_for_status()

    async def children(self, count: int) -> list[str]:
        """Take so many children in."""
        lines = "".join(f"child,K-{number},north,,Kim,Child {number},,,,,\n" for number in range(count))
        await self.take_in(lines)
        return [await self.inbox.person(f"K-{number}") for number in range(count)]

    async def take_in(self, lines: str) -> None:
        """Import lines of a roster."""
        header = "record,external_id,center,name,given_name,family_name,room,child,adult,status,role\n"
        report = await self.api.services.roster_import.run([SourceFile("roster.csv", (header + lines).encode())])
        assert not report.problems, report.problems


@asynccontextmanager
async def planning_of(inbox: Inbox) -> AsyncIterator[Planning]:
    """The app of an inbox, in which accounts are linked to adults as managers do it."""
    assert set(PEOPLE) >= {"parent", "staff", "manager", "stranger"}
    yield Planning(inbox)


def statuses(items: Iterable[dict[str, Any]]) -> list[str]:
    """The statuses of bookings."""
    return [str(one["status"]) for one in items]
