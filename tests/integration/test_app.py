"""The app as a whole: health, problem details for everything, documentation pages, and life as a process."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from structlog.testing import capture_logs

from server.core.database import create_engine, parts_of
from server.models import metadata
from server.repositories import database_admin
from server.routes import build_app
from tests.support.api import PASSWORD, SECRET, Api, problem, running_api, settings_for
from tests.support.clock import FakeClock
from tests.support.postgres import FreshDatabase, PostgresServer, as_admin
from tests.support.programs import said_by

pytestmark = pytest.mark.postgres
ROOT = Path(__file__).parents[2]
DEADLINE_S = 120


async def test_a_running_server_is_alive_and_ready(api: Api) -> None:
    assert (await api.client.get("/livez")).json() == {"status": "alive"}
    answer = await api.client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "checks": {"database": "ok", "schema": "ok"}}


async def test_without_its_database_the_server_lives_and_says_when_to_come_back(
    api: Api, database: FreshDatabase, postgres_server: PostgresServer
) -> None:
    headers = await api.sign_in("staff")
    await as_admin(postgres_server.admin_url, _drop_under_the_server, database)
    assert (await api.client.get("/livez")).status_code == 200
    ready = await api.client.get("/readyz")
    assert (ready.status_code, ready.json()["checks"]) == (503, {"database": "does not answer"})
    answer = await api.client.get("/api/v1/centers", headers=headers)
    assert problem(answer) == (503, "database_unavailable")
    assert int(answer.headers["retry-after"]) > 0


def _drop_under_the_server(connection: Connection, database: FreshDatabase) -> None:
    """An owner that is no superuser may cut only the connections of roles it belongs to."""
    role = parts_of(database.urls.app).role
    connection.execute(text(f'GRANT "{role}" TO CURRENT_USER'))
    database_admin.drop_database(connection, database.name)


async def test_a_schema_of_another_version_is_not_ready(api: Api, database: FreshDatabase) -> None:
    await _execute(database, "UPDATE alembic_version SET version_num = '0000'")
    answer = await api.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["schema"].startswith("is at 0000")


NO_ROUTE = (
    ("GET", "/nowhere", (404, "not_found")),
    ("GET", "/api/v1/nowhere", (404, "not_found")),
    ("DELETE", "/api/v1/centers", (405, "method_not_allowed")),
    ("GET", "/api/v1/auth/token", (405, "method_not_allowed")),
    ("GET", "/api/v1/centers", (401, "unauthenticated")),
)
KEY = b'"public_key": "' + b"A" * 43 + b'"'
BAD_BODIES = (
    (b"{", (400, "json_invalid")),
    (b"\xff\xfe", (400, "json_invalid")),
    (b"[]", (422, "invalid_input")),
    (b"null", (422, "invalid_input")),
    (b'{"code": 7, ' + KEY + b"}", (422, "invalid_input")),
    (b'{"code": "2222-2222", ' + KEY + b', "more": 1}', (422, "invalid_input")),
    (b'{"code": "22\\u0000", ' + KEY + b"}", (422, "invalid_input")),
    (b"[" * 100_000, (400, "bad_request")),
    (b" " * 1_048_577, (413, "too_large")),
)


async def test_what_no_route_answers_is_a_problem_too(api: Api) -> None:
    for method, path, expected in NO_ROUTE:
        assert problem(await api.client.request(method, path)) == expected, (method, path)


async def test_a_body_that_makes_no_sense_is_a_problem(api: Api) -> None:
    headers = {"content-type": "application/json"}
    for body, expected in BAD_BODIES:
        answer = await api.client.post("/api/v1/devices/enrol", content=body, headers=headers)
        assert problem(answer) == expected, body[:40]


@pytest.mark.parametrize("address", ["/api/v1/reviews?kind=%00", "/api/v1/centers/%00", "/dashboard?x=a%00"])
async def test_an_address_with_a_nul_is_refused_wherever_it_leads(api: Api, address: str) -> None:
    assert problem(await api.client.get(address)) == (422, "invalid_input")


async def test_a_body_of_unknown_length_is_bounded_while_it_is_read(api: Api) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(2_000):
            yield b" " * 1024

    headers = {"content-type": "application/json"}
    answer = await api.client.post("/api/v1/devices/enrol", content=endless(), headers=headers)
    assert problem(answer) == (413, "too_large")


async def test_an_error_nobody_foresaw_tells_nothing(database: FreshDatabase, tmp_path: Path) -> None:
    app = build_app(settings_for(database, tmp_path), FakeClock())

    @app.get("/broken")
    async def broken() -> None:
        raise ZeroDivisionError("a secret of Zoë's")

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answer = await client.get("/broken")
        assert problem(answer) == (500, "internal")
        assert "secret" not in answer.text
        assert problem(await client.get("/readyz")) == (503, "unavailable")


async def test_every_answer_has_a_request_id_and_safe_headers(api: Api) -> None:
    given = await api.client.get("/livez", headers={"X-Request-ID": "from-the-proxy-1"})
    assert given.headers["x-request-id"] == "from-the-proxy-1"
    made = await api.client.get("/livez", headers={"X-Request-ID": "no good\t"})
    assert len(made.headers["x-request-id"]) == 36
    assert made.headers["x-content-type-options"] == "nosniff"


async def test_the_log_holds_no_name_no_address_and_no_secret(api: Api) -> None:
    with capture_logs() as lines:
        headers = await api.sign_in("staff")
        wrong = {"username": "staff@example.org", "password": "not the right password"}
        await api.client.post("/api/v1/auth/token", data=wrong)
        found = await api.client.get(f"/api/v1/attendance?center_id={api.centers['north']}", headers=headers)
        await api.client.get("/api/v1/children/Silva")
    text = repr(lines)
    assert "request_answered" in text
    assert "Silva" in found.text
    for canary in ("Silva", "Zoë", "example.org", PASSWORD, "not the right", headers["Authorization"][7:]):
        assert canary not in text


async def test_the_documentation_can_be_read_and_switched_off(database: FreshDatabase, tmp_path: Path) -> None:
    for enabled, expected in ((True, 200), (False, 404)):
        async with running_api(settings_for(database, tmp_path, docs_enabled=enabled)) as api:
            for path in ("/docs", "/redoc", "/openapi.json"):
                assert (await api.client.get(path)).status_code == expected, path


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_the_documentation_loads_what_it_needs_from_here_alone(api: Api, page: str) -> None:
    html = (await api.client.get(page)).text
    needed = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert any(path.endswith(".js") for path in needed)
    for path in needed:
        assert path.startswith("/docs-assets/"), path
        assert (await api.client.get(path)).status_code == 200, path


async def test_other_origins_may_call_only_when_they_are_named(database: FreshDatabase, tmp_path: Path) -> None:
    origin = {"Origin": "https://parents.example.org"}
    for origins, expected in (((), None), (("https://parents.example.org",), origin["Origin"])):
        async with running_api(settings_for(database, tmp_path, cors_origins=origins)) as api:
            answer = await api.client.get("/livez", headers=origin)
            assert answer.headers.get("access-control-allow-origin") == expected


async def test_the_models_are_what_the_migrations_make(database: FreshDatabase) -> None:
    def differences(connection: Connection) -> object:
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)

    engine = create_engine(database.urls.owner)
    try:
        async with engine.connect() as connection:
            assert await connection.run_sync(differences) == []
    finally:
        await engine.dispose()


async def test_serve_runs_until_it_is_told_to_stop(database: FreshDatabase, tmp_path: Path) -> None:
    async with _process(database, tmp_path, "server", "serve", "--port", "0") as process:
        assert process.stderr is not None
        async with asyncio.timeout(DEADLINE_S):
            while "answers at" not in (line := (await process.stderr.readline()).decode()):
                assert line, "the server ended"
        address = line.split("answers at ")[1].split(";")[0]
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{address}/readyz")).status_code == 200
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(DEADLINE_S):
            assert await process.wait() == 0


async def test_any_asgi_server_can_run_the_app(database: FreshDatabase, tmp_path: Path) -> None:
    port = _free_port()
    arguments = ("uvicorn", "server.asgi:app", "--port", str(port))
    async with _process(database, tmp_path, *arguments) as process, httpx.AsyncClient(trust_env=False) as client:
        await _until_ready(client, f"http://127.0.0.1:{port}")
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(DEADLINE_S):
            await process.wait()


async def test_what_keeps_the_server_from_starting_is_told_in_one_sentence(
    database: FreshDatabase, tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        async with _process(database, tmp_path, "server", "serve", "--port", port) as process:
            output, errors = await process.communicate()
    said = (output + errors).decode()
    assert (process.returncode, said.count("\n")) == (2, 1)
    assert f"port {port} (address already in use)" in said
    status, said = await _run(
        database, tmp_path, "serve", "--port", "0", DATABASE_URL="postgresql://x:y@127.0.0.1:1/z", DATABASE_OWNER_URL=""
    )
    assert status == 2
    assert "cannot be reached: start it" in said
    assert "Traceback" not in said
    status, said = await _run(
        database,
        tmp_path,
        "serve",
        "--port",
        "0",
        ENVIRONMENT="production",
        SECRET_KEY="changeme-changeme-changeme-changeme",
    )
    assert (status, said.count("\n")) == (2, 1)
    assert "SECRET_KEY is a default or easy to guess" in said


async def test_the_commands_of_the_first_steps_work(database: FreshDatabase, tmp_path: Path) -> None:
    assert (await _run(database, tmp_path, "migrate"))[0] == 0
    status, said = await _run(database, tmp_path, "seed")
    assert (status, "child: 60 new" in said) == (0, True)
    user = ("create-user", "--email", "m@example.org", "--name", "M", "--role", "manager", "--center", "sunny-gate")
    status, said = await _run(database, tmp_path, *user, ROLLCALL_PASSWORD="too short")
    assert status == 1
    assert "at least 15 characters" in said
    assert (await _run(database, tmp_path, *user, "--password-stdin", stdin="seven quiet green gates\n"))[0] == 0
    status, said = await _run(database, tmp_path, "enrol-code", "--center", "sunny-gate", "--name", "Desk 1")
    assert (status, len(said.strip())) == (0, 9)
    status, said = await _run(database, tmp_path, "enrol-code", "--center", "nowhere")
    assert status == 1
    assert "no centre with the code nowhere" in said
    bad = tmp_path / "bad.csv"
    bad.write_text("record,external_id,given_name\nchild,C-1,\n", encoding="utf-8")
    status, said = await _run(database, tmp_path, "import", str(bad))
    assert status == 1
    assert f"{bad}, line 2, column given_name: this must not be empty" in said.replace("\n", " ")
    assert "Nothing was imported" in said
    assert (await _run(database, tmp_path, "import", str(tmp_path / "none.csv")))[0] == 2


async def _execute(database: FreshDatabase, statement: str) -> None:
    engine = create_engine(database.urls.owner)
    try:
        async with engine.begin() as connection:
            await connection.exec_driver_sql(statement)
    finally:
        await engine.dispose()


def _environment(database: FreshDatabase, folder: Path, more: dict[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    own = {
        "PYTHONPATH": str(ROOT), "DATABASE_URL": database.urls.app, "DATABASE_OWNER_URL": database.urls.owner,
        "SECRET_KEY": SECRET, "ENVIRONMENT": "test", "DATA_DIR": str(folder / "data"), "COLUMNS": "400",
    }  # fmt: skip
    return {**kept, **own, **more}


@asynccontextmanager
async def _process(
    database: FreshDatabase, folder: Path, *arguments: str, **more: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, cwd=folder, env=_environment(database, folder, more),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def _run(database: FreshDatabase, folder: Path, *arguments: str, stdin: str = "", **more: str) -> tuple[int, str]:
    environment = _environment(database, folder, more)
    said = await said_by("server", *arguments, environment=environment, folder=folder, answer=stdin)
    return said.status, said.out + said.err


async def _until_ready(client: httpx.AsyncClient, address: str) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            with suppress(httpx.TransportError):
                if (await client.get(f"{address}/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
