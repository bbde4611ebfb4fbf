import ssl
from datetime import UTC, datetime
from pathlib import Path

import certifi
import pytest

from certs import bundle, ca
from certs.bundle import system_roots, trust_bundle

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PEM = b"-----BEGIN CERTIFICATE-----\n%b\n-----END CERTIFICATE-----\n"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Where OpenSSL looks, and where a distribution keeps its bundle: nothing is there yet."""
    asked, usual = tmp_path / "asked.pem", tmp_path / "usual.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(asked))
    monkeypatch.setattr(bundle, "_BUNDLES", (str(tmp_path / "none.pem"), str(usual)))
    return asked, usual


def test_what_openssl_is_told_to_trust_comes_first(places: tuple[Path, Path]) -> None:
    asked, usual = places
    asked.write_bytes(PEM % b"asked")
    usual.write_bytes(PEM % b"usual")
    assert system_roots() == PEM % b"asked"


@pytest.mark.parametrize("content", [None, b"", b"\n\n", b"-----BEGIN PRIVATE KEY-----\n", b"\x00\xff"])
def test_a_file_without_certificates_is_passed_over(places: tuple[Path, Path], content: bytes | None) -> None:
    asked, usual = places
    if content is not None:
        asked.write_bytes(content)
    usual.write_bytes(PEM % b"usual")
    assert system_roots() == PEM % b"usual"


def test_a_folder_in_place_of_a_file_is_passed_over(places: tuple[Path, Path]) -> None:
    asked, usual = places
    asked.mkdir()
    usual.write_bytes(PEM % b"usual")
    assert system_roots() == PEM % b"usual"


def test_a_file_that_may_not_be_read_is_passed_over(places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    asked, usual = places
    asked.write_bytes(PEM % b"asked")
    usual.write_bytes(PEM % b"usual")
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path == asked:
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert system_roots() == PEM % b"usual"


@pytest.mark.usefixtures("places")
def test_a_machine_without_a_trust_store_gets_certifis() -> None:
    assert system_roots() == Path(certifi.where()).read_bytes()


def test_a_bundle_is_the_systems_roots_and_ours_and_openssl_reads_it(places: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = (ca.certificate_pem(ca.create(NOW)).encode() for _ in range(2))
    # As editors leave it: without a line feed at the end, where two certificates would run together.
    places[0].write_bytes(first.rstrip())
    made = trust_bundle(second)
    assert made == first.rstrip() + b"\n" + second.rstrip() + b"\n"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    file = tmp_path / "made.pem"
    file.write_bytes(made)
    context.load_verify_locations(file)
    assert set(context.get_ca_certs(binary_form=True)) == {ssl.PEM_cert_to_DER_cert(pem.decode()) for pem in (first, second)}
