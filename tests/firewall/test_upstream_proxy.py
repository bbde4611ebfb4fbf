import pytest

from firewall.upstream_proxy import ProxyHop, parse_upstream_proxy


@pytest.mark.parametrize(
    ("url", "hop"),
    [
        ("http://proxy.corp:3128", ProxyHop(host="proxy.corp", port=3128, tls=False)),
        ("http://Proxy.corp", ProxyHop(host="proxy.corp", port=80, tls=False)),
        ("https://proxy.corp/", ProxyHop(host="proxy.corp", port=443, tls=True)),
        ("http://[2001:db8::1]:3128", ProxyHop(host="2001:db8::1", port=3128, tls=False)),
        ("http://me:p%40ss%3A@proxy.corp:3128", ProxyHop(host="proxy.corp", port=3128, tls=False, credential="me:p@ss:")),
        ("http://me@proxy.corp:3128", ProxyHop(host="proxy.corp", port=3128, tls=False, credential="me:")),
    ],
)
def test_a_proxy_is_read_from_its_url(url: str, hop: ProxyHop) -> None:
    assert parse_upstream_proxy(url) == hop


@pytest.mark.parametrize(
    "url",
    [
        "", "proxy.corp:3128", "socks5://secret.corp", "http://", "http://:3128", "http://secret.corp:0", "http://secret.corp:x",
        "http://secret.corp:99999", "http://secret.corp/path", "http://secret.corp?q", "http://secret.corp#f", "http://127.1",
        "http://secret%0d%0a:x@proxy.corp", "http://a%3Asecret:x@proxy.corp", "http://[::1", "http://secret corp",
    ],
)  # fmt: skip
def test_what_is_no_proxy_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(ValueError, match=r"\S") as caught:
        parse_upstream_proxy(url)
    assert "secret" not in str(caught.value)
