import pytest
from pydantic import ValidationError

from firewall.document import Document, range_text


def test_lists_are_never_coerced_and_defaults_are_the_strict_ones() -> None:
    document = Document.model_validate({"version": 1})
    assert (document.default, document.rules, document.destinations.ports) == ("deny", (), None)
    with pytest.raises(ValidationError):
        Document.model_validate({"version": 1, "rules": "abc"})


def test_ranges_are_canonical_and_never_the_whole_world() -> None:
    assert range_text("FD00::/8") == "fd00::/8"
    assert range_text("10.1.2.3") == "10.1.2.3/32"
    for text in ("0.0.0.0/0", "::/0", "10.0.0.1/24", "10.0.0.0/33", "x"):
        with pytest.raises(ValueError, match=r".+"):
            range_text(text)
