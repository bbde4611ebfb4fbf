import io
import json
import tarfile

import pytest

from firewall.bundle import build


def test_a_bundle_is_the_same_bytes_for_the_same_content() -> None:
    one = build("sha256:r", {"b": 1, "a": 2}, {"firewall/x.rego": "package firewall", "firewall/a.rego": "package firewall"})
    other = build("sha256:r", {"a": 2, "b": 1}, {"firewall/a.rego": "package firewall", "firewall/x.rego": "package firewall"})
    assert one == other


def test_a_bundle_names_its_revision_and_its_one_root() -> None:
    with tarfile.open(fileobj=io.BytesIO(build("sha256:r", {"a": 1}, {"firewall/x.rego": "package firewall"}))) as archive:
        files = {name: archive.extractfile(name) for name in archive.getnames()}
        texts = {name.lstrip("/"): file.read() for name, file in files.items() if file is not None}
    assert json.loads(texts[".manifest"]) == {"revision": "sha256:r", "roots": ["firewall"], "rego_version": 1}
    assert json.loads(texts["firewall/policy/data.json"]) == {"a": 1}
    assert texts["firewall/x.rego"] == b"package firewall"


@pytest.mark.parametrize("path", ["system/authz.rego", "firewall/../x.rego", "firewall/data.json", "/firewall/x.rego"])
def test_a_module_outside_the_root_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not a module"):
        build("r", {}, {path: "package x"})
