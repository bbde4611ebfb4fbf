"""Settings, read from the environment and from files in `/run/secrets` (one a name, as compose and Kubernetes mount them).

Names, defaults and meanings are the contract's; `aaf config` prints this list. A bad value is refused at start, by name, and
so is an `AAF_` variable that nobody knows: a misspelt limit must not be a limit that is not there.
"""

import base64
import binascii
import os
import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from firewall.connect_to import parse_connect_to
from firewall.upstream_proxy import parse_upstream_proxy
from firewall.url import scheme

SECRETS_DIR = Path("/run/secrets")
LATER = frozenset({"AAF_TRUSTED_PROXIES"})
"""Settings of the contract that this version cannot honour: refused, for to ignore them would mislead."""

Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True, populate_by_name=True, frozen=True)

    proxy_host: str = Field("127.0.0.1", alias="AAF_PROXY_HOST", description="Address the proxy listens on.")
    proxy_port: Port = Field(8080, alias="AAF_PROXY_PORT", description="Port the proxy listens on; 0 takes a free one.")
    api_host: str = Field("127.0.0.1", alias="AAF_API_HOST", description="Address the control API listens on.")
    api_port: Port = Field(3001, alias="AAF_API_PORT", description="Port the control API listens on.")
    web_host: str = Field("127.0.0.1", alias="AAF_WEB_HOST", description="Address of the dashboard, once it exists.")
    web_port: Port = Field(3000, alias="AAF_WEB_PORT", description="Port of the dashboard, once it exists.")
    gateway_admin_port: Port = Field(
        9080, alias="AAF_GATEWAY_ADMIN_PORT", description="Loopback port of the gateway's health and metrics."
    )
    worker_admin_port: Port = Field(
        9081, alias="AAF_WORKER_ADMIN_PORT", description="Loopback port of the worker's health and metrics."
    )
    opa_url: str | None = Field(
        None, alias="OPA_URL", description="OPA to ask: https, http on loopback, or unix:///path. Unset: a child process."
    )
    opa_bin: str | None = Field(None, alias="OPA_BIN", description="The OPA program, when it is started as a child.")
    database_url: SecretStr | None = Field(
        None, alias="DATABASE_URL", description="Postgres 16 or newer, as the role that appends and reads. Unset: embedded."
    )
    database_admin_url: SecretStr | None = Field(
        None, alias="DATABASE_ADMIN_URL", description="The same database, as the role that migrates and prunes."
    )
    redis_url: SecretStr | None = Field(
        None, alias="REDIS_URL", description="Redis 7 or newer, a cache only; this version does without."
    )
    master_key: SecretStr | None = Field(
        None, alias="ENCRYPTION_MASTER_KEY", description="32 bytes in base64: the root of every sealed value."
    )
    master_key_previous: SecretStr | None = Field(
        None, alias="ENCRYPTION_MASTER_KEY_PREVIOUS", description="The key before, while rotating."
    )
    tls_cert_file: Path | None = Field(
        None, alias="AAF_TLS_CERT_FILE", description="Certificate chain (PEM) of the proxy's and the API's listeners."
    )
    tls_key_file: Path | None = Field(None, alias="AAF_TLS_KEY_FILE", description="Private key (PEM) of the listeners.")
    insecure_listen: bool = Field(False, alias="AAF_INSECURE_LISTEN", description="yes: listen beyond loopback without TLS.")
    body_inspect_bytes: int = Field(
        1 << 20,
        alias="AAF_BODY_INSPECT_BYTES",
        ge=0,
        le=1 << 30,
        description="How much of a body is read to judge a request by it, where somebody must.",
    )
    body_hold_bytes: int = Field(
        4 << 20, alias="AAF_BODY_HOLD_BYTES", ge=0, le=1 << 28, description="The largest body that can wait for approval."
    )
    holds_per_agent: int = Field(
        1000, alias="AAF_HOLDS_PER_AGENT", ge=1, le=1_000_000, description="How many requests of one agent may be held."
    )
    connections_per_agent: int = Field(
        1000,
        alias="AAF_CONNECTIONS_PER_AGENT",
        ge=1,
        le=1_000_000,
        description="How many connections one agent may have to one gateway worker.",
    )
    hold_seconds: float = Field(
        55, alias="AAF_HOLD_SECONDS", ge=0, le=86_400, description="How long a connection is held before 503."
    )
    retain_actions_days: int = Field(
        90, alias="AAF_RETAIN_ACTIONS_DAYS", ge=1, description="Days to keep actions and approvals; this version prunes nothing."
    )
    retain_audit_days: int = Field(
        365, alias="AAF_RETAIN_AUDIT_DAYS", ge=1, description="Days to keep audit entries; this version prunes nothing."
    )
    api_url: str | None = Field(None, alias="AAF_API_URL", description="Where the command line finds the control API.")
    api_key: SecretStr | None = Field(None, alias="AAF_API_KEY", description="The key of the command line.")
    data_dir: Path = Field(
        Path("~/.local/share/aaf"), alias="AAF_DATA_DIR", description="Where `aaf up` keeps its database and keys."
    )
    cache_dir: Path = Field(Path("~/.cache/aaf"), alias="AAF_CACHE_DIR", description="Where the catalogs are, as they are read.")
    policy_file: Path | None = Field(None, alias="AAF_POLICY_FILE", description="The policy document. Unset: the demo policy.")
    gateway_workers: int = Field(
        default_factory=lambda: len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        alias="AAF_GATEWAY_WORKERS",
        ge=1,
        le=256,
        description="Gateway processes. Unset: one per core.",
    )
    upstream_ca_file: Path | None = Field(
        None, alias="AAF_UPSTREAM_CA_FILE", description="CA certificates (PEM) trusted for upstreams besides the system's."
    )
    connect_to: str = Field(
        "", alias="AAF_CONNECT_TO", description="host:port:address:port, …: where a name is dialled; exempt from address classes."
    )
    upstream_proxy: SecretStr | None = Field(
        None,
        alias="AAF_UPSTREAM_PROXY",
        description="http:// or https:// URL, with credentials, of the proxy through which this network is left.",
    )
    upstream_proxy_resolves: bool = Field(
        False,
        alias="AAF_UPSTREAM_PROXY_RESOLVES",
        description="yes: that proxy gets names and resolves them, so no address is checked; only hosts that a rule names pass.",
    )
    bundle_token: SecretStr | None = Field(
        None, alias="AAF_BUNDLE_TOKEN", description="What OPA shows to fetch its bundle. Unset: derived from the master key."
    )
    connect_seconds: float = Field(10, alias="AAF_CONNECT_SECONDS", gt=0, description="How long dialling an upstream may take.")
    head_seconds: float = Field(30, alias="AAF_HEAD_SECONDS", gt=0, description="How long an agent may take to send a head.")
    idle_seconds: float = Field(
        120, alias="AAF_IDLE_SECONDS", gt=0, description="How long a connection may do nothing, a body not move."
    )
    response_seconds: float = Field(
        300, alias="AAF_RESPONSE_SECONDS", gt=0, description="How long an upstream may take to begin its answer."
    )
    request_seconds: float = Field(
        21_600,
        alias="AAF_REQUEST_SECONDS",
        gt=0,
        description="How long a request may take from its decision to the end of its answer; WebSockets excepted.",
    )
    drain_seconds: float = Field(30, alias="AAF_DRAIN_SECONDS", ge=0, description="How long SIGTERM lets running requests finish.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """`load` says where values come from, so that a test or a child gets exactly the environment it was given."""
        return (init_settings,)

    @field_validator("insecure_listen", "upstream_proxy_resolves", mode="before")
    @classmethod
    def _yes(cls, value: object) -> object:
        return value == "yes" if isinstance(value, str) and value in {"yes", "no"} else value

    @field_validator("master_key", "master_key_previous")
    @classmethod
    def _key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            decode_key(value)
        return value

    @field_validator("database_url", "database_admin_url")
    @classmethod
    def _database(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and scheme(value.get_secret_value(), local=True) not in {"postgresql", "postgres"}:
            raise ValueError("not the address of a Postgres database")
        return value

    @field_validator("connect_to")
    @classmethod
    def _routes(cls, value: str) -> str:
        parse_connect_to(value)
        return value

    @field_validator("upstream_proxy")
    @classmethod
    def _proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_upstream_proxy(value.get_secret_value())
        return value

    @field_validator("data_dir", "cache_dir")
    @classmethod
    def _home(cls, value: Path) -> Path:
        """Absolute: it is printed, and read in other folders."""
        return value.expanduser().absolute()

    @field_validator("api_url")
    @classmethod
    def _api(cls, value: str | None) -> str | None:
        if value is not None and scheme(value) not in {"http", "https"}:
            raise ValueError("must be http://HOST[:PORT] or https://HOST[:PORT]")
        return value

    @field_validator("api_key")
    @classmethod
    def _printable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[!-~]+", value.get_secret_value()):
            raise ValueError("a key is made of visible ASCII characters, without spaces")
        return value

    @field_validator("opa_url")
    @classmethod
    def _opa(cls, value: str | None) -> str | None:
        if value is None or value.startswith(("https://", "unix://")):
            return value
        if value.startswith("http://"):
            host = value.removeprefix("http://").split("/")[0].rsplit(":", 1)[0].strip("[]")
            if is_loopback(host):
                return value
        raise ValueError("must be https, http on loopback, or unix:///path")

    @model_validator(mode="after")
    def _resolving(self) -> Self:
        if self.upstream_proxy_resolves and self.upstream_proxy is None:
            raise ValueError("AAF_UPSTREAM_PROXY_RESOLVES=yes needs AAF_UPSTREAM_PROXY")
        return self

    @model_validator(mode="after")
    def _listeners(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("AAF_TLS_CERT_FILE and AAF_TLS_KEY_FILE go together")
        if self.tls_cert_file is None and not self.insecure_listen:
            for name, host in (("AAF_PROXY_HOST", self.proxy_host), ("AAF_API_HOST", self.api_host)):
                if not is_loopback(host):
                    raise ValueError(
                        f"{name}={host} listens beyond loopback without TLS: set AAF_TLS_CERT_FILE and AAF_TLS_KEY_FILE, "
                        "or AAF_INSECURE_LISTEN=yes"
                    )
        return self


class BadSettings(Exception):
    """A setting is missing or wrong. The message names it, and never holds the value of a secret."""


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def decode_key(key: SecretStr) -> bytes:
    """The 32 bytes of a master key."""
    try:
        raw = base64.b64decode(key.get_secret_value(), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be 32 bytes in base64") from None
    if len(raw) != 32:
        raise ValueError("must be 32 bytes in base64")
    return raw


def names() -> dict[str, Any]:
    """Every setting's environment variable and its field."""
    return {field.alias: field for field in Settings.model_fields.values() if field.alias is not None}


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process. Raises BadSettings."""
    env = os.environ if environ is None else environ
    known = names()
    for name in env:
        if name in LATER:
            raise BadSettings(f"{name}: this version does not support it yet")
        if name.startswith("AAF_") and name not in known:
            raise BadSettings(f"{name}: no such setting; see `aaf config`")
    values: dict[str, str] = {}
    for name in known:
        if name in env:
            values[name] = env[name]
            continue
        for file in (SECRETS_DIR / name.lower(), SECRETS_DIR / name):
            try:
                values[name] = file.read_text().strip()
            except OSError as error:
                if not isinstance(error, FileNotFoundError | NotADirectoryError):
                    raise BadSettings(f"{name}: {file} cannot be read: {error.strerror}") from None
    try:
        return Settings(**{name: value for name, value in values.items() if value != ""})  # type: ignore[arg-type]
    except ValidationError as error:
        lines = []
        for problem in error.errors(include_input=False, include_url=False):
            name = ".".join(str(part) for part in problem["loc"])
            text = problem["msg"].removeprefix("Value error, ")
            lines.append(f"{name}: {text}" if name else text)
        raise BadSettings("; ".join(lines)) from None
