from firewall.classify.content import MISSING, read_content


def test_json_is_read_and_what_is_none_says_so() -> None:
    assert read_content(b"null", content_type="application/json", content_encoding="", truncated=False).json is None
    broken = read_content(b"{", content_type="application/json", content_encoding="", truncated=False)
    assert broken.json is MISSING
    assert "not JSON" in broken.problem
