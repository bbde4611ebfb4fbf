from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from certs import ca

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def test_the_ca_is_p256_and_may_sign_leaves_only() -> None:
    certificate = ca.create(NOW).certificate
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert basic.critical
    assert (basic.value.ca, basic.value.path_length) == (True, 0)
    assert certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


def test_a_client_whose_clock_is_behind_accepts_it() -> None:
    certificate = ca.create(NOW).certificate
    assert certificate.not_valid_before_utc < NOW - timedelta(hours=12)
    assert certificate.not_valid_after_utc > NOW + timedelta(days=365 * 9)


def test_what_was_written_down_is_loaded_again() -> None:
    made = ca.create(NOW)
    loaded = ca.load(ca.certificate_pem(made), ca.key_pem(made))
    assert loaded.certificate == made.certificate


def test_a_key_of_another_ca_is_refused() -> None:
    with pytest.raises(ValueError, match="do not belong together"):
        ca.load(ca.certificate_pem(ca.create(NOW)), ca.key_pem(ca.create(NOW)))
