"""What an agent sees as the destination's certificate (TRAPS 10)."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.gateway.rig import Rig, inner


def _spki(key: object) -> bytes:
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


async def test_the_leafs_key_is_not_the_cas(rig: Rig) -> None:
    wire = await rig.tunnel()
    leaf = x509.load_der_x509_certificate(wire.peer_certificate())
    assert _spki(leaf.public_key()) != _spki(rig.authority.certificate.public_key())
    assert leaf.issuer == rig.authority.certificate.subject
    leaf.verify_directly_issued_by(rig.authority.certificate)


async def test_the_leaf_is_for_the_very_host_and_can_sign_nothing(rig: Rig) -> None:
    wire = await rig.tunnel()
    leaf = x509.load_der_x509_certificate(wire.peer_certificate())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["up.test"]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


async def test_only_http_1_1_is_agreed_on(rig: Rig) -> None:
    wire = await rig.tunnel(alpn=["h2", "http/1.1"])
    assert wire.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
    assert (await wire.ask(inner("/a"))).status == 200


async def test_the_ca_answers_no_request_by_itself(rig: Rig) -> None:
    """mitmproxy's TLS addon serves a revocation list to whoever asks for one."""
    serial = rig.authority.certificate.serial_number
    wire = await rig.tunnel()
    assert (await wire.ask(inner(f"/mitmproxy-{serial}.crl"))).body == f"reached /mitmproxy-{serial}.crl".encode()
