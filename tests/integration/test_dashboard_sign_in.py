"""Signing in to the dashboard: cookies, refusals, what the cookie opens and what it never opens."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from server.core.database import create_engine
from server.services.clients import client_of
from tests.support.api import PASSWORD, PEOPLE, Api, problem
from tests.support.forms import POLICY, Browser
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres
HOUR_MS = 3_600_000


async def test_the_cookie_is_kept_from_scripts_and_other_sites_and_signing_out_ends_it(api: Api) -> None:
    await api.sign_in("manager")
    browser, home = Browser(api), f"/dashboard/centers/{api.centers['north']}"
    asked = await browser.get(f"{home}/reviews?state=answered")
    assert asked.status_code == 303
    assert asked.headers["location"].startswith("/dashboard/sign-in?next=%2Fdashboard%2Fcenters%2F")
    answer = await browser.sign_in("manager", onward=home)
    cookies = {line.partition("=")[0]: line for line in answer.headers.get_list("set-cookie")}
    session = cookies["__Host-rollcall"].lower()
    assert {"httponly", "secure", "samesite=strict", "path=/", "max-age=604800"} <= set(session.split("; "))
    assert "domain" not in session
    kept = await browser.get(answer.headers["location"])
    assert (kept.status_code, kept.headers["location"]) == (303, home)
    page = await browser.get(home)
    assert page.status_code == 200
    assert page.headers["content-security-policy"] == POLICY
    assert page.headers["cache-control"] == "no-store"
    assert (await browser.get("/api/v1/users/me")).json()["email"] == "manager@example.org"
    before = dict(browser.cookies)
    assert (await browser.post("/dashboard/sign-out", data={"csrf": "wrong"})).status_code == 403
    assert (await browser.post("/dashboard/sign-out", data={"csrf": browser.form_token})).status_code == 303
    browser.cookies = before
    assert problem(await browser.get("/api/v1/users/me")) == (401, "session_ended")
    assert (await browser.get(home)).headers["location"].startswith("/dashboard/sign-in")


async def test_a_wrong_password_an_unknown_and_a_switched_off_account_look_alike(
    api: Api, database: FreshDatabase
) -> None:
    for who in ("manager", "staff"):
        await api.sign_in(who)
    await _execute(database, "UPDATE user_account SET is_active = false WHERE email = 'staff@example.org'")
    browser = Browser(api)
    with capture_logs() as logs:
        pages = [
            await browser.sign_in("manager", "wrong but long enough"),
            await browser.sign_in("parent", PASSWORD),
            await browser.sign_in("staff", PASSWORD),
        ]
    assert {page.status_code for page in pages} == {401}
    emails = [PEOPLE[who][0] for who in ("manager", "parent", "staff")]
    assert len({page.text.replace(email, "X") for page, email in zip(pages, emails, strict=True)}) == 1
    assert "is not right" in pages[0].text
    assert not [line for line in logs if PASSWORD in str(line) or "example.org" in str(line)]


async def test_a_form_of_another_page_signs_nobody_in(api: Api) -> None:
    await api.sign_in("manager")
    browser = Browser(api)
    await browser.get("/dashboard/sign-in")
    form = {"email": PEOPLE["manager"][0], "password": PASSWORD, "csrf": browser.form_token}
    refused = [
        await browser.post("/dashboard/sign-in", data=form, headers={"origin": "https://evil.example"}),
        await browser.post("/dashboard/sign-in", data=form, headers={"sec-fetch-site": "cross-site"}),
        await browser.ask("POST", "/dashboard/sign-in", headers={}, data=form),
        await browser.post("/dashboard/sign-in", data=form | {"csrf": "x" * 43}),
    ]
    assert [page.status_code for page in refused] == [403] * 4
    assert "__Host-rollcall" not in browser.cookies
    onward = await browser.sign_in("manager", onward="https://evil.example/dashboard")
    assert onward.headers["location"].endswith("next=%2Fdashboard")


async def test_a_cookie_opens_the_api_for_our_own_pages_alone(api: Api) -> None:
    await api.sign_in("manager")
    browser, center = Browser(api), api.centers["north"]
    await browser.sign_in("manager")
    await browser.get(f"/dashboard/centers/{center}")
    path, body = f"/api/v1/centers/{center}/enrolment-codes", {"device_name": "Desk"}
    good = {"x-csrf-token": browser.form_token}
    assert (await browser.post(path, json=body, headers=good)).status_code == 201
    assert problem(await browser.post(path, json=body)) == (403, "csrf_wrong")
    assert problem(await browser.ask("POST", path, headers=good, json=body)) == (403, "csrf_wrong")
    for foreign in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
        assert problem(await browser.post(path, json=body, headers=good | foreign)) == (401, "unauthenticated")
        assert problem(await browser.get("/api/v1/users/me", **foreign)) == (401, "unauthenticated")
    # The same cookie without the prefix is nothing: another site of the host's could have set it.
    browser.cookies = {"rollcall": browser.cookies["__Host-rollcall"]}
    assert problem(await browser.get("/api/v1/users/me")) == (401, "unauthenticated")


async def test_a_session_ends_when_it_lies_idle_after_a_week_and_with_the_password(
    api: Api, database: FreshDatabase
) -> None:
    await api.sign_in("manager")
    idle, used = Browser(api), Browser(api)
    await idle.sign_in("manager")
    await used.sign_in("manager")
    for _ in range(14):
        assert (await used.get("/api/v1/users/me")).status_code == 200
        api.clock.advance_ms(11 * HOUR_MS)
    assert problem(await idle.get("/api/v1/users/me")) == (401, "session_ended")
    assert (await used.get("/api/v1/users/me")).status_code == 200
    assert await api.services.browser_sessions.forget_ended() == 1
    api.clock.advance_ms(11 * HOUR_MS)
    assert (await used.get("/api/v1/users/me")).status_code == 200
    api.clock.advance_ms(4 * HOUR_MS)
    assert problem(await used.get("/api/v1/users/me")) == (401, "session_ended")
    await _the_last_twenty_are_kept(api, database)
    fresh = Browser(api)
    await fresh.sign_in("manager")
    stored = await _column(database, "SELECT token_hash FROM browser_session")
    assert fresh.cookies["__Host-rollcall"] not in repr(stored)
    await _execute(database, "UPDATE user_account SET is_active = false")
    assert problem(await fresh.get("/api/v1/users/me")) == (403, "account_inactive")
    await _execute(database, "UPDATE user_account SET is_active = true, password_hash = 'another'")
    assert problem(await fresh.get("/api/v1/users/me")) == (401, "session_ended")


async def _the_last_twenty_are_kept(api: Api, database: FreshDatabase) -> None:
    first = Browser(api)
    await first.sign_in("manager")
    for _ in range(20):
        api.clock.advance_ms(1_000)
        await api.services.browser_sessions.begin(
            PEOPLE["manager"][0], PASSWORD, client_of("192.0.2.7", "A phone\x00\u202e")
        )
    assert problem(await first.get("/api/v1/users/me")) == (401, "session_ended")
    assert await _column(database, "SELECT DISTINCT client FROM browser_session") == ["A phone"]
    assert await _column(database, "SELECT count(*) FROM browser_session") == [20]


async def test_each_page_is_for_those_who_work_at_the_centre(api: Api) -> None:
    expected = {"staff": 200, "manager": 200, "admin": 200, "parent": 403, "stranger": 404, "foreign_admin": 404}
    pages = ("", "/reviews", "/devices", "/present", "/present?at=2026-09-21T08:00", "?wall=1")
    base = f"/dashboard/centers/{api.centers['north']}"
    home = {}
    for who, status in expected.items():
        await api.sign_in(who)
        browser = Browser(api)
        await browser.sign_in(who)
        home[who] = await browser.get("/dashboard")
        missing = await browser.get("/dashboard/centers/not-an-id")
        assert (missing.status_code, "There is no such thing" in missing.text) == (404, True)
        for page in pages:
            answer = await browser.get(f"{base}{page}")
            assert answer.status_code == status, (who, page)
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
        token = api.services.browser_sessions.form_token(browser.cookies["__Host-rollcall"])
        code = await browser.post(f"{base}/devices/enrolment-code", data={"csrf": token})
        assert code.status_code == (403 if who == "staff" else status), who
        if who == "staff":
            await _what_is_wrong_with_a_moment_is_said_at_its_field(browser, f"{base}/present")
    assert home["staff"].headers["location"] == base
    names = ("North House", "South House", "Other House")
    assert [name in home["admin"].text for name in names] == [True, True, False]
    assert "Nothing here for you yet" in home["parent"].text
    assert (await Browser(api).get("/")).headers["location"] == "/dashboard"


async def _what_is_wrong_with_a_moment_is_said_at_its_field(browser: Browser, path: str) -> None:
    bad = await browser.get(f"{path}?at=half+past+%22eight&known_at=2026-09-21T08:00")
    assert bad.status_code == 422
    assert 'type="text" value="half past &#34;eight"' in bad.text
    assert 'id="at-problem"' in bad.text
    assert 'type="datetime-local" value="2026-09-21T08:00"' in bad.text
    assert 'id="known_at-problem"' not in bad.text
    assert "Nothing was looked up" in bad.text
    assert "Children:" not in bad.text
    ahead = await browser.get(f"{path}?known_at=2098-01-01T08:00")
    assert (ahead.status_code, "This lies ahead" in ahead.text) == (422, True)
    twice = await browser.get(f"{path}?at=2025-10-26T01:30")
    assert (twice.status_code, "at=2025-10-26T01%3A30%3A00%2B00%3A00" in twice.text) == (200, True)
    other = await browser.get(f"{path}?at=2025-10-26T01%3A30%3A00%2B00%3A00&known_at=")
    assert "At 2025-10-26 01:30 +0000" in other.text


async def _execute(database: FreshDatabase, statement: str) -> None:
    await _column(database, statement)


async def _column(database: FreshDatabase, statement: str) -> list[Any]:
    engine = create_engine(database.urls.owner)
    try:
        async with engine.begin() as connection:
            found = await connection.exec_driver_sql(statement)
            return [row[0] for row in found] if found.returns_rows else []
    finally:
        await engine.dispose()
