import base64
from pathlib import Path

import pytest

from firewall import settings
from firewall.settings import BadSettings, load

KEY = base64.b64encode(bytes(32)).decode()


def test_defaults_are_the_contracts() -> None:
    of = load({})
    assert (of.proxy_host, of.proxy_port, of.api_port, of.web_port) == ("127.0.0.1", 8080, 3001, 3000)
    assert (of.gateway_admin_port, of.worker_admin_port) == (9080, 9081)
    assert (of.body_inspect_bytes, of.body_hold_bytes, of.holds_per_agent, of.hold_seconds) == (1 << 20, 4 << 20, 1000, 55)
    assert of.connections_per_agent == 1000
    assert (of.retain_actions_days, of.retain_audit_days) == (90, 365)
    assert of.data_dir == Path.home() / ".local/share/aaf"


def test_only_the_environment_that_is_given_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AAF_PROXY_PORT", "9999")
    assert load({}).proxy_port == 8080
    assert load().proxy_port == 9999


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AAF_PROXY_PORT", "70000"),
        ("AAF_PROXY_PORT", "http"),
        ("AAF_HOLD_SECONDS", "-1"),
        ("AAF_GATEWAY_WORKERS", "0"),
        ("OPA_URL", "http://opa.example:8181"),
        ("OPA_URL", "ftp://127.0.0.1"),
        ("ENCRYPTION_MASTER_KEY", "short"),
        ("ENCRYPTION_MASTER_KEY", base64.b64encode(bytes(31)).decode()),
        ("AAF_CONNECT_TO", "example.com:443"),
        ("AAF_UPSTREAM_PROXY", "proxy.corp"),
        ("AAF_UPSTREAM_PROXY", "socks5://proxy.corp:1080"),
        ("AAF_UPSTREAM_PROXY_RESOLVES", "perhaps"),
        ("AAF_UPSTREAM_PROXY_RESOLVES", "yes"),
        ("AAF_INSECURE_LISTEN", "perhaps"),
        ("DATABASE_URL", "127.0.0.1:5432"),
        ("DATABASE_URL", "postgresql://role:word@db.example:54x2/aaf"),
        ("DATABASE_ADMIN_URL", "mysql://role:word@db.example/aaf"),
        ("AAF_API_URL", "127.0.0.1:3001"),
        ("AAF_API_URL", "file:///etc/passwd"),
        ("AAF_API_URL", "http://"),
        ("AAF_API_URL", "http://[::1"),
        ("AAF_API_KEY", "two lines\n"),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=name):
        load({name: value})


def test_a_data_directory_is_absolute_for_what_is_printed_is_read_elsewhere() -> None:
    assert load({"AAF_DATA_DIR": "here"}).data_dir == Path.cwd() / "here"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENCRYPTION_MASTER_KEY", "a-very-secret-value"),
        ("AAF_API_KEY", "a-very-secret-value\n"),
        ("DATABASE_URL", "x://a:a-very-secret-value@b:a-very-secret-value/c"),
    ],
)
def test_a_secret_that_is_wrong_is_not_shown(name: str, value: str) -> None:
    with pytest.raises(BadSettings) as caught:
        load({name: value})
    assert "a-very-secret-value" not in str(caught.value)


def test_a_misspelt_setting_is_refused() -> None:
    with pytest.raises(BadSettings, match="AAF_HOLDS_PER_AGNT"):
        load({"AAF_HOLDS_PER_AGNT": "5"})


@pytest.mark.parametrize("name", sorted(settings.LATER))
def test_what_this_version_cannot_honour_is_refused(name: str) -> None:
    with pytest.raises(BadSettings, match=f"{name}.*not support"):
        load({name: "http://proxy.example:3128"})


@pytest.mark.parametrize("name", ["AAF_PROXY_HOST", "AAF_API_HOST"])
def test_listening_beyond_loopback_needs_tls_or_a_yes(name: str) -> None:
    with pytest.raises(BadSettings, match=name):
        load({name: "0.0.0.0"})
    assert load({name: "0.0.0.0", "AAF_INSECURE_LISTEN": "yes"}).insecure_listen
    with pytest.raises(BadSettings, match=name):
        load({name: "0.0.0.0", "AAF_INSECURE_LISTEN": "no"})


def test_certificate_and_key_go_together() -> None:
    with pytest.raises(BadSettings, match="AAF_TLS_KEY_FILE"):
        load({"AAF_TLS_CERT_FILE": "/tmp/cert.pem"})


@pytest.mark.parametrize("name", ["ENCRYPTION_MASTER_KEY", "encryption_master_key"])
def test_a_secret_may_come_from_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SECRETS_DIR", tmp_path)
    (tmp_path / name).write_text(KEY + "\n")
    found = load({}).master_key
    assert found is not None
    assert found.get_secret_value() == KEY


def test_a_secret_whose_file_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SECRETS_DIR", tmp_path)
    (tmp_path / "ENCRYPTION_MASTER_KEY").mkdir()  # nobody can read it, not even root
    with pytest.raises(BadSettings, match=r"ENCRYPTION_MASTER_KEY: .* cannot be read: Is a directory"):
        load({})


def test_every_setting_says_what_it_means() -> None:
    assert all(field.description for field in settings.names().values())
