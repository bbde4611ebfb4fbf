import pytest

from firewall.classify.aws_s3 import S3Host, s3_host, s3_key, s3_segments


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("s3", S3Host()),
        ("b.s3.us-east-1", S3Host(bucket="b")),
        ("s3-eu-west-1", S3Host()),
        ("s3-external-1", S3Host()),
        ("123456789012.s3-control.us-east-1", S3Host(places=("s3-control",))),
        ("control.vpce-1.s3.us-east-1.vpce", S3Host(places=("s3-control",))),
        ("b.s3-website.us-east-1", S3Host(bucket="b", website=True)),
        ("ap-1.op-2.s3-outposts.us-east-1", S3Host(bucket="ap-1.op-2")),
        ("s3-outposts.us-east-1", S3Host(places=("s3-control", "s3-outposts"))),
        ("s3express-control.us-east-1", S3Host(places=("s3-control", "s3express-control", "s3"))),
        ("s3express-use1-az4.us-east-1", None),
        ("s3-accelerate", None),
        ("accesspoint.s3-global", None),
        ("b.other.vpce-1.s3.us-east-1.vpce", None),
        ("dynamodb.us-east-1", None),
        ("us-east-1", None),
    ],
)
def test_what_a_host_of_s3_names(labels: str, expected: S3Host | None) -> None:
    assert s3_host(labels.split(".")) == expected


def test_a_key_keeps_its_slash_and_the_look_up_does_without() -> None:
    assert s3_segments("b", ("a/c", "")) == ("b", "a", "c")
    assert s3_key("b", ("a/c", "")) == "a/c/"
    assert s3_segments(None, ("b", "")) == ("b",)
    assert s3_segments(None, ("",)) == ("",)
    assert s3_key(None, ("b", "k")) == "k"
