import pytest

from firewall.classify.aws_hosts import endpoint_of, is_aws, labels_of, normal_stem, prefixes_of, table


@pytest.mark.parametrize(
    ("host", "prefix", "scope"),
    [
        ("dynamodb.us-east-1.amazonaws.com", "dynamodb", "dynamodb"),
        ("dynamodb-fips.us-gov-west-1.amazonaws.com", "dynamodb", "dynamodb"),
        ("monitoring.us-east-1.api.aws", "monitoring", "monitoring"),
        ("iam.global.api.aws", "iam", "iam"),
        ("api.ecr.us-east-1.amazonaws.com", "api.ecr", "ecr"),
        ("us-east-1.queue.amazonaws.com", "sqs", "sqs"),
        ("vpce-1a-2b.ssm.us-east-1.vpce.amazonaws.com", "ssm", "ssm"),
        ("us-east-1.signin.aws.amazon.com", "signin", "signin"),
        ("query-cell2.timestream.us-east-1.amazonaws.com", "query.timestream", "timestream"),
        ("abc-ats.iot.eu-west-1.amazonaws.com", "data-ats.iot", "iotdata"),
    ],
)
def test_a_host_is_a_service(host: str, prefix: str, scope: str) -> None:
    labels = labels_of(host)
    assert labels is not None
    assert is_aws(host)
    endpoint = endpoint_of(labels)
    assert endpoint is not None
    assert prefix in endpoint.prefixes
    assert scope in endpoint.scopes


@pytest.mark.parametrize(
    "host",
    [
        "ec2-1-2-3-4.compute.amazonaws.com",
        "db.abc.us-east-1.rds.amazonaws.com",
        "x.us-east-1.elb.amazonaws.com",
        "x.dynamodb.us-east-1.amazonaws.com",
        "us-east-1.amazonaws.com",
        "abc.lambda-url.us-east-1.on.aws",
        "vpce-1.vpce-svc-2.us-east-1.vpce.amazonaws.com",
        "vpce.amazonaws.com",
    ],
)
def test_a_name_that_aws_may_give_to_a_customer_is_no_service(host: str) -> None:
    labels = labels_of(host)
    assert labels is not None
    assert endpoint_of(labels) is None


@pytest.mark.parametrize(
    "host", ["amazonaws.com", "notamazonaws.com", "dynamodb.amazonaws.com.evil.example", "evil.signin.aws.example"]
)
def test_other_hosts_are_not_of_aws(host: str) -> None:
    assert labels_of(host) is None


def test_what_says_fips_or_a_partition_is_no_part_of_the_name() -> None:
    assert normal_stem(["api", "fips", "ecr-fips", "global"]) == "api.ecr"


def test_every_scope_has_a_service() -> None:
    assert all(prefixes_of()[scope] for _, scopes in table().values() for scope in scopes)
