"""Database URLs and errors: what is understood, what is refused, what counts as the database being away."""

import pytest
from sqlalchemy.exc import DBAPIError

from server.core.database import database_errors, is_unavailable, normalise_url, parts_of, with_role
from server.core.errors import DatabaseUnavailable, SettingsError


class ServerError(Exception):
    """An error as the driver hands it on."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__("said the server")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("postgres://a:b@h/d", "postgresql+asyncpg://a:b@h/d"),
        ("postgresql://a:b@h:5433/d", "postgresql+asyncpg://a:b@h:5433/d"),
        ("postgresql+asyncpg://a:b@h/d", "postgresql+asyncpg://a:b@h/d"),
        (" postgres://h/d\n", "postgresql+asyncpg://h/d"),
        ("postgres://a:p%40ss%2Fw@h/d", "postgresql+asyncpg://a:p%40ss%2Fw@h/d"),
        ("postgres://h/d?sslmode=require&channel_binding=require", "postgresql+asyncpg://h/d?ssl=require"),
        ("postgres://a@/d?host=/run/pg", "postgresql+asyncpg://a@/d?host=%2Frun%2Fpg"),
    ],
)
def test_every_usual_form_of_a_url_is_understood(given: str, normal: str) -> None:
    assert normalise_url(given) == normal
    assert normalise_url(normal) == normal


@pytest.mark.parametrize(
    "given", ["", "rollcall", "mysql://a:hidden@h/d", "sqlite:///hidden", "postgres://a:hidden@h", "://"]
)
def test_what_is_no_postgresql_url_is_refused_without_showing_it(given: str) -> None:
    with pytest.raises(SettingsError) as refused:
        normalise_url(given)
    assert "hidden" not in str(refused.value)


def test_a_role_changes_and_the_password_is_not_among_the_parts() -> None:
    url = with_role("postgres://owner:one@h/d", "app", "t:o@o/")
    assert url == "postgresql+asyncpg://app:t%3Ao%40o%2F@h/d"
    assert parts_of(url) == ("app", "h", "d")


@pytest.mark.parametrize("state", ["08006", "53300", "53100", "57P01", "57P03", "57014", "25006", "55P03", "40P01"])
def test_a_database_that_is_away_full_read_only_or_slow_is_unavailable(state: str) -> None:
    with pytest.raises(DatabaseUnavailable) as away, database_errors():
        raise DBAPIError("SELECT 1", None, ServerError(state))
    assert isinstance(away.value.__cause__, DBAPIError)


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError(), FileNotFoundError(), TimeoutError(), ConnectionResetError()]
)
def test_a_connection_that_fails_is_unavailable(error: Exception) -> None:
    assert is_unavailable(error)


@pytest.mark.parametrize("state", ["23505", "23503", "42501", "42P01", "22001"])
def test_an_error_of_the_statement_goes_on_as_it_is(state: str) -> None:
    with pytest.raises(DBAPIError), database_errors():
        raise DBAPIError("INSERT", None, ServerError(state))


def test_an_error_of_the_code_goes_on_as_it_is() -> None:
    with pytest.raises(KeyError), database_errors():
        raise KeyError("x")
