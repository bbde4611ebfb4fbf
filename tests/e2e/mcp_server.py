"""A real MCP server with one tool, over TLS: `python -m tests.e2e.mcp_server PORT CERTIFICATE KEY`."""

import sys

import uvicorn
from mcp.server.fastmcp import FastMCP

server = FastMCP("calculator", host="mcp.test")


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


if __name__ == "__main__":
    port, certificate, key = sys.argv[1:]
    app = server.streamable_http_app()
    uvicorn.run(app, host="127.0.0.1", port=int(port), ssl_certfile=certificate, ssl_keyfile=key, log_level="warning")
