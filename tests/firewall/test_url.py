import pytest

from firewall.url import scheme


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:3001", "http"),
        ("HTTPS://api.example/", "https"),
        ("postgresql://role:word@[::1]:5432/aaf", "postgresql"),
        ("postgresql://role:word@/aaf?host=/run/postgresql", "postgresql"),
    ],
)
def test_the_address_of_a_server_has_a_scheme(url: str, expected: str) -> None:
    assert scheme(url) == expected


@pytest.mark.parametrize(
    "url", ["", "zzz", "127.0.0.1:3001", "file:///etc/passwd", "http://", "http://[::1", "http://h:port", "http://h:0"]
)
def test_what_names_no_server_has_none(url: str) -> None:
    assert scheme(url) is None


def test_a_database_may_lie_on_a_socket_that_a_parameter_names() -> None:
    assert scheme("postgresql:///aaf?host=/run/postgresql", local=True) == "postgresql"
    assert scheme("postgresql:///aaf?host=/run/postgresql") is None
    assert scheme("nonsense", local=True) is None
