"""The containers as docker would run them: who is on which network, who sees which secret, and that nobody may do more."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from firewall.settings import load, names

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
OURS = frozenset({"migrate", "control_api", "gateway", "worker"})
PROCESSES = frozenset({"control_api", "gateway", "worker", "opa", "postgres"})

Services = dict[str, dict[str, Any]]


def resolve(folder: Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """What compose-go makes of the file, with nothing of this machine's environment or `.env` in it."""
    if shutil.which("go") is None and not list((ROOT / ".tools").glob("compose-go-*")):
        pytest.skip("compose-go is installed with Go, and there is no go on PATH")
    program = subprocess.run([ROOT / "tools" / "compose_go.sh"], check=True, capture_output=True, text=True).stdout.strip()
    file = folder / "docker-compose.yml"
    file.write_text(FILE.read_text() if text is None else text)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return subprocess.run([program, "-format", "json", str(file)], capture_output=True, text=True, cwd=folder, env=environment)


@pytest.fixture(scope="module")
def resolved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The file as docker sees it: merged, interpolated, checked."""
    done = resolve(tmp_path_factory.mktemp("compose"))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    """The file as YAML says it, anchors followed: what can be read without Go."""
    with FILE.open() as stream:
        found: dict[str, Any] = YAML(typ="safe").load(stream)
    return found


@pytest.fixture(scope="module", params=["resolved", "written"])
def model(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.getfixturevalue(request.param)
    return found


def on(model: dict[str, Any], network: str) -> set[str]:
    """The services on a network."""
    return {name for name, service in model["services"].items() if network in service["networks"]}


def test_the_network_of_the_agents_is_internal(model: dict[str, Any]) -> None:
    assert model["networks"]["agents"]["internal"] is True


def test_the_gateway_alone_is_on_both_the_agents_network_and_the_one_that_leads_outside(model: dict[str, Any]) -> None:
    assert on(model, "agents") & on(model, "outside") == {"gateway"}
    assert not model["networks"]["outside"].get("internal")


def test_an_agent_has_no_neighbour_but_the_gateway(model: dict[str, Any]) -> None:
    assert on(model, "agents") == {"agent", "gateway"}
    assert set(model["services"]["agent"]["networks"]) == {"agents"}


def test_whoever_shares_a_network_with_agents_or_another_network_that_is_not_internal_is_the_gateway(
    model: dict[str, Any],
) -> None:
    open_ones = {name for name, network in model["networks"].items() if not (network or {}).get("internal")}
    both = {name for name in on(model, "agents") if open_ones & set(model["services"][name]["networks"])}
    assert both == {"gateway"}


def test_opa_and_postgres_are_on_neither(model: dict[str, Any]) -> None:
    for name in ("opa", "postgres", "worker", "migrate"):
        assert set(model["services"][name]["networks"]) == {"core"}
    assert model["networks"]["core"]["internal"] is True


def test_no_service_leaves_its_networks_for_another_namespace(model: dict[str, Any]) -> None:
    for name, service in model["services"].items():
        assert not {"network_mode", "pid", "ipc", "privileged", "cap_add", "devices", "links", "extra_hosts"} & set(service), name


def test_the_gateway_forwards_no_packets(model: dict[str, Any]) -> None:
    assert model["services"]["gateway"]["sysctls"] == {"net.ipv4.ip_forward": "0"}


def test_the_api_alone_is_published_and_only_on_loopback(resolved: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in resolved["services"].items() if service.get("ports")}
    assert list(published) == ["control_api"]
    assert [(port["host_ip"], port["target"]) for port in published["control_api"]] == [("127.0.0.1", 3001)]


def test_every_container_is_confined(model: dict[str, Any]) -> None:
    for name, service in model["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "/tmp" in service["tmpfs"], name


def test_no_container_runs_as_root(resolved: dict[str, Any]) -> None:
    users = {service["user"] for service in resolved["services"].values()}
    assert users == {"10001:10001"}  # one, because OPA's socket and the secret files open for their owner alone
    assert "uid=10001" in resolved["volumes"]["opa"]["driver_opts"]["o"]


def test_what_runs_on_has_a_health_check_and_what_it_needs_is_waited_for(resolved: dict[str, Any]) -> None:
    services: Services = resolved["services"]
    assert {name for name, service in services.items() if "healthcheck" in service} == PROCESSES
    waits = {
        name: {other: how["condition"] for other, how in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }
    migrated = {"migrate": "service_completed_successfully"}
    assert waits == {
        "postgres": {},
        "migrate": {"postgres": "service_healthy"},
        "control_api": migrated,
        "worker": migrated,
        "opa": {"control_api": "service_healthy"},
        "gateway": migrated | {"opa": "service_healthy"},
        "agent": {"gateway": "service_healthy"},
    }


def test_each_service_sees_the_secrets_that_it_needs_and_no_other(resolved: dict[str, Any]) -> None:
    seen = {name: {secret["source"] for secret in service.get("secrets", [])} for name, service in resolved["services"].items()}
    both = {"DATABASE_URL", "ENCRYPTION_MASTER_KEY"}
    assert seen == {
        "postgres": {"POSTGRES_PASSWORD"},
        "migrate": {"DATABASE_ADMIN_URL", "DATABASE_URL"},
        "control_api": both | {"AAF_BUNDLE_TOKEN"},
        "opa": {"AAF_BUNDLE_TOKEN"},
        "gateway": both,
        "worker": both,
        "agent": set(),
    }


def test_secrets_come_by_file_and_never_by_environment(resolved: dict[str, Any]) -> None:
    secrets = set(resolved["secrets"])
    assert all(Path(secret["file"]).parent.name == "secrets" for secret in resolved["secrets"].values())
    for name, service in resolved["services"].items():
        assert not secrets & set(service.get("environment", {})), name
        # `/run/secrets/NAME`: the target is left to be the name.
        assert all("target" not in secret or secret["target"].endswith(secret["source"]) for secret in service.get("secrets", []))
    assert secrets - {"POSTGRES_PASSWORD"} <= set(names())


@pytest.mark.parametrize("name", sorted(OURS))
def test_the_environment_of_our_processes_is_valid(resolved: dict[str, Any], name: str) -> None:
    settings = load(resolved["services"][name].get("environment", {}))
    assert settings.opa_url in (None, "unix:///run/opa/opa.sock")


def test_opa_is_reached_by_a_socket_that_only_those_who_ask_it_can_see(resolved: dict[str, Any]) -> None:
    services: Services = resolved["services"]
    mounts = {
        name: [(mount["source"], mount["target"], mount.get("read_only", False)) for mount in service.get("volumes", [])]
        for name, service in services.items()
    }
    assert mounts["opa"] == [("opa", "/run/opa", False)]
    assert mounts["gateway"] == mounts["control_api"] == [("opa", "/run/opa", True)]
    assert {name for name, found in mounts.items() if any(source == "opa" for source, _, _ in found)} == {
        "opa",
        "gateway",
        "control_api",
    }
    assert services["gateway"]["environment"]["OPA_URL"] == services["control_api"]["environment"]["OPA_URL"]


def test_opa_fetches_from_a_name_that_the_api_answers_to(resolved: dict[str, Any]) -> None:
    with (ROOT / "deploy" / "opa" / "config.yaml").open() as stream:
        config = YAML(typ="safe").load(stream)
    service = config["services"]["control_api"]
    assert service["url"] == resolved["services"]["control_api"]["environment"]["AAF_API_URL"]
    assert service["credentials"] == {"bearer": {"token_path": "/run/secrets/AAF_BUNDLE_TOKEN"}}


def test_an_unknown_key_would_be_refused(tmp_path: Path) -> None:
    done = resolve(tmp_path, FILE.read_text() + "\nsurprise: true\n")
    assert done.returncode != 0
    assert "surprise" in done.stdout + done.stderr


def test_the_images_can_be_had_from_elsewhere(resolved: dict[str, Any]) -> None:
    assert resolved["services"]["gateway"]["build"]["args"] == {"PYTHON_IMAGE": "python:3.13-slim"}
    assert resolved["services"]["opa"]["build"]["args"] == {"OPA_IMAGE": "openpolicyagent/opa:1.21.1-static"}
    assert resolved["services"]["postgres"]["image"] == "postgres:16"


def test_the_dockerfile_checks_hashes_names_the_same_images_and_ends_unprivileged() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text().splitlines()
    installs = [line for line in lines if "pip install" in line and "--no-index" not in line]
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert "ARG PYTHON_IMAGE=python:3.13-slim" in lines
    assert "ARG OPA_IMAGE=openpolicyagent/opa:1.21.1-static" in lines
    assert lines.count("USER 10001:10001") == 2


def test_what_is_not_part_of_an_image_is_not_sent_to_the_builder() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert all((ROOT / path).exists() for path in allowed)
    assert not any(path.startswith((".", "tests", "deploy/secrets", "requirements-dev")) or path == "deploy" for path in allowed)
