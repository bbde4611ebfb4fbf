"""botocore's models → firewall/classify/aws_members.py: members of a body that say what an operation is done to.

Only members that the operation requires, so that no agent can name a harmless thing in a member that the service does not look at.
"""

import textwrap
from collections import defaultdict
from pathlib import Path

from tools.catalog.aws import models

MEMBERS = {
    "dynamodb": "TableName",
    "sqs": "QueueUrl QueueName",
    "sns": "TopicArn",
    "secretsmanager": "SecretId",
    "kms": "KeyId",
    "kinesis": "StreamName",
    "firehose": "DeliveryStreamName",
    "ssm": "DocumentName",
    "iam": "RoleName UserName GroupName PolicyArn PolicyName InstanceProfileName",
    "sts": "RoleArn",
    "cloudformation": "StackName",
    "states": "stateMachineArn executionArn",
    "logs": "logGroupName",
    "ecs": "cluster service taskDefinition",
    "ecr": "repositoryName",
    "rds": "DBInstanceIdentifier DBClusterIdentifier",
    "ec2": "InstanceId VolumeId GroupId VpcId SnapshotId ImageId",
    "cognito-idp": "UserPoolId Username",
    "codebuild": "projectName",
    "codecommit": "repositoryName",
    "organizations": "AccountId",
    "elasticloadbalancing": "LoadBalancerArn LoadBalancerName TargetGroupArn",
    "autoscaling": "AutoScalingGroupName",
    "redshift": "ClusterIdentifier",
    "glue": "DatabaseName JobName",
}
"""Scope → members worth seeing, as the API spells them."""

_HEAD = '''"""Made by `python -m tools.catalog.aws_modules` from botocore {version}: members of bodies that name what it is about.

A line: scope and member, then the operations that require it.
"""

from functools import cache

MEMBERS = """
{lines}
"""


@cache
def _table() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {{}}
    for line in MEMBERS.replace("\\n ", " ").split("\\n"):
        if line:
            head, *operations = line.split()
            scope, _, member = head.partition(".")
            for operation in operations:
                name = f"{{scope}}:{{operation}}"
                found[name] = (*found.get(name, ()), member)
    return found


def members_of(operation: str) -> tuple[str, ...]:
    """`dynamodb:GetItem` → `("TableName",)`."""
    return _table().get(operation, ())
'''


def members(botocore: Path, version: str) -> str:
    """The module's text."""
    found: dict[str, set[str]] = defaultdict(set)
    for model in models(botocore):
        wanted = MEMBERS.get(model.scope, "").split()
        for name, operation in model.operations.items() if wanted else ():
            shape = model.shapes[operation["input"]["shape"]] if "input" in operation else {}
            required = {member for member in shape.get("required", ()) if "location" not in shape["members"][member]}
            for member in required & set(wanted):
                found[f"{model.scope}.{member}"].add(name)
    lines = [
        textwrap.fill(
            f"{head} {' '.join(sorted(names))}", 130, subsequent_indent=" ", break_long_words=False, break_on_hyphens=False
        )
        for head, names in sorted(found.items())
    ]
    return _HEAD.format(version=version, lines="\n".join(lines))
