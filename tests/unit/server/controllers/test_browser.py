"""Whose page asks, and which cookie it may show."""

import pytest
from starlette.requests import Request

from server.controllers.browser import BrowserDoor, browser_door
from server.controllers.page_route import safe_next
from server.core.settings import load_settings
from tests.support.api import SECRET

PUBLIC = "https://rollcall.example"
STRICT = BrowserDoor(PUBLIC, allows_plain_http=False)
RELAXED = BrowserDoor("", allows_plain_http=True)


def asked(address: str = "https://rollcall.example/x", **headers: str) -> Request:
    scheme, _, rest = address.partition("://")
    host, _, path = rest.partition("/")
    sent = {"host": host, **{key.replace("_", "-"): value for key, value in headers.items()}}
    scope = {
        "type": "http", "method": "GET", "scheme": scheme, "path": f"/{path}", "query_string": b"",
        "headers": [(key.encode(), value.encode()) for key, value in sent.items()],
    }  # fmt: skip
    return Request(scope)


@pytest.mark.parametrize(
    ("headers", "is_ours", "may_change"),
    [
        ({}, True, False),
        ({"origin": PUBLIC}, True, True),
        ({"origin": "HTTPS://Rollcall.Example"}, True, True),
        ({"origin": PUBLIC, "sec_fetch_site": "same-origin"}, True, True),
        ({"sec_fetch_site": "none"}, True, False),
        ({"sec_fetch_site": "same-site"}, False, False),
        ({"sec_fetch_site": "cross-site"}, False, False),
        ({"origin": "https://evil.example"}, False, False),
        ({"origin": "http://rollcall.example"}, False, False),
        ({"origin": "https://rollcall.example:444"}, False, False),
        ({"origin": "https://rollcall.example.evil.example"}, False, False),
        ({"origin": "null"}, False, False),
        ({"origin": ""}, False, False),
    ],
)
def test_a_page_of_another_site_is_not_ours(headers: dict[str, str], is_ours: bool, may_change: bool) -> None:
    request = asked(**headers)
    assert (STRICT.is_ours(request), STRICT.comes_from_us(request)) == (is_ours, may_change)


def test_behind_a_proxy_the_public_address_is_ours_too() -> None:
    assert STRICT.comes_from_us(asked("http://server:8000/x", origin=PUBLIC))
    assert not RELAXED.comes_from_us(asked("http://server:8000/x", origin=PUBLIC))
    assert RELAXED.comes_from_us(asked("http://server:8000/x", origin="http://server:8000"))


@pytest.mark.parametrize(
    ("door", "address", "name"),
    [
        (STRICT, "http://127.0.0.1:8000/", "__Host-rollcall"),
        (RELAXED, "http://127.0.0.1:8000/", "rollcall"),
        (RELAXED, "http://localhost/", "rollcall"),
        (RELAXED, "http://[::1]:8000/", "rollcall"),
        (RELAXED, "https://127.0.0.1:8000/", "__Host-rollcall"),
        (RELAXED, "http://192.0.2.7/", "__Host-rollcall"),
        (RELAXED, "http://127.0.0.1.evil.example/", "__Host-rollcall"),
    ],
)
def test_a_cookie_is_plain_only_where_it_was_asked_for_and_inside_the_machine(
    door: BrowserDoor, address: str, name: str
) -> None:
    assert door.name_of("rollcall", asked(address)) == name


def test_a_cookie_is_read_only_for_a_page_of_ours_and_in_bounds() -> None:
    assert STRICT.read("rollcall", asked(cookie="__Host-rollcall=abc")) == "abc"
    assert STRICT.read("rollcall", asked(cookie="rollcall=abc")) == ""
    assert STRICT.read("rollcall", asked(cookie="__Host-rollcall=abc", sec_fetch_site="cross-site")) == ""
    assert STRICT.read("rollcall", asked(cookie=f"__Host-rollcall={'a' * 65}")) == ""


def test_the_door_takes_the_origin_of_the_public_address() -> None:
    settings = load_settings(env_file=None, environment="test", secret_key=SECRET, public_url=f"{PUBLIC}/below/")
    assert browser_door(settings) == STRICT


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("/dashboard/centers/1?day=2026-09-21", "/dashboard/centers/1?day=2026-09-21"),
        ("/dashboard?x=1", "/dashboard?x=1"),
        ("/dashboardly", "/dashboard"),
        ("//evil.example/dashboard", "/dashboard"),
        ("https://evil.example", "/dashboard"),
        ("/dashboard/\\evil.example", "/dashboard"),
        ("/dashboard//evil.example", "/dashboard"),
        ("/dashboard/\r\nset-cookie: x", "/dashboard"),
        ("/dashboard/" + "x" * 500, "/dashboard"),
        ("", "/dashboard"),
    ],
)
def test_after_the_sign_in_one_goes_on_only_within_the_dashboard(wanted: str, given: str) -> None:
    assert safe_next(wanted) == given
