"""The tree and what is written in it: the fixed top level, no machine's paths, documents that keep up."""

import re

from server.core.settings import Settings
from tests.tidy.conftest import Tree

TOP_LEVEL = {
    ".ci", ".github", "server", "kiosk", "sync", "migrations", "tests", "docs",
    "pyproject.toml", "requirements.lock", "alembic.ini", "Makefile", "Dockerfile", "docker-compose.yml",
    "README.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE",
    ".dockerignore", ".env.example", ".gitattributes", ".gitignore", ".pre-commit-config.yaml",
}  # fmt: skip
RECORD_HEADINGS = ["## Context", "## Decision", "## Consequences", "## Alternatives"]
RECORD_NAME = re.compile(r"docs/decisions/(\d{4})-[a-z0-9-]+\.md")
# Written in two halves so that this file does not hold what it looks for.
_MACHINE = re.compile("|".join(["/ro" + "ot/", "/wo" + "rk/", "/ho" + "me/[a-z]", "/Us" + "ers/[a-z]"]))
_INDEX = re.compile("|".join(["index-" + "url", "py" + r"pi\.org", r"python" + r"hosted\.org", r"/sim" + "ple/?\\b"]))


def test_the_top_level_is_the_agreed_one(tree: Tree) -> None:
    assert {path.split("/")[0] for path in tree.texts} <= TOP_LEVEL


def test_no_file_names_a_path_of_one_machine(tree: Tree) -> None:
    assert not _lines_with(tree, _MACHINE)


def test_no_file_names_a_package_index(tree: Tree) -> None:
    assert not _lines_with(tree, _INDEX)


def test_every_setting_is_documented(tree: Tree) -> None:
    documented = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", tree.texts["docs/settings.md"] or ""))
    assert {name.upper() for name in Settings.model_fields} <= documented


def test_every_setting_of_the_example_exists(tree: Tree) -> None:
    named = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", tree.texts[".env.example"] or "", re.MULTILINE)
    assert {"DATABASE_URL", "SECRET_KEY", "SMTP_USER", "SMTP_PASSWORD"} <= set(named)
    assert set(named) - {"ROLLCALL_HOST"} <= {name.upper() for name in Settings.model_fields}


def test_every_decision_record_has_its_four_headings(tree: Tree) -> None:
    records = {path: text for path, text in tree.texts.items() if path.startswith("docs/decisions/") and text}
    for path, text in records.items():
        assert RECORD_NAME.fullmatch(path), path
        assert [line for line in text.splitlines() if line.startswith("## ")] == RECORD_HEADINGS, path


def test_no_two_decision_records_share_a_number(tree: Tree) -> None:
    numbers = [match[1] for path in tree.texts if (match := RECORD_NAME.fullmatch(path))]
    assert len(numbers) == len(set(numbers))


def _lines_with(tree: Tree, pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path}:{number} {line.strip()[:100]}"
        for path, text in tree.texts.items()
        if text is not None
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]
