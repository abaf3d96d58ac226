"""Sessions of people: what keeps a log-in going, what ends it, and what bounds tries."""

import asyncio
from typing import Any

import httpx
import pytest

from server.core.refresh_tokens import RefreshTokens
from server.services.clients import Client
from server.services.sessions import IDLE_MAX
from server.services.throttles import LOG_IN_PERSON
from tests.support.api import PASSWORD, PEOPLE, SECRET, Api, problem, running_api
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres
AUTH = "/api/v1/auth"
ME = "/api/v1/users/me"
DAY_MS = 86_400_000


async def log_in(api: Api, who: str = "staff", agent: str = "phone", password: str = PASSWORD) -> httpx.Response:
    form = {"username": PEOPLE[who][0], "password": password}
    return await api.client.post(f"{AUTH}/token", data=form, headers={"User-Agent": agent})


async def refresh(api: Api, token: str) -> httpx.Response:
    return await api.client.post(f"{AUTH}/refresh", json={"refresh_token": token})


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def may(api: Api, tokens: dict[str, Any]) -> int:
    return (await api.client.get(ME, headers=bearer(tokens))).status_code


async def test_a_session_goes_on_by_its_refresh_tokens_and_a_repeat_costs_nothing(api: Api) -> None:
    await api.sign_in("staff")
    first = (await log_in(api)).json()
    assert first["refresh_expires_in"] == IDLE_MAX.total_seconds()
    answer = await refresh(api, first["refresh_token"])
    second = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert second["refresh_token"] != first["refresh_token"]
    # A lost answer: the same token, within a minute, gets the same next one, and both access tokens are good.
    api.clock.advance_ms(59_999)
    again = (await refresh(api, first["refresh_token"])).json()
    assert again["refresh_token"] == second["refresh_token"]
    assert [await may(api, tokens) for tokens in (first, second, again)] == [200, 200, 200]
    # Two at once: one moves on, the other repeats.
    both = await asyncio.gather(*(refresh(api, second["refresh_token"]) for _ in range(4)))
    third = {answer.json()["refresh_token"] for answer in both}
    assert [answer.status_code for answer in both] == [200] * 4
    assert len(third) == 1
    # For thirty days in all, however it is used.
    token = third.pop()
    for _ in range(4):
        api.clock.advance_ms(7 * DAY_MS)
        token = (await refresh(api, token)).json()["refresh_token"]
    api.clock.advance_ms(2 * DAY_MS)
    assert problem(await refresh(api, token)) == (401, "refresh_token_wrong")


async def test_a_used_refresh_token_ends_its_session_and_a_made_up_one_ends_nothing(api: Api) -> None:
    await api.sign_in("staff")
    stolen, other = (await log_in(api)).json(), (await log_in(api)).json()
    newest = (await refresh(api, stolen["refresh_token"])).json()
    session_id = RefreshTokens(SECRET).read(newest["refresh_token"])
    assert session_id is not None
    for made_up in ("", "x" * 86, RefreshTokens("y" * 40).first(session_id.session_id, b"x" * 32).text):
        assert problem(await refresh(api, made_up)) == (401, "refresh_token_wrong")
    assert await may(api, newest) == 200
    api.clock.advance_ms(60_000)
    assert problem(await refresh(api, stolen["refresh_token"])) == (401, "refresh_token_wrong")
    assert problem(await refresh(api, newest["refresh_token"])) == (401, "refresh_token_wrong")
    assert [await may(api, tokens) for tokens in (stolen, newest, other)] == [401, 401, 200]
    # One that was used before the last is in two hands too, within the minute or not.
    second = (await refresh(api, other["refresh_token"])).json()
    third = (await refresh(api, second["refresh_token"])).json()
    assert problem(await refresh(api, other["refresh_token"])) == (401, "refresh_token_wrong")
    assert [await may(api, tokens) for tokens in (second, third)] == [401, 401]


async def test_sessions_are_listed_and_ended_and_each_is_its_owners(api: Api) -> None:
    await api.sign_in("staff")
    stranger = await api.sign_in("stranger")
    here, there = (await log_in(api, agent="Here\x7f/1 " + "x" * 900)).json(), (await log_in(api, agent="There")).json()
    api.clock.advance_ms(1_000)
    here = (await refresh(api, here["refresh_token"])).json()
    listed = (await api.client.get(f"{AUTH}/sessions", headers=bearer(here))).json()["items"]
    assert [one["is_current"] for one in listed] == [True, False, False]
    assert listed[0]["last_used_at"] > listed[0]["created_at"]
    assert len(listed[0]["client"]) <= 200
    place = f"{AUTH}/sessions/{next(one['id'] for one in listed if one['client'] == 'There')}"
    assert problem(await api.client.delete(place, headers=stranger)) == (404, "not_found")
    assert (await api.client.delete(place, headers=bearer(here))).status_code == 204
    assert problem(await api.client.delete(place, headers=bearer(here))) == (404, "not_found")
    assert [await may(api, tokens) for tokens in (here, there)] == [200, 401]
    assert problem(await refresh(api, there["refresh_token"])) == (401, "refresh_token_wrong")
    assert (await api.client.delete(f"{AUTH}/sessions", headers=bearer(here))).status_code == 204
    listed = (await api.client.get(f"{AUTH}/sessions", headers=bearer(here))).json()["items"]
    assert [one["is_current"] for one in listed] == [True]
    for token in (here["refresh_token"], here["refresh_token"], "nonsense"):
        answer = await api.client.post(f"{AUTH}/log-out", json={"refresh_token": token})
        assert (answer.status_code, answer.content) == (204, b"")
    assert await may(api, here) == 401


async def test_a_password_is_changed_by_who_knows_it_and_ends_the_other_sessions(api: Api) -> None:
    await api.sign_in("staff")
    here, there = (await log_in(api)).json(), (await log_in(api)).json()

    async def change(old: str, new: str) -> httpx.Response:
        body = {"old_password": old, "new_password": new}
        return await api.client.post(f"{ME}/password", json=body, headers=bearer(here))

    assert problem(await change("not my password at all", "nine loud orange doors")) == (403, "wrong_password")
    for bad in (
        "short",
        "staff example staff",
        "rollcallrollcall",
        "x" * 257,
        "a\x00bcdefghijklmnopq",
        "passwordpassword",
    ):
        assert problem(await change(PASSWORD, bad)) == (422, "invalid_input"), bad
    assert await may(api, there) == 200
    assert (await change(PASSWORD, "nine loud orange doors")).status_code == 204
    assert [await may(api, tokens) for tokens in (here, there)] == [200, 401]
    assert problem(await refresh(api, there["refresh_token"])) == (401, "refresh_token_wrong")
    assert problem(await log_in(api)) == (401, "wrong_credentials")
    assert (await log_in(api, password="nine loud orange doors")).status_code == 200


async def test_tries_are_bounded_for_an_account_by_all_servers_and_come_back(api: Api, database: FreshDatabase) -> None:
    await api.sign_in("staff")
    await api.sign_in("manager")
    async with running_api(api.settings) as second:
        servers = [api, second]
        for number in range(LOG_IN_PERSON.burst):
            assert problem(await log_in(servers[number % 2], password="a wrong one, guessed")) == (
                401,
                "wrong_credentials",
            )
        refused = await log_in(second)
        assert problem(refused) == (429, "rate_limited")
        assert refused.headers["retry-after"] == str(LOG_IN_PERSON.step_s)
        assert refused.headers["ratelimit-policy"] == '"log_in_person";q=10;w=300'
        assert refused.headers["ratelimit"] == '"log_in_person";r=0;t=30'
        # Others are not touched, nor is the owner at another address. What a client says of its address is not heard.
        assert (await log_in(api, "manager")).status_code == 200
        elsewhere = httpx.ASGITransport(api.app, client=("2001:db8::7", 1))
        form = {"username": PEOPLE["staff"][0], "password": PASSWORD}
        async with httpx.AsyncClient(transport=elsewhere, base_url="http://test") as owner:
            assert (await owner.post(f"{AUTH}/token", data=form)).status_code == 200
        forged = {"X-Forwarded-For": "2001:db8::7", "Forwarded": "for=192.0.2.1"}
        assert (await api.client.post(f"{AUTH}/token", data=form, headers=forged)).status_code == 429
        api.clock.advance_ms(LOG_IN_PERSON.step_s * 1_000)
        second.clock.advance_ms(LOG_IN_PERSON.step_s * 1_000)
        # The right password costs no try.
        assert [(await log_in(api)).status_code for _ in range(3)] == [200] * 3
        api.clock.set_wall_ms(api.clock.wall_ms() - DAY_MS)
        assert (await log_in(api)).status_code == 200, "a clock that was set back locks nobody out for a day"


async def test_who_watches_live_is_known_only_while_their_session_goes_on(api: Api) -> None:
    await api.sign_in("staff")
    app = (await log_in(api)).json()
    user = await api.services.auth.identify(app["access_token"])
    cookie = await api.services.browser_sessions.begin(PEOPLE["staff"][0], PASSWORD, Client())
    browser = await api.services.browser_sessions.user_of(cookie)
    both = {(one.id, one.session_id) for one in (user, browser)}
    assert (await api.services.auth.users(both)).keys() == both
    await api.services.browser_sessions.end(cookie)
    assert (await api.services.auth.users(both)).keys() == {(user.id, user.session_id)}
    await api.client.post(f"{AUTH}/log-out", json={"refresh_token": app["refresh_token"]})
    assert await api.services.auth.users(both) == {}
