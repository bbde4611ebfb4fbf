"""Addresses of servers, as settings name them."""

from urllib.parse import urlsplit


def scheme(url: str) -> str | None:
    """None for what is no URL of a server. Nothing of it is told: it may hold a password."""
    try:
        parts = urlsplit(url)
        return parts.scheme if parts.netloc and parts.port != 0 else None
    except ValueError:
        return None
