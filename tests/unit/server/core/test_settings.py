"""Settings: where they come from, what is refused with which sentence, and that the document is true."""

import ssl
import stat
from pathlib import Path

import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from server.asgi import _config
from server.core.errors import SettingsError
from server.core.settings import Settings, is_secret, load_settings
from server.core.smtp import mail_server

STRONG = "Zk3v9qLw0xTt5rPa7nBc2mDf8hJg4sYe6uWi1oXz"
DOCUMENT = Path(__file__).parents[4] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(f"{name.upper()}_FILE", raising=False)
    monkeypatch.chdir(tmp_path)


def test_with_nothing_set_the_defaults_suit_a_laptop() -> None:
    settings = load_settings()
    assert (settings.environment, settings.host, settings.port) == ("development", "127.0.0.1", 8000)
    assert settings.database_url is None
    assert settings.base_url == "http://127.0.0.1:8000"


def test_the_development_secret_is_made_once_and_kept_private() -> None:
    first, second = load_settings(), load_settings()
    assert first.secret_key == second.secret_key
    kept = Path(".rollcall/secret_key")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert [path.name for path in kept.parent.iterdir()] == ["secret_key"]


@pytest.mark.parametrize(
    ("secret", "sentence"),
    [
        ("", "not set"),
        ("tiny-one", "shorter than 32"),
        ("é" * 15, "shorter than 32"),
        ("changeme" * 5, "easy to guess"),
        ("your-secret-key-your-secret-key-here", "easy to guess"),
        ("a" * 64, "easy to guess"),
        ("01234567" * 5, "easy to guess"),
        ("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEI", "PEM"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ me@host", "PEM"),
    ],
)
def test_production_refuses_a_secret_that_is_no_secret(
    monkeypatch: pytest.MonkeyPatch, secret: str, sentence: str
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("SECRET_KEY", secret)
    with pytest.raises(SettingsError, match=sentence) as refused:
        load_settings()
    assert "secrets.token_urlsafe" in str(refused.value)
    assert not secret or secret not in str(refused.value)
    assert not Path(".rollcall").exists()


def test_production_takes_a_strong_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("SECRET_KEY", STRONG)
    assert load_settings().secret_key.get_secret_value() == STRONG


def test_a_secret_comes_from_the_file_its_setting_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(STRONG + "\n")
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "secret"))
    (tmp_path / "url").write_text("postgresql://a:b@c/d\n")
    Path(".env").write_text(f"DATABASE_URL_FILE={tmp_path / 'url'}\n")
    settings = load_settings()
    assert settings.secret_key.get_secret_value() == STRONG
    assert settings.database_url == SecretStr("postgresql://a:b@c/d")


def test_a_secret_given_twice_or_from_a_missing_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY_FILE", "/nowhere/secret")
    with pytest.raises(SettingsError, match="/nowhere/secret"):
        load_settings()
    monkeypatch.setenv("SECRET_KEY", STRONG)
    with pytest.raises(SettingsError, match="Both SECRET_KEY and SECRET_KEY_FILE"):
        load_settings()


def test_the_environment_wins_over_the_env_file_and_options_over_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(".env").write_text("PORT=8001\nHOST=0.0.0.0\nLOG_LEVEL=debug\nSOMETHING_ELSE=1\n")
    monkeypatch.setenv("PORT", "8002")
    assert (load_settings().port, load_settings().host, load_settings().log_level) == (
        8002,
        "0.0.0.0",
        "DEBUG",
    )
    assert load_settings(port=8003).port == 8003


def test_an_empty_variable_is_the_same_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("PORT", "")
    assert load_settings().database_url is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "eighty"), ("PORT", "70000"), ("ENVIRONMENT", "prod"), ("LOG_LEVEL", "loud"),
     ("ACCESS_TOKEN_MINUTES", "0"),
     ("DATABASE_POOL_SIZE", "0"), ("DOCS_ENABLED", "perhaps")],
)  # fmt: skip
def test_a_wrong_value_is_named_in_one_sentence(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name}: .*docs/settings.md"):
        load_settings()


def test_an_owner_without_an_app_role_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgresql://o:hidden@h/d")
    with pytest.raises(SettingsError, match="set DATABASE_URL") as refused:
        load_settings()
    assert "hidden" not in str(refused.value)


def test_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", "https://a.example, https://b.example/")
    assert load_settings().cors_origins == ("https://a.example", "https://b.example")


def test_no_secret_is_shown_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", STRONG)
    monkeypatch.setenv("DATABASE_URL", "postgresql://a:hidden@c/d")
    text = repr(load_settings()) + str(load_settings().model_dump())
    assert STRONG not in text
    assert "hidden" not in text


MAIL = {"SMTP_HOST": "mail.example.org", "SMTP_FROM": "rollcall@example.org"}


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"SMTP_FROM": ""}, "SMTP_FROM must be an e-mail address"),
        ({"SMTP_FROM": "Rollcall <rollcall@example.org>"}, "without a name beside it"),
        ({"SMTP_FROM": "a@b\nBcc: c@d"}, "SMTP_FROM must be"),
        ({"SMTP_TLS": "sometimes"}, "SMTP_TLS"),
        ({"SMTP_USER": "rollcall"}, "set both, or neither"),
        ({"SMTP_PASSWORD": "hidden"}, "set both, or neither"),
        ({"SMTP_USER": "rollcall", "SMTP_PASSWORD": "hidden", "SMTP_TLS": "none"}, "in the clear"),
    ],
)
def test_half_of_what_mail_needs_is_refused(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, str], sentence: str
) -> None:
    for name, value in {**MAIL, **more}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=sentence) as refused:
        load_settings()
    assert "hidden" not in str(refused.value)


def test_mail_is_encrypted_unless_somebody_says_otherwise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert mail_server(load_settings()) is None
    (tmp_path / "password").write_text("hidden\n")
    for name, value in {**MAIL, "SMTP_USER": "u", "SMTP_PASSWORD_FILE": str(tmp_path / "password")}.items():
        monkeypatch.setenv(name, value)
    found = mail_server(load_settings())
    assert found is not None
    assert (found.host, found.port, found.starts_tls, found.password) == ("mail.example.org", 587, True, "hidden")
    assert found.tls is not None
    assert (found.tls.check_hostname, found.tls.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert "hidden" not in repr(found)


def test_a_file_of_certificates_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for content in (None, "no certificate"):
        if content is not None:
            (tmp_path / "ca.pem").write_text(content)
        for name, value in {**MAIL, "SMTP_CA_FILE": str(tmp_path / "ca.pem")}.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SettingsError, match=r"SMTP_CA_FILE names .*ca\.pem"):
            mail_server(load_settings())


def documented_rows() -> list[str]:
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default
        if default in ("", (), None, PydanticUndefined) or isinstance(default, SecretStr):
            shown = "unset"
        else:
            shown = f"`{str(default).lower() if isinstance(default, bool) else default}`"
        rows.append(f"| `{name.upper()}` | {shown} | {'yes' if is_secret(field) else ''} | {field.description} |")
    return rows


def test_the_document_lists_every_setting_as_the_class_has_it() -> None:
    table = DOCUMENT.read_text(encoding="utf-8").split("\n## ")[0]
    found = [line for line in table.splitlines() if line.startswith("| `")]
    assert found == documented_rows()


def test_a_proxy_is_believed_only_when_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # uvicorn would read it by itself
    alone = _config(load_settings(), FastAPI())
    assert (alone.proxy_headers, alone.forwarded_allow_ips) == (False, [])
    monkeypatch.setenv("TRUSTED_PROXIES", " 10.0.0.0/8, ::1,")
    behind = _config(load_settings(), FastAPI())
    assert (behind.proxy_headers, behind.forwarded_allow_ips) == (True, ["10.0.0.0/8", "::1"])
    monkeypatch.setenv("TRUSTED_PROXIES", "*")
    assert load_settings().trusted_proxies == ("*",)


@pytest.mark.parametrize("odd", ["traefik", "10.0.0.1/8", "*,10.0.0.1", "10.0.0.0/33", "10.0.0"])
def test_a_proxy_that_is_no_network_is_refused(monkeypatch: pytest.MonkeyPatch, odd: str) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", odd)
    with pytest.raises(SettingsError, match=r"TRUSTED_PROXIES: .*nor \* by itself"):
        load_settings()


def test_heads_are_mailed_to_addresses_and_to_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNED_HEADS_TO", " a@example.org, b@example.org,")
    assert load_settings().signed_heads_to == ("a@example.org", "b@example.org")
    monkeypatch.setenv("SIGNED_HEADS_TO", "The auditor <a@example.org>")
    with pytest.raises(SettingsError, match=r"SIGNED_HEADS_TO: .*e-mail addresses"):
        load_settings()
