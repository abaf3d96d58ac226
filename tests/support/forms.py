"""A browser without a window: cookies, forms and where they come from."""

import re
from typing import Any

import httpx

from tests.support.api import PASSWORD, PEOPLE, Api

ORIGIN = "https://test"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


class Browser:
    """A browser as far as cookies, forms and `Origin` go."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.cookies: dict[str, str] = {}
        self.form_token = ""
        self.answer: httpx.Response | None = None

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.ask("GET", path, headers=headers)

    async def post(self, path: str, **more: Any) -> httpx.Response:
        headers = {"origin": ORIGIN} | more.pop("headers", {})
        return await self.ask("POST", path, headers=headers, **more)

    async def ask(self, method: str, path: str, *, headers: dict[str, str], **more: Any) -> httpx.Response:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = headers | ({"cookie": cookie} if cookie else {})
        self.api.client.cookies.clear()
        answer = await self.api.client.request(method, f"{ORIGIN}{path}", headers=sent, **more)
        for line in answer.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0].strip('"')
            self.cookies.pop(name, None)
            if value:
                self.cookies[name] = value
        self._remember_form(answer)
        return answer

    async def sign_in(self, who: str, password: str = PASSWORD, onward: str = "/dashboard") -> httpx.Response:
        await self.get(f"/dashboard/sign-in?next={onward}")
        form = {"email": PEOPLE[who][0], "password": password, "csrf": self.form_token, "next": onward}
        return await self.post("/dashboard/sign-in", data=form)

    def _remember_form(self, answer: httpx.Response) -> None:
        found = re.search(r'<meta name="csrf-token" content="([^"]+)">', answer.text)
        self.form_token = found[1] if found else self.form_token
