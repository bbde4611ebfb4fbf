"""The settings of this invocation, and what `aaf up` left for it in the data directory."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from cli.output import fail
from firewall.settings import BadSettings, Settings, load


def settings() -> Settings:
    try:
        return load()
    except BadSettings as error:
        fail(str(error), 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where the control API is, and a key for it."""

    api_url: str
    key: str


def access(of: Settings) -> Access:
    """From AAF_API_URL and AAF_API_KEY, else from the 0600 file of a running `aaf up`."""
    kept = read_access(of.data_dir)
    url = of.api_url or (kept.api_url if kept else None) or f"http://{of.api_host}:{of.api_port}"
    key = of.api_key.get_secret_value() if of.api_key is not None else kept.key if kept else None
    if key is None:
        fail("no key for the control API: run `aaf up`, or set AAF_API_URL and AAF_API_KEY")
    return Access(api_url=url, key=key)


def access_file(data_dir: Path) -> Path:
    return data_dir / "admin.key"


def read_access(data_dir: Path) -> Access | None:
    try:
        kept = json.loads(access_file(data_dir).read_text())
        return Access(api_url=kept["api_url"], key=kept["key"])
    except (OSError, ValueError, KeyError):
        return None


def write_private(file: Path, text: str) -> None:
    """A file for the owner alone, whole or not at all."""
    part = file.with_name(file.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
    part.rename(file)
