"""What botocore builds and signs comes back under its own name. All services: `python -m tools.catalog score aws`."""

import pytest

from tests.catalogs.aws_requests import NotSent, requests
from tests.catalogs.sample import Sample, scored
from tests.catalogs.shipped import shipped
from tools.catalog.aws_modules import modules

SAMPLE = """
    apigateway apigatewayv2 bedrock-agent bedrock-agent-runtime bedrock-runtime chime chime-sdk-messaging cloudfront
    cloudfront-keyvaluestore cloudsearchdomain cloudwatch codecatalyst connectparticipant dynamodb dynamodbstreams ec2 ecr elb
    elbv2 es glacier iam iot-data kinesis kinesisvideo kms lambda lex-models lexv2-models logs neptune opensearch rds
    route53 s3 s3control ses sesv2 secretsmanager signin sns sqs ssm sts timestream-write
""".split()  # noqa: SIM905
"""Every protocol, the services that share a scope or a host, and those that people use most."""

NOT_IN_PYTHON = {"StartConversation", "InvokeModelWithBidirectionalStream", "StartSpeechSynthesisStream", "Chat"}
"""Streams in both directions, which botocore does not do."""


@pytest.mark.parametrize("everything", [False, True], ids=["required parameters", "every parameter"])
def test_every_request_of_the_sample_comes_back_under_its_own_name(everything: bool) -> None:
    services = ["s3", "s3control", "lambda", "chime-sdk-messaging", "sqs"] if everything else SAMPLE
    sent = list(requests(services, everything=everything))
    score = scored((each for each in sent if isinstance(each, Sample)), shipped(("aws",)))
    assert [each for each in sent if isinstance(each, NotSent) and each.operation not in NOT_IN_PYTHON] == []
    assert score.wrong == []
    assert score.total > (300 if everything else 3000)


def test_the_tables_of_hosts_and_members_are_those_of_the_pinned_botocore() -> None:
    for path, text in modules().items():
        assert path.read_text() == text
