"""The OPA bundle of one policy revision: a gzipped tar that is the same bytes for the same content.

`/.manifest` names the revision and the one root, `/firewall/policy/data.json` is the compiled document, and the Rego modules
lie at their paths. OPA fetches it from `/v1/bundles/firewall.tar.gz`.
"""

import gzip
import io
import tarfile
from collections.abc import Mapping
from typing import Any

from firewall.compile import canonical_json


def build(revision: str, data: Mapping[str, Any], modules: Mapping[str, str]) -> bytes:
    """`data`: what `data.firewall.policy` will be; `modules`: path such as `firewall/decision.rego` → text."""
    files = {
        ".manifest": canonical_json({"revision": revision, "roots": ["firewall"], "rego_version": 1}),
        "firewall/policy/data.json": canonical_json(data),
    }
    for path, text in modules.items():
        if not path.startswith("firewall/") or ".." in path.split("/") or not path.endswith(".rego"):
            raise ValueError(f"{path!r} is not a module of the bundle's root")
        files[path] = text.encode("utf-8")
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(files):
            member = tarfile.TarInfo("/" + path)
            member.size = len(files[path])
            member.mode = 0o644
            archive.addfile(member, io.BytesIO(files[path]))
    return gzip.compress(tar.getvalue(), mtime=0)
