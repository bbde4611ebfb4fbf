"""Addresses of servers, as settings name them."""

from urllib.parse import urlsplit


def scheme(url: str, *, local: bool = False) -> str | None:
    """None for what is no URL of a server. Nothing of it is told: it may hold a password. `local`: it may name no host, because
    the server is on this machine or a parameter says where."""
    try:
        parts = urlsplit(url)
        return parts.scheme if (parts.netloc or (local and "://" in url)) and parts.port != 0 else None
    except ValueError:
        return None
