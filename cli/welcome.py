"""What `aaf up` prints when it is ready: for a program, and for a newcomer, who copies it line by line into another terminal."""

import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from cli import bootstrap
from firewall.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """`proxy_url`: with the demo agent's credential; None when somebody disabled that agent. `database`: the folder of the embedded
    one; None where DATABASE_URL names another."""

    proxy_url: str | None
    api_url: str
    admin_key: str
    ca_file: Path
    data_dir: Path
    database: Path | None = None

    def public(self) -> dict[str, object]:
        return {
            "proxy_url": self.proxy_url,
            "api_url": self.api_url,
            "web_url": None,
            "admin_key": self.admin_key,
            "agent": bootstrap.DEMO,
            "ca_file": str(self.ca_file),
        }


def welcome(ready: Ready) -> str:
    aaf = _aaf(ready.data_dir)
    return f"""
Agent Action Firewall is ready.

  proxy      {ready.proxy_url or "-"}
  API        {ready.api_url}   (read it at {ready.api_url}/docs)
  admin key  {ready.admin_key}   (dies with this process)
  CA         {ready.ca_file}
  data       {_data(ready)}

{_demo(ready, aaf)}

  {aaf} run -- COMMAND     runs a program behind the firewall
  {aaf} audit verify       walks the audit chain

Ctrl-C drains and stops.
"""


def _data(ready: Ready) -> str:
    outside = ready.database is not None and not ready.database.is_relative_to(ready.data_dir)
    return f"{ready.data_dir}, the database in {ready.database}" if outside else str(ready.data_dir)


def _demo(ready: Ready, aaf: str) -> str:
    if ready.proxy_url is None:
        return f"The demo agent is disabled. Another one:\n\n  {aaf} agent create NAME"
    curl = f"curl -x {ready.proxy_url} --cacert {shlex.quote(str(ready.ca_file))}"
    return f"""\
Allowed, denied, held (copy and paste in another terminal):

  {curl} https://example.com/
  {curl} https://example.org/
  {curl} https://httpbin.org/post -d hello=world

While the third one waits, see it, and approve the newest:

  {aaf} approvals list --status pending
  {aaf} approvals approve "$({aaf} approvals list --status pending --limit 1 | grep -o 'apr_[0-9a-f]*$')\""""


def _aaf(data_dir: Path) -> str:
    """The command as it works from any folder, in a shell that has none of this one's settings."""
    own = Path(sys.executable).with_name("aaf")
    known = shutil.which("aaf")
    command = str(own) if own.exists() and (known is None or not own.samefile(known)) else "aaf"
    usual = Path(str(Settings.model_fields["data_dir"].default)).expanduser()
    return shlex.quote(command) if data_dir == usual else f"AAF_DATA_DIR={shlex.quote(str(data_dir))} {shlex.quote(command)}"
