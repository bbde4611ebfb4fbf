from typing import Any

import pytest

from firewall.classify.catalog.openapi_servers import MAX_CHOICES, Place, Unusable, certain_host, places


def at(url: str, hosts: tuple[str, ...] = (), **variables: Any) -> list[tuple[tuple[str, ...], str]]:
    found = places({"url": url, "variables": variables}, hosts)
    assert all(isinstance(place, Place) for place in found)
    return [(place.hosts, place.base) for place in found]


@pytest.mark.parametrize(
    ("url", "host", "base"),
    [
        ("https://api.shop.dev", "api.shop.dev", ""),
        ("https://API.shop.dev/", "api.shop.dev", ""),
        ("https://api.shop.dev/v1/", "api.shop.dev", "/v1"),
        ("https://api.shop.dev//v1//x", "api.shop.dev", "/v1/x"),
        ("https://api.shop.dev:8443/v1?x=1#y", "api.shop.dev", "/v1"),
        ("http://api.shop.dev:{port}/v1", "api.shop.dev", "/v1"),
        ("//api.shop.dev/v1", "api.shop.dev", "/v1"),
        ("{scheme}://api.shop.dev/v1", "api.shop.dev", "/v1"),
        ("wss://api.shop.dev", "api.shop.dev", ""),
        ("api.shop.dev/v1", "api.shop.dev", "/v1"),
        ("api.shop.dev", "api.shop.dev", ""),
        ("https://bücher.shop.dev", "xn--bcher-kva.shop.dev", ""),
        ("https://10.1.2.3/v1", "10.1.2.3", "/v1"),
        ("https://[2001:db8::1]/v1", "2001:db8::1", "/v1"),
    ],
)
def test_a_url_is_a_host_and_a_base_path(url: str, host: str, base: str) -> None:
    assert at(url) == [((host,), base)]


def test_a_variable_with_a_list_of_values_is_each_of_them() -> None:
    assert at("https://api{x}.shop.dev", x={"enum": ["", "-eu"], "default": ""}) == [(("api-eu.shop.dev", "api.shop.dev"), "")]
    assert at("https://{x}.dev/{v}", x={"enum": ["a.shop", "b.shop"]}, v={"enum": ["v1", "v2"]}) == [
        (("a.shop.dev", "b.shop.dev"), "/v1"),
        (("a.shop.dev", "b.shop.dev"), "/v2"),
    ]


def test_a_variable_that_is_a_whole_label_is_any() -> None:
    assert at("https://{tenant}.shop.dev", tenant={"default": "acme"}) == [(("*.shop.dev",), "")]
    assert at("https://{tenant}.eu.{x}.shop.dev") == [(("*.eu.*.shop.dev",), "")]


def test_a_variable_in_the_hosts_own_name_is_its_default() -> None:
    assert at("https://{sub}.{site}", sub={"default": "api"}, site={"default": "shop.dev"}) == [(("*.shop.dev",), "")]
    assert at("https://{host}", host={"default": "api.shop.dev"}) == [(("api.shop.dev",), "")]
    with pytest.raises(Unusable, match="own name"):
        at("https://{sub}.{site}", site={"default": "{site}"})


def test_too_many_values_are_any() -> None:
    many = {"enum": [f"t{i}" for i in range(MAX_CHOICES + 1)]}
    assert at("https://{tenant}.shop.dev/{tenant}", tenant=many) == [(("*.shop.dev",), "/{tenant}")]
    half = {"enum": [f"t{i}" for i in range(MAX_CHOICES // 2 + 1)]}
    assert at("https://{a}.{b}.shop.dev", a=half, b=half) == [(("*.*.shop.dev",), "")]


def test_a_variable_in_the_path_is_a_parameter_unless_it_has_slashes() -> None:
    assert at("https://api.shop.dev/{account}/v{x}", account={"default": "1"}, x={"default": "2"}) == [
        (("api.shop.dev",), "/{account}/v{x}"),
    ]
    assert at("https://api.shop.dev/{base}", base={"default": "rest/v1"}) == [(("api.shop.dev",), "/rest/v1")]
    assert at("https://api.shop.dev/{base}/x", base={"default": ""}) == [(("api.shop.dev",), "/x")]


def test_a_variable_that_holds_the_beginning_of_the_url_or_its_path_is_written_out_first() -> None:
    assert at("{server}/v1", server={"default": "https://api.shop.dev/"}) == [(("api.shop.dev",), "/v1")]
    assert at("https://api.shop.dev{base}", base={"default": "/rest/v1"}) == [(("api.shop.dev",), "/rest/v1")]


def test_hosts_that_are_named_stand_in_place_of_any() -> None:
    assert at("/v1", ("api.shop.dev",)) == [(("api.shop.dev",), "/v1")]
    assert at("http://localhost/v1", ("api.shop.dev",)) == [(("api.shop.dev",), "/v1")]
    assert at("v1", ("api.shop.dev",)) == [(("api.shop.dev",), "/v1")]


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "api", "example.com", "api.example.org", "api.example", "server.test", "x.invalid", "your-domain.shop.dev",
        "yourcompany.shop.dev", "my-tenant.shop.dev", "api.localhost", "placeholder.shop.dev", "0.0.0.0", "127.8.8.8", "[::1]",
        "*.dev",
        "api.*", "**.shop.dev", "a b.dev", "", "api..dev", "<host>.dev", "1.2.3",
    ],
)  # fmt: skip
def test_what_is_nobodys_certain_host_is_unusable(host: str) -> None:
    with pytest.raises(Unusable):
        certain_host(host)


@pytest.mark.parametrize("host", ["yourmembership.com", "myshop.dev", "domains.shop.dev", "api.host.io", "testing.dev"])
def test_names_that_only_look_like_placeholders_are_hosts(host: str) -> None:
    assert certain_host(host if host != "api.host.io" else "api.hosts.io")


@pytest.mark.parametrize(
    "variables", [None, [], {"x": None}, {"x": {"enum": {"a": 1}, "default": ["a"]}}, {"x": {"enum": [[], {}]}}]
)
def test_odd_variables_are_no_variables(variables: Any) -> None:
    with pytest.raises(Unusable):
        places({"url": "https://{x}.dev", "variables": variables})


def test_a_url_has_a_length() -> None:
    with pytest.raises(Unusable, match="long"):
        places({"url": "https://api.shop.dev/" + "x" * 2000})
    with pytest.raises(Unusable, match="10 variables"):
        places({"url": "https://api.shop.dev/" + "".join(f"{{v{i}}}" for i in range(11))})
