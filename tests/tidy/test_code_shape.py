"""What no linter says of the code: sizes, the two commits, where SQL lives, what the core may import."""

import ast
import re
import sys
from collections.abc import Iterator

import pytest

from tests.tidy.conftest import Tree

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400
CODE = ("server", "kiosk", "sync", "migrations", "tests")
COMMITS = {"server/repositories/unit_of_work.py", "kiosk/store/database.py"}
SQL_LIVES_IN = ("server/repositories/", "migrations/", "kiosk/store/")
_SQL = re.compile(
    r"^\s*(SELECT\s.+\sFROM\s|INSERT\s+(OR\s+\w+\s+)?INTO\s|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s|WITH\s+\S+\s+AS\s*\("
    r"|(CREATE|ALTER|DROP)\s+(UNIQUE\s+)?(TABLE|INDEX|ROLE|TRIGGER|VIEW|SCHEMA|DATABASE|POLICY|FUNCTION)\s|PRAGMA\s+\w+)",
    re.DOTALL | re.MULTILINE,
)
_UNFINISHED = re.compile(r"\b(FIXME|TODO|XXX|HACK)\b")


def test_no_function_is_longer_than_sixty_lines(tree: Tree) -> None:
    found = [
        f"{path}:{node.lineno} {node.name} has {length} lines"
        for path, node in _nodes(tree, CODE)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (length := _length(node)) > FUNCTION_LINES_MAX
    ]
    assert not found, "\n".join(found)


def test_no_file_is_longer_than_four_hundred_lines(tree: Tree) -> None:
    sizes = {path: len(text.splitlines()) for path, text in tree.python_files(*CODE).items()}
    found = [f"{path} has {lines} lines" for path, lines in sizes.items() if lines > FILE_LINES_MAX]
    assert not found, "\n".join(found)


def test_every_module_opens_with_what_lives_in_it(tree: Tree) -> None:
    packages = tree.python_files("server", "kiosk", "sync", "migrations")
    found = [path for path, text in packages.items() if not ast.get_docstring(ast.parse(text))]
    assert not found, "\n".join(found)


def test_commit_occurs_in_exactly_two_files(tree: Tree) -> None:
    committing = {
        path
        for path, node in _nodes(tree, ("server", "kiosk", "sync", "migrations"))
        if _calls_commit(node) or _says_commit(node)
    }
    assert committing == COMMITS


def test_sql_is_written_only_where_it_lives(tree: Tree) -> None:
    found = [
        f"{path}:{node.lineno} {str(node.value).strip()[:60]!r}"
        for path, node in _nodes(tree, ("server", "kiosk", "sync"))
        if not path.startswith(SQL_LIVES_IN) and isinstance(node, ast.Constant) and _is_sql(node.value)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT id FROM child",
        "\n  INSERT INTO entry VALUES (?)",
        "INSERT OR IGNORE INTO a",
        "UPDATE head SET version = 1",
        "PRAGMA key = 1",
        "CREATE UNIQUE INDEX a ON b (c)",
        "WITH page AS (SELECT 1)",
    ],
)
def test_the_sql_pattern_sees_sql(text: str) -> None:
    assert _is_sql(text)


@pytest.mark.parametrize("text", ["Select a child from the roster.", "Update the app, then try again.", "Pragma"])
def test_the_sql_pattern_leaves_prose_alone(text: str) -> None:
    assert not _is_sql(text)


def test_sync_imports_only_the_standard_library_and_msgspec(tree: Tree) -> None:
    allowed = sys.stdlib_module_names | {"msgspec", "sync"}
    found = [
        f"{path}:{node.lineno} {name}"
        for path, node in _nodes(tree, ("sync",))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in _imported(node)
        if name.split(".")[0] not in allowed
    ]
    assert not found, "\n".join(found)


def test_nothing_is_left_unfinished(tree: Tree) -> None:
    here = "tests/tidy/test_code_shape.py"
    found = [
        f"{path}:{number} {line.strip()[:80]}"
        for path, text in tree.texts.items()
        if text is not None and path != here and not path.endswith((".lock", ".svg", ".csv"))
        for number, line in enumerate(text.splitlines(), start=1)
        if _UNFINISHED.search(line)
    ]
    assert not found, "\n".join(found)


def _nodes(tree: Tree, packages: tuple[str, ...]) -> Iterator[tuple[str, ast.AST]]:
    for path, text in tree.python_files(*packages).items():
        for node in ast.walk(ast.parse(text, path)):
            yield path, node


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _calls_commit(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"


def _says_commit(node: ast.AST) -> bool:
    value = node.value if isinstance(node, ast.Constant) else None
    return isinstance(value, str) and value.strip().rstrip(";").upper() in {"COMMIT", "COMMIT TRANSACTION"}


def _is_sql(value: object) -> bool:
    return isinstance(value, str) and _SQL.search(value) is not None


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names]
