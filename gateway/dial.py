"""A connection to a destination: to one of the addresses that were checked, with TLS on its name, through a proxy of the
operator's where there is one."""

import asyncio
import base64
import re
import ssl
from pathlib import Path
from time import time

from mitmproxy import certs, connection

from firewall.address import literal
from firewall.egress import Route
from firewall.errors import UpstreamTimeout, UpstreamUnreachable
from firewall.upstream_proxy import ProxyHop
from gateway.link import Link
from gateway.pool import Key, Upstream

PROXY_HEAD_LIMIT = 16 << 10
_PROXY_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: [^\r\n]*)?\r\n")


class Dialer:
    """`roots`: a PEM file of the CAs that are trusted. `seconds`: for all of one dialling, handshake included."""

    def __init__(self, *, roots: str, seconds: float, hop: ProxyHop | None = None) -> None:
        self._roots = roots
        self._seconds = seconds
        self._hop = hop
        self._contexts: dict[tuple[str, ...], ssl.SSLContext] = {}

    async def dial(self, key: Key, route: Route) -> Upstream:
        """`key.address` is filled in with the address that answered. Raises UpstreamUnreachable, UpstreamTimeout."""
        started, clock = time(), asyncio.get_running_loop().time
        end = clock() + self._seconds
        trouble: Exception | None = None
        for number, address in enumerate(route.addresses):
            try:
                # One that does not answer leaves time for those after it.
                async with asyncio.timeout((end - clock()) / (len(route.addresses) - number)):
                    return await self._one(key._replace(address=address), route.port, started)
            except ssl.SSLCertVerificationError as error:
                raise UpstreamUnreachable(f"the destination's certificate is refused: {error.verify_message}") from error
            except (OSError, ValueError) as error:
                trouble = error
        if isinstance(trouble, TimeoutError):
            raise UpstreamTimeout("the destination did not accept the connection") from None
        raise UpstreamUnreachable(f"the destination cannot be reached: {_words(trouble)}") from trouble

    async def _one(self, key: Key, port: int, started: float) -> Upstream:
        link = Link()
        try:
            await self._connect(link, key.address, port)
            connected = time()
            if key.tls:
                await self._secure(link, key)
        except BaseException:
            link.abort()
            raise
        server = connection.Server(address=(key.host, key.port), peername=(key.address, port), sockname=link.here)
        server.state = connection.ConnectionState.OPEN
        server.timestamp_start, server.timestamp_tcp_setup = started, connected
        if link.tls is not None:
            server.tls, server.sni, server.timestamp_tls_setup = True, key.host, time()
            chosen, cipher = link.tls.selected_alpn_protocol(), link.tls.cipher()
            server.alpn = chosen.encode() if chosen else b""
            server.cipher, server.tls_version = cipher[0] if cipher else None, link.tls.version()  # type: ignore[assignment]
            leaf = link.tls.getpeercert(binary_form=True)
            server.certificate_list = [] if leaf is None else [certs.Cert.from_pem(ssl.DER_cert_to_PEM_cert(leaf).encode())]
        return Upstream(key=key, link=link, server=server)

    async def _connect(self, link: Link, address: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        hop = self._hop
        if hop is None:
            if literal(address) is None:
                raise AssertionError("what is dialled must be an address that was checked")
            await loop.create_connection(lambda: link, address, port)
            return
        context = self._context(()) if hop.tls else None
        opening = _Opening()
        link.owner = opening
        await loop.create_connection(lambda: link, hop.host, hop.port, ssl=context)
        where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        given = base64.b64encode(hop.credential.encode()).decode()
        proof = f"Proxy-Authorization: Basic {given}\r\n" if hop.credential else ""
        link.write(f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n{proof}\r\n".encode())
        await opening.done
        link.owner = None

    async def _secure(self, link: Link, key: Key) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def secured(error: Exception | None) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

        link.start_tls(self._context(key.alpn), secured, server_side=False, server_name=key.host)
        await done

    def _context(self, alpn: tuple[str, ...]) -> ssl.SSLContext:
        found = self._contexts.get(alpn)
        if found is None:
            found = ssl.create_default_context(cafile=self._roots or None)
            found.minimum_version = ssl.TLSVersion.TLSv1_2
            # Python 3.13 sets it, 3.12 and other clients do not: `openssl req -x509` makes CAs without what it demands.
            found.verify_flags &= ~ssl.VERIFY_X509_STRICT
            if alpn:
                found.set_alpn_protocols(list(alpn))
            self._contexts[alpn] = found
        return found

    def trust(self, roots: str | Path) -> None:
        """From now on: these CAs, for connections that are still to be made."""
        self._roots = str(roots)
        self._contexts.clear()


class _Opening:
    """Waits for the proxy's answer to CONNECT."""

    def __init__(self) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._buffer = b""

    def received(self, link: Link, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if self.done.done():
            return
        if not end:
            if len(self._buffer) > PROXY_HEAD_LIMIT:
                self.done.set_exception(OSError("the upstream proxy's answer is too large"))
            return
        status = _PROXY_STATUS.match(head + b"\r\n")
        if status is None or rest:
            self.done.set_exception(OSError("the upstream proxy's answer is no answer to CONNECT"))
        elif not status[1].startswith(b"2"):
            self.done.set_exception(OSError(f"the upstream proxy refused with {status[1].decode()}"))
        else:
            self.done.set_result(None)

    def pressure(self, link: Link, high: bool) -> None:
        pass

    def lost(self, link: Link) -> None:
        if not self.done.done():
            self.done.set_exception(OSError("the upstream proxy ended the connection"))


def _words(error: Exception | None) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or error}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
