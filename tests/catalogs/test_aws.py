"""What botocore builds and signs comes back under its own name. All services: `python -m tools.catalog score aws`."""

import pytest

from firewall.classify import classify
from firewall.classify.aws import Aws
from firewall.classify.generic import Generic
from tests.catalogs.shipped import shipped
from tools.catalog.score_aws import NotSent, Sent, requests

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
    wrong, count = [], 0
    catalogs = shipped(("aws",))
    services = SAMPLE if not everything else ["s3", "s3control", "lambda", "chime-sdk-messaging", "sqs"]
    for each in requests(services, everything=everything):
        if isinstance(each, NotSent):
            if each.operation not in NOT_IN_PYTHON:
                wrong.append(f"{each.service} {each.operation}: {each.reason}")
            continue
        assert isinstance(each, Sent)
        count += 1
        got = classify(each.request, catalogs, (Aws(), Generic()))
        if (got.service, got.operation) != ("aws", each.expected):
            wrong.append(f"{each.expected} came back as {got.service}:{got.operation}")
    assert wrong == []
    assert count > (300 if everything else 3000)
