"""The dependencies: locked with hashes and without addresses, above the safe floors, each with its reason."""

import re
import tomllib
from importlib.metadata import version
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.tidy.conftest import Tree

LOCKS = ["requirements.lock", ".ci/requirements-runtime.lock"]
_PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[a-z0-9,_-]+\])?==([^\s;]+)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
_FORBIDDEN_MODULES = re.compile(r"^\s*(?:import|from)\s+(ecdsa|rsa)\b", re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes(tree: Tree, lock: str) -> None:
    blocks = re.split(r"(?m)^(?=[a-z0-9])", tree.texts[lock] or "")
    pinned = [block for block in blocks if block.strip()]
    assert len(pinned) > 20
    for block in pinned:
        assert _PIN.match(block), block[:80]
        assert _HASH.search(block), block[:80]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_no_address(tree: Tree, lock: str) -> None:
    text = tree.texts[lock] or ""
    assert "://" not in text
    assert not re.search(r"(?m)^(-i|--(extra-)?index|--find-links|-f)\b", text)


def test_the_image_gets_the_versions_that_were_tested(tree: Tree) -> None:
    everything, image = (_pins(tree, lock) for lock in LOCKS)
    assert image.items() <= everything.items()
    assert "pytest" not in image


def test_the_lock_satisfies_the_project(tree: Tree) -> None:
    pins = _pins(tree, LOCKS[0])
    project = _project(tree)
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(pins[requirement.name.lower()]), requirement


def test_pip_and_uv_get_the_same_development_tools(tree: Tree) -> None:
    groups = tomllib.loads(tree.texts["pyproject.toml"] or "")["dependency-groups"]
    assert groups["dev"] == _project(tree)["optional-dependencies"]["dev"]
    assert set(groups["build"]) <= set(groups["dev"])


@pytest.mark.parametrize(
    ("package", "floor"), [("starlette", "1.3.1"), ("python-multipart", "0.0.27"), ("python-jose", "3.5.0")]
)
def test_the_floors_of_known_holes_are_installed(package: str, floor: str) -> None:
    assert Version(version(package)) >= Version(floor)


def test_jose_stays_with_cryptography(tree: Tree) -> None:
    found = [
        path for path, text in tree.python_files("server", "kiosk", "sync").items() if _FORBIDDEN_MODULES.search(text)
    ]
    assert not found


def test_every_dependency_has_its_reason(tree: Tree) -> None:
    record = tree.texts["docs/decisions/0002-stack-and-dependencies.md"] or ""
    reasons = set(re.findall(r"^- `([a-z0-9-]+)`:? ", record, re.MULTILINE))
    project = _project(tree)
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    assert reasons == {Requirement(line).name for line in wanted}


def _pins(tree: Tree, lock: str) -> dict[str, str]:
    return dict(_PIN.findall(tree.texts[lock] or ""))


def _project(tree: Tree) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads(tree.texts["pyproject.toml"] or "")["project"]
    return project
