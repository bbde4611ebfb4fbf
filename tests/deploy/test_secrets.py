"""`deploy/secrets.sh` makes what docker-compose.yml mounts, once, for its owner alone."""

import stat
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from firewall.settings import load

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "secrets"
    run(made)
    return made


def run(folder: Path) -> None:
    subprocess.run([ROOT / "deploy" / "secrets.sh", folder], check=True, capture_output=True)


def test_every_secret_that_compose_mounts_is_made(folder: Path) -> None:
    with (ROOT / "docker-compose.yml").open() as stream:
        mounted = set(YAML(typ="safe").load(stream)["secrets"])
    assert {file.name for file in folder.iterdir()} == mounted


def test_they_open_for_their_owner_alone(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert 0 not in {file.stat().st_uid for file in folder.iterdir()}


def test_they_are_settings_that_our_processes_take(folder: Path) -> None:
    values = {file.name: file.read_text() for file in folder.iterdir() if file.name != "POSTGRES_PASSWORD"}
    settings = load(values)
    assert settings.database_url is not None
    assert settings.database_admin_url is not None
    assert (folder / "POSTGRES_PASSWORD").read_text() in settings.database_admin_url.get_secret_value()
    assert (folder / "POSTGRES_PASSWORD").read_text() not in settings.database_url.get_secret_value()


def test_run_again_it_changes_nothing(folder: Path) -> None:
    before = {file.name: file.read_text() for file in folder.iterdir()}
    (folder / "AAF_BUNDLE_TOKEN").unlink()
    run(folder)
    after = {file.name: file.read_text() for file in folder.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"AAF_BUNDLE_TOKEN"}


def test_git_never_sees_them() -> None:
    for path in ("deploy/secrets/ENCRYPTION_MASTER_KEY", ".env"):
        assert subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT).returncode == 0, path
