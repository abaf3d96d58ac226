"""Forgotten passwords and invitations: links that come by mail, and what a stranger learns of either."""

import asyncio
from collections.abc import AsyncIterator
from statistics import median
from time import perf_counter

import httpx
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from server.core.database import create_engine
from server.core.ids import Ids
from server.repositories.unit_of_work import UnitsOfWork
from server.services.account_tidying import AccountTidying
from tests.support.api import PASSWORD, Api, problem, running_api
from tests.support.forms import POLICY, Browser
from tests.support.letters import Letters
from tests.support.post_office import SENDER, post_office
from tests.support.postgres import FreshDatabase
from tests.support.told_logs import told_logs

pytestmark = pytest.mark.postgres
AUTH = "/api/v1/auth"
DEADLINE_S = 60
NEW = "nine loud orange doors"
STAFF = "staff@example.org"
NOBODY = "nobody@example.org"


@pytest.fixture
async def letters(api: Api, database: FreshDatabase) -> AsyncIterator[Letters]:
    engine = create_engine(database.urls.app)
    try:
        yield Letters(api, engine)
    finally:
        await engine.dispose()


def units_of(letters: Letters) -> UnitsOfWork:
    return UnitsOfWork(letters.engine, clock=letters.api.clock, luck=bytes, new_id=Ids(letters.api.clock).new)


async def ask(api: Api, email: str, **headers: str) -> httpx.Response:
    return await api.client.post(f"{AUTH}/recovery", json={"email": email}, headers=headers)


async def complete(api: Api, token: str, password: str = NEW) -> httpx.Response:
    return await api.client.post(f"{AUTH}/recovery/complete", json={"token": token, "password": password})


async def log_in(api: Api, email: str, password: str) -> int:
    answer = await api.client.post(f"{AUTH}/token", data={"username": email, "password": password})
    return answer.status_code


async def invite(api: Api, manager: dict[str, str], email: str, role: str, center: str = "north") -> httpx.Response:
    path = f"/api/v1/centers/{api.centers[center]}/invitations"
    return await api.client.post(path, json={"email": email, "role": role}, headers=manager)


async def accept(api: Api, token: str, **more: str) -> httpx.Response:
    return await api.client.post(f"{AUTH}/invitations/accept", json={"token": token, **more})


async def test_a_forgotten_password_is_set_anew_once_and_signs_out_everywhere(api: Api, letters: Letters) -> None:
    headers = await api.sign_in("staff")
    answers = [await ask(api, email, Host="evil.example") for email in (" STAFF@Example.org ", STAFF, NOBODY)]
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
    assert await letters.to(NOBODY) == []
    first, second = await letters.to(STAFF)
    assert "evil.example" not in first.body
    assert f"{api.settings.base_url}/reset#token={first.token}" in first.body
    assert first.token not in first.stored
    for bad, expected in (("short", 422), ("staff example staff", 422)):
        assert (await complete(api, first.token, bad)).status_code == expected
    for wrong in ("", "x" * 64, second.token[:-1] + ("A" if second.token[-1] != "A" else "B")):
        assert problem(await complete(api, wrong)) == (403, "link_not_good")
    assert (await complete(api, first.token)).status_code == 204
    # Used up, and so is the other one; the old password and the old session are over.
    for token in (first.token, second.token):
        assert problem(await complete(api, token)) == (403, "link_not_good")
    assert problem(await api.client.get("/api/v1/users/me", headers=headers)) == (401, "invalid_token")
    assert [await log_in(api, STAFF, password) for password in (PASSWORD, NEW)] == [401, 200]
    assert "was changed" in (await letters.to(STAFF))[-1].subject
    # A third mail is the last for ten minutes, also for an address that nobody has.
    for email in (STAFF, NOBODY):
        statuses = [(await ask(api, email)).status_code for _ in range(3)]
        assert statuses[-1] == 429, email
    late = (await letters.to(STAFF))[-1]
    api.clock.advance_ms(3_600_000)
    assert problem(await complete(api, late.token)) == (403, "link_not_good")
    assert problem(await accept(api, late.token)) == (403, "link_not_good")


async def test_a_mail_server_that_is_away_delays_a_recovery_and_loses_none(api: Api, letters: Letters) -> None:
    await api.sign_in("staff")
    await ask(api, STAFF)
    (waiting,) = await letters.to(STAFF)
    async with post_office() as office:
        mail = {"smtp_host": "localhost", "smtp_port": office.port, "smtp_tls": "none", "smtp_from": SENDER}
        async with running_api(api.settings.model_copy(update=mail)) as second, asyncio.timeout(DEADLINE_S):
            second.clock.advance_ms(30 * 60_000)
            await ask(second, STAFF)  # wakes who sends what waits
            while not any(waiting.token in str(one.message.get_content()) for one in office.delivered):
                await office.arrived.wait()
                office.arrived.clear()
            assert waiting.token not in (await letters.to(STAFF))[0].stored
            assert (await complete(second, waiting.token)).status_code == 204
    assert await log_in(api, STAFF, NEW) == 200


async def test_an_unknown_address_costs_as_much_as_a_known_one(api: Api) -> None:
    await api.sign_in("staff")
    seconds: dict[str, list[float]] = {STAFF: [], NOBODY: []}
    for number in range(16):
        for email, spent in seconds.items():
            api.clock.advance_ms(60_000)
            began = perf_counter()
            with pytest.raises(Exception, match="not right"):
                await api.services.auth.log_in(email, f"not the password {number}")
            spent.append(perf_counter() - began)
    known, unknown = median(seconds[STAFF][2:]), median(seconds[NOBODY][2:])
    print(f"log-in refused: known {known * 1000:.1f} ms, unknown {unknown * 1000:.1f} ms")
    assert 0.5 < known / unknown < 2


async def test_an_invitation_lets_one_person_in_once(api: Api, letters: Letters) -> None:
    manager, stranger = await api.sign_in("manager"), await api.sign_in("stranger")
    parent = await api.sign_in("parent")
    assert problem(await invite(api, parent, "new@example.org", "parent")) == (403, "not_entitled")
    assert problem(await invite(api, stranger, "new@example.org", "parent")) == (404, "not_found")
    assert problem(await invite(api, manager, "new@example.org", "admin")) == (403, "not_entitled")
    assert problem(await invite(api, manager, "no address", "staff")) == (422, "invalid_input")
    assert problem(await invite(api, manager, "new@example.org", "owner")) == (422, "invalid_input")
    answer = await invite(api, manager, " New@Example.org", "parent")
    assert (answer.status_code, answer.json()["email"]) == (202, "new@example.org")
    assert (await invite(api, manager, "new@example.org", "staff")).status_code == 202
    path = f"/api/v1/centers/{api.centers['north']}/invitations"
    (listed,) = (await api.client.get(path, headers=manager)).json()["items"]
    assert (listed["email"], listed["role"]) == ("new@example.org", "staff")
    replaced, letter = await letters.to("new@example.org")
    assert "North House" in letter.subject
    assert f"{api.settings.base_url}/invitation#token={letter.token}" in letter.body
    assert problem(await accept(api, replaced.token, display_name="New", password=NEW)) == (403, "link_not_good")
    for name, password, pointer in (
        ("", NEW, "/display_name"),
        ("New", "", "/password"),
        ("New", "new " * 5, "/password"),
    ):
        refused = await accept(api, letter.token, display_name=name, password=password)
        assert problem(refused) == (422, "invalid_input")
        assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
    accepted = await accept(api, letter.token, display_name="New", password=NEW)
    assert accepted.json() == {"email": "new@example.org", "account": "new"}
    assert problem(await accept(api, letter.token, display_name="New", password=NEW)) == (403, "link_not_good")
    assert await log_in(api, "new@example.org", NEW) == 200
    assert (await api.client.get(path, headers=manager)).json()["items"] == []
    # One that was taken back, and one that is too old.
    for number in range(2):
        await invite(api, manager, f"late{number}@example.org", "staff")
    first, _ = (await api.client.get(path, headers=manager)).json()["items"]
    place = f"{path}/{first['id']}"
    other = place.replace(api.centers["north"], api.centers["south"])
    assert problem(await api.client.delete(other, headers=stranger)) == (404, "not_found")
    assert (await api.client.delete(place, headers=manager)).status_code == 204
    assert problem(await api.client.delete(place, headers=manager)) == (404, "not_found")
    api.clock.advance_ms(7 * 86_400_000)
    for number in range(2):
        (letter,) = await letters.to(f"late{number}@example.org")
        assert problem(await accept(api, letter.token, display_name="L", password=NEW)) == (403, "link_not_good")
    api.clock.advance_ms(300_000)
    assert await AccountTidying(units_of(letters), api.clock).run() > 0
    async with letters.engine.connect() as connection:
        for table in ("invitation", "throttle", "password_recovery"):
            assert not await connection.scalar(text(f"SELECT count(*) FROM {table}")), table


async def test_an_invited_account_is_told_and_the_inviter_learns_nothing(api: Api, letters: Letters) -> None:
    manager, admin = await api.sign_in("manager"), await api.sign_in("admin")
    await api.sign_in("staff")
    foreign = await api.sign_in("foreign_admin")
    answers = [await invite(api, manager, email, "parent") for email in (STAFF, NOBODY, "foreign@example.org")]
    assert [answer.status_code for answer in answers] == [202] * 3
    assert len({tuple(answer.json()) for answer in answers}) == 1
    (told,) = await letters.to(STAFF)
    assert (told.subject, "#token" in told.body) == ("You are at North House now", False)
    assert (await invite(api, manager, STAFF, "parent")).status_code == 202
    assert len(await letters.to(STAFF)) == 1, "nothing new to tell"
    # An account of another organisation joins by its link, keeps its password, and can be no admin here.
    (letter,) = await letters.to("foreign@example.org")
    assert (await accept(api, letter.token, password=NEW)).json()["account"] == "known"
    assert [await log_in(api, "foreign@example.org", password) for password in (NEW, PASSWORD)] == [401, 200]
    me = (await api.client.get("/api/v1/users/me", headers=foreign)).json()
    assert [one["role"] for one in me["memberships"]] == ["admin", "parent"]
    assert (await invite(api, admin, "foreign@example.org", "admin")).status_code == 202
    letter = (await letters.to("foreign@example.org"))[-1]
    assert problem(await accept(api, letter.token)) == (409, "other_organisation")
    path = f"/api/v1/centers/{api.centers['north']}/rooms"
    assert problem(await api.client.get(path, headers=foreign)) == (403, "not_entitled")


async def test_no_password_and_no_token_is_in_the_log_or_in_a_table(api: Api, letters: Letters) -> None:
    canaries = [PASSWORD, NEW]
    with told_logs() as told:
        headers = await api.sign_in("staff")
        form = {"username": STAFF, "password": PASSWORD}
        tokens = (await api.client.post(f"{AUTH}/token", data=form)).json()
        await api.client.post(f"{AUTH}/token", data={**form, "password": "Canary-wrong-password"})
        again = (await api.client.post(f"{AUTH}/refresh", json={"refresh_token": tokens["refresh_token"]})).json()
        await ask(api, STAFF)
        (letter,) = await letters.to(STAFF)
        await complete(api, "canary-" + "x" * 57)
        await complete(api, letter.token)
        api.clock.advance_ms(60_000)
        await api.client.post(f"{AUTH}/refresh", json={"refresh_token": tokens["refresh_token"]})
        canaries += [
            headers["Authorization"][7:], tokens["access_token"], tokens["refresh_token"], again["access_token"],
            again["refresh_token"], letter.token, "Canary-wrong-password", "canary-x",
        ]  # fmt: skip
    lines = told.getvalue()
    assert '"password_recovered"' in lines
    assert [canary for canary in canaries if canary in lines] == []
    async with letters.engine.connect() as connection:
        tables = ("user_session", "password_recovery", "recovery_request", "mail_outbox", "throttle", "user_account")
        rows = [str((await connection.execute(text(f"SELECT * FROM {table}"))).all()) for table in tables]
    assert [canary for canary in canaries if any(canary in row for row in rows)] == []


async def test_the_pages_behind_the_links_set_passwords_and_let_people_in(api: Api, letters: Letters) -> None:
    manager = await api.sign_in("manager")
    await api.sign_in("staff")
    await ask(api, STAFF)
    await invite(api, manager, "new@example.org", "staff")
    await invite(api, manager, "late@example.org", "staff")
    (letter,), (invitation,), (late,) = [
        await letters.to(one) for one in (STAFF, "new@example.org", "late@example.org")
    ]
    browser = Browser(api)

    async def send(page: str, **form: str) -> tuple[int, str]:
        await browser.get(page)
        answer = await browser.post(page, data={"csrf": browser.form_token, **form})
        return answer.status_code, answer.headers.get("location", answer.text)

    with capture_logs() as logged:
        shown = await browser.get("/reset")
        assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
        assert (shown.headers["content-security-policy"], shown.headers["referrer-policy"]) == (POLICY, "same-origin")
        status, page = await send("/reset", token=letter.token, password=NEW, again="another one entirely")
        assert (status, "not the same" in page, letter.token in page, NEW in page) == (422, True, True, False)
        status, page = await send("/reset", token=letter.token, password="short", again="short")
        assert (status, "15" in page) == (422, True)
        link = f"{api.settings.base_url}/reset#token={letter.token}"
        assert await send("/reset", token=link, password=NEW, again=NEW) == (303, "/reset/done")
        assert "Sign in with the new password" in (await browser.get("/reset/done")).text
        status, page = await send("/reset", token=letter.token, password=NEW, again=NEW)
        assert (status, "used or is too old" in page) == (403, True)
        answer = await browser.post("/reset", data={"csrf": "wrong", "token": late.token, "password": NEW})
        assert answer.status_code == 403
        form = {"token": invitation.token, "password": NEW, "again": NEW}
        status, page = await send("/invitation", **form, display_name="<b>")
        assert (status, page) == (303, "/invitation/welcome")
        status, page = await send("/invitation", token=late.token, password="short", again="short", display_name="<b>")
        assert (status, "&lt;b&gt;" in page, "<b>" in page) == (422, True, False)
    assert await log_in(api, STAFF, NEW) == 200
    assert await log_in(api, "new@example.org", NEW) == 200
    said = repr(logged)
    assert not [one for one in (letter.token, invitation.token, late.token, NEW) if one in said]
    # Who asks for a link on the page is told the same, whether there is an account or not.
    for email in (STAFF, NOBODY):
        await browser.get("/reset")
        answer = await browser.post("/reset/ask", data={"csrf": browser.form_token, "email": email})
        assert (answer.status_code, answer.headers["location"]) == (303, "/reset/asked")
    assert "a mail is on its way" in (await browser.get("/reset/asked")).text
    # The first link, the word that the password was changed, and the link that was asked for now.
    assert (len(await letters.to(STAFF)), await letters.to(NOBODY)) == (3, [])
