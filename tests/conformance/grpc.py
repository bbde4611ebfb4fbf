"""The interop tests of grpc-go: its client through the gateway to its server."""

import asyncio
import os

from tests.conformance.autobahn import listens
from tests.conformance.suite import Result, Scene

CASES = (
    "empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream", "timeout_on_sleeping_server",
    "cancel_after_begin", "cancel_after_first_response", "status_code_and_message", "special_status_message", "custom_metadata",
    "unimplemented_method", "unimplemented_service",
)  # fmt: skip
SECONDS = 60


async def run(scene: Scene) -> Result:
    port = scene.ports["grpc"]
    with (scene.folder / "grpc_server.log").open("wb") as log:
        server = await asyncio.create_subprocess_exec(
            scene.tools / "grpc_server", f"-port={port}", "-use_tls",
            f"-tls_cert_file={scene.pair.certificate}", f"-tls_key_file={scene.pair.key}",
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        await listens(port)
        wrong = [await _case(scene, case) for case in CASES]
    finally:
        server.terminate()
        await server.wait()
    failed = tuple(found for found in wrong if found)
    return Result(passed=len(CASES) - len(failed), failed=failed)


async def _case(scene: Scene, case: str) -> str:
    """What it said when it failed."""
    client = await asyncio.create_subprocess_exec(
        scene.tools / "grpc_client", f"-test_case={case}", "-server_host=grpc.test", f"-server_port={scene.ports['grpc']}",
        "-use_tls", "-use_test_ca", f"-ca_file={scene.ca_file}",
        env={"PATH": os.environ["PATH"], "HTTPS_PROXY": scene.agent.proxy_url},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        said, _ = await asyncio.wait_for(client.communicate(), SECONDS)
    except TimeoutError:
        client.kill()
        await client.wait()
        return f"{case}: no end after {SECONDS} s"
    return "" if client.returncode == 0 else f"{case}: {said.decode(errors='replace').strip()[-300:]}"
