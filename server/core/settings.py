"""Every setting of the server: from the environment, `.env`, or a secret file named by `<NAME>_FILE`."""

import ipaddress
import os
import re
import secrets
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from server.core.errors import SettingsError
from server.core.private_files import write_private

SECRET_KEY_BYTES_MIN = 32  # RFC 7518 section 3.2: a key for HS256 is at least as long as its digest
_DIFFERENT_CHARACTERS_MIN = 9  # of 32 random hex digits fewer come three times in a million
_KNOWN_SECRETS = re.compile(
    r"change.?me|your.?secret|secret.?key|example|default|insecure|password|123456", re.IGNORECASE
)
_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
_KEY_FILE_LOOK = re.compile(r"-----BEGIN |^ssh-(rsa|ed25519|dss) |^ecdsa-sha2-|^sk-(ssh|ecdsa)|^MI[IG][A-Za-z0-9+/]")


class SecretFileSource(PydanticBaseSettingsSource):
    """Reads a secret from the file that `<NAME>_FILE` names, as container engines hand secrets over."""

    def __init__(self, settings_class: type[BaseSettings], environment: dict[str, str]) -> None:
        """Look into `environment`, a merged copy of `.env` and the process environment."""
        super().__init__(settings_class)
        self._environment = environment

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Give the text of the secret file of one field, or None when there is none.

        Raises SettingsError when the value is given twice or the file cannot be read.
        """
        name = field_name.upper()
        path = self._environment.get(f"{name}_FILE")
        if not path or not is_secret(field):
            return None, field_name, False
        if self._environment.get(name):
            raise SettingsError(f"Both {name} and {name}_FILE are set: remove one of them.")
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n"), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{name}_FILE names {path}, which cannot be read: {_reason(error)}.") from error

    def __call__(self) -> dict[str, Any]:
        """Give all secrets that come from files."""
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


class Settings(BaseSettings):
    """What an operator can choose; the environment variable of a setting is its name in capitals."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True, frozen=True, hide_input_in_errors=True)

    environment: Literal["development", "test", "production"] = Field(
        "development", description="`production` refuses unsafe settings and never invents a secret."
    )
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="At least 32 bytes of random text from which all signing keys are derived. "
        "Needed in production; elsewhere one is made and kept in `DATA_DIR/secret_key`.",
    )
    database_url: SecretStr | None = Field(
        None,
        description="PostgreSQL to use, `postgresql://user:password@host/database`. "
        "Unset: a PostgreSQL of its own under `DATA_DIR/postgres`.",
    )
    database_owner_url: SecretStr | None = Field(
        None,
        description="The same database as the role that owns the tables and migrates; `DATABASE_URL` is "
        "then the role the server runs as. Unset: `DATABASE_URL` owns, and a role `<database>_app` is made "
        "to run as.",
    )
    database_pool_size: int = Field(
        10,
        ge=1,
        le=100,
        description="Connections kept open to the database; as many again may open in a rush.",
    )
    data_dir: Path = Field(
        Path(".rollcall"),
        description="Directory of the embedded database, its passwords and the development secret.",
    )
    postgres_bin_dir: Path | None = Field(
        None,
        description="Directory of `initdb` and `postgres` for the embedded database; unset: the wheel's.",
    )
    signed_heads_path: Path | None = Field(
        None,
        description="File to which the signed heads of all chains are added each day, best where whoever reaches the "
        "database does not; unset: `DATA_DIR/signed-heads.jsonl`.",
    )
    signed_heads_to: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="E-mail addresses, separated by commas, to which each day's signed heads are sent, as to an "
        "auditor: they name nobody. Needs a mail server.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on; `0.0.0.0` for every network.")
    port: int = Field(8000, ge=0, le=65535, description="TCP port to listen on; 0 takes any free one.")
    public_url: str = Field(
        "",
        description="Address under which people and kiosks reach the server, used in links; unset: `http://HOST:PORT`.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins of browser pages that may call the API, separated by commas."
    )
    docs_enabled: bool = Field(default=True, description="Whether `/docs`, `/redoc` and `/openapi.json` are served.")
    dashboard_over_http: bool = Field(
        default=False,
        description="Whether people may sign in to the dashboard over plain http at a loopback address (127.0.0.1, "
        "[::1], localhost), with a cookie that is not `Secure`; refused in production.",
    )
    report_font: Path | None = Field(
        None,
        description="TrueType file for reports as PDF, with the letters of the names at your centres; unset, or "
        "when it cannot be read: DejaVu, Noto or Liberation Sans where the system has them, else Courier.",
    )
    access_token_minutes: int = Field(15, ge=1, le=60, description="How long an access token is good.")
    session_days: int = Field(
        30, ge=1, le=90, description="How long a person stays signed in before the password is asked for again."
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Addresses or networks of reverse proxies whose X-Forwarded-For is believed, separated by commas; "
        "`*` believes everybody, for a server that only the proxy can reach. Unset: nobody.",
    )
    device_lease_hours: int = Field(
        720,
        ge=1,
        le=8760,
        description="How long a desk may go on without hearing this server; then it hides its roster and only records.",
    )
    retention_years: int = Field(
        5,
        ge=0,
        le=30,
        description="For how many years after it left the centre keeps a child; then the child is erased, and its "
        "attendance stays without a name. 0: until somebody erases it. Check what your law asks for.",
    )
    webhooks_to_private_networks: bool = Field(
        default=False,
        description="Whether webhooks may go to hosts of your own network, and over plain http to this machine: "
        "managers can then let the server knock at doors that only it reaches.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level that is logged.")
    log_format: Literal["console", "json"] = Field(
        "console", description="`console` for people, `json` (one object per line) for machines."
    )
    smtp_host: str = Field("", description="Mail server to hand mail to. Unset: mails wait, for three days at most.")
    smtp_port: int = Field(
        587, ge=1, le=65535, description="Port of the mail server; 465 is usual with `SMTP_TLS=tls`."
    )
    smtp_tls: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="`starttls` insists on encryption after the greeting, `tls` begins with it, `none` sends in the "
        "clear and never a password.",
    )
    smtp_ca_file: Path | None = Field(
        None,
        description="File of certificates (PEM) to trust for the mail server, in place of the system's.",
    )
    smtp_user: str = Field("", description="Name to log in to the mail server with; unset: no log-in.")
    smtp_password: SecretStr | None = Field(None, description="Password for the mail server.")
    smtp_from: str = Field("", description="Sender address of mail; needed with `SMTP_HOST`.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, `.env`, secret files."""
        env_file = getattr(dotenv_settings, "env_file", None)
        merged = {**_read_env_file(env_file), **os.environ}
        del file_secret_settings
        return init_settings, env_settings, dotenv_settings, SecretFileSource(settings_cls, merged)

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(origin.strip().rstrip("/") for origin in value.split(",") if origin.strip())

    @field_validator("trusted_proxies", "signed_heads_to", mode="before")
    @classmethod
    def _split_list(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @field_validator("signed_heads_to")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_PLAIN_ADDRESS.fullmatch(one) for one in value):
            raise ValueError("it must be e-mail addresses, without names beside them, separated by commas")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value == ("*",):
            return value
        for proxy in value:
            try:
                ipaddress.ip_network(proxy)
            except ValueError:
                raise ValueError(
                    f"{proxy} is neither an address nor a network such as 10.0.0.0/8, nor * by itself"
                ) from None
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _capitals(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _owner_needs_app(self) -> "Settings":
        if self.database_owner_url and not self.database_url:
            raise ValueError("DATABASE_OWNER_URL is set without DATABASE_URL: set DATABASE_URL to the role to run as")
        return self

    @model_validator(mode="after")
    def _cookies_are_secure(self) -> "Settings":
        if self.dashboard_over_http and self.environment == "production":
            raise ValueError("DASHBOARD_OVER_HTTP would send sign-ins in the clear: production needs https")
        return self

    @model_validator(mode="after")
    def _mail_is_whole(self) -> "Settings":
        if not self.smtp_host:
            return self
        has_password = bool(self.smtp_password and self.smtp_password.get_secret_value())
        if not _PLAIN_ADDRESS.fullmatch(self.smtp_from):
            raise ValueError("SMTP_HOST is set, so SMTP_FROM must be an e-mail address, without a name beside it")
        if bool(self.smtp_user) != has_password:
            raise ValueError("SMTP_USER and SMTP_PASSWORD belong together: set both, or neither")
        if self.smtp_tls == "none" and has_password:
            raise ValueError("SMTP_TLS=none would send SMTP_PASSWORD in the clear: use starttls or tls")
        return self

    @property
    def heads_path(self) -> Path:
        """Give the file of signed heads."""
        return self.signed_heads_path or self.data_dir / "signed-heads.jsonl"

    @property
    def base_url(self) -> str:
        """Give the address for links, without a slash at the end."""
        return self.public_url.rstrip("/") or f"http://{self.host}:{self.port}"


def is_secret(field: FieldInfo) -> bool:
    """Tell whether a setting is one that may come from a secret file and is never shown."""
    return SecretStr in (field.annotation, *getattr(field.annotation, "__args__", ()))


def load_settings(env_file: Path | None = Path(".env"), **overrides: object) -> Settings:
    """Read the settings of this process, and make the development secret when there is none.

    `overrides` (by field name) win over everything, for command-line options. Raises SettingsError with one
    sentence for the operator; it never holds a secret.
    """
    try:
        chosen: dict[str, Any] = {"_env_file": env_file, "_env_file_encoding": "utf-8", **overrides}
        settings = Settings(**chosen)
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None
    if settings.environment != "production" and not settings.secret_key.get_secret_value():
        secret = SecretStr(_development_secret(settings.data_dir / "secret_key"))
        settings = settings.model_copy(update={"secret_key": secret})
    check_secret_key(settings.secret_key.get_secret_value(), strict=settings.environment == "production")
    return settings


def check_secret_key(secret: str, *, strict: bool) -> None:
    """Raise SettingsError when SECRET_KEY is no good; `strict` (production) also refuses guessable texts."""
    advice = 'Make one with: python -c "import secrets; print(secrets.token_urlsafe(48))"'
    if not secret:
        raise SettingsError(f"SECRET_KEY is not set, and production never invents one. {advice}")
    if _KEY_FILE_LOOK.search(secret):
        raise SettingsError(f"SECRET_KEY looks like a PEM, DER or SSH key file; it must be random text. {advice}")
    if len(secret.encode()) < SECRET_KEY_BYTES_MIN:
        raise SettingsError(f"SECRET_KEY is shorter than {SECRET_KEY_BYTES_MIN} bytes. {advice}")
    if strict and (_KNOWN_SECRETS.search(secret) or len(set(secret)) < _DIFFERENT_CHARACTERS_MIN):
        raise SettingsError(f"SECRET_KEY is a default or easy to guess. {advice}")


def _development_secret(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip() if path.exists() else write_private(path, secrets.token_hex(32))
    except OSError as error:
        raise SettingsError(
            f"The development secret cannot be kept in {path} ({_reason(error)}): set SECRET_KEY or another DATA_DIR."
        ) from error


def _read_env_file(env_file: object) -> dict[str, str]:
    if not isinstance(env_file, (str, Path)) or not Path(env_file).is_file():
        return {}
    return {name: value for name, value in dotenv_values(env_file, encoding="utf-8").items() if value is not None}


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or type(error).__name__).lower()


def _sentence(error: ValidationError) -> str:
    parts = []
    for problem in error.errors(include_input=False, include_url=False):
        name = "_".join(str(part) for part in problem["loc"]).upper()
        message = problem["msg"].removeprefix("Value error, ")
        parts.append(f"{name}: {message}" if name else message)
    return "Settings are not right: " + "; ".join(parts) + ". See docs/settings.md."
