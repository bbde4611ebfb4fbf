"""What was looked at by hand for AWS: verbs, names that do not agree between API and IAM, and what no model says."""

import re

from firewall.action import Kind, stricter_kind
from firewall.classify.generic import method_kind

IDENTICAL = frozenset({"s3:GetBucketLifecycle", "s3:PutBucketLifecycle", "s3:GetBucketNotification", "s3:PutBucketNotification"})
"""Operations that their successors replaced (`…Configuration`) and that are the same on the wire: the successor's name is given."""

POSTED_TOO = frozenset({"cloudsearchdomain:Search"})
"""GETs that SDKs send as POST with the query as a form."""

CONDITIONAL_HEADERS = frozenset({"x-amz-copy-source", "x-amz-rename-source", "x-amz-object-attributes"})
"""Required header fields that make another operation of the same method and path."""

IAM_PREFIXES = {
    "monitoring": "cloudwatch",
    "cloudcontrolapi": "cloudformation",
    "iotdata": "iot",
    "iot-jobs-data": "iotjobsdata",
    "IoTSecuredTunneling": "iot",
    "mturk-requester": "mechanicalturk",
    "partnercentral-account": "partnercentral",
    "partnercentral-benefits": "partnercentral",
    "partnercentral-channel": "partnercentral",
    "partnercentral-selling": "partnercentral",
    "tagging": "tag",
}
"""Signing name → IAM prefix, where they differ."""

_S3 = {
    "GetObject": "HeadObject SelectObjectContent",
    "PutObject": "CopyObject UploadPart UploadPartCopy CreateMultipartUpload CompleteMultipartUpload",
    "DeleteObject": "DeleteObjects",
    "ListBucket": "HeadBucket ListObjects ListObjectsV2",
    "PutBucketCORS": "DeleteBucketCors",
    "PutEncryptionConfiguration": "DeleteBucketEncryption",
    "PutLifecycleConfiguration": "DeleteBucketLifecycle",
    "PutReplicationConfiguration": "DeleteBucketReplication",
    "PutBucketTagging": "DeleteBucketTagging",
    "GetBucketPublicAccessBlock": "GetPublicAccessBlock",
    "PutBucketPublicAccessBlock": "PutPublicAccessBlock DeletePublicAccessBlock",
    "PutBucketOwnershipControls": "DeleteBucketOwnershipControls",
    "GetAnalyticsConfiguration": "ListBucketAnalyticsConfigurations",
    "PutAnalyticsConfiguration": "DeleteBucketAnalyticsConfiguration",
    "GetInventoryConfiguration": "ListBucketInventoryConfigurations",
    "PutInventoryConfiguration": "DeleteBucketInventoryConfiguration",
    "GetMetricsConfiguration": "ListBucketMetricsConfigurations",
    "PutMetricsConfiguration": "DeleteBucketMetricsConfiguration",
    "GetIntelligentTieringConfiguration": "ListBucketIntelligentTieringConfigurations",
    "PutIntelligentTieringConfiguration": "DeleteBucketIntelligentTieringConfiguration",
}
IAM_ACTIONS = {f"s3:{operation}": f"s3:{action}" for action, operations in _S3.items() for operation in operations.split()} | {
    "s3:CreateSession": "s3express:CreateSession",
    "s3:ListDirectoryBuckets": "s3express:ListAllMyDirectoryBuckets",
    "s3-control:GetPublicAccessBlock": "s3:GetAccountPublicAccessBlock",
    "s3-control:PutPublicAccessBlock": "s3:PutAccountPublicAccessBlock",
    "s3-control:DeletePublicAccessBlock": "s3:PutAccountPublicAccessBlock",
    "lambda:Invoke": "lambda:InvokeFunction",
    "lambda:InvokeAsync": "lambda:InvokeFunction",
    "lambda:InvokeWithResponseStream": "lambda:InvokeFunction",
    "bedrock-runtime:Converse": "bedrock:InvokeModel",
    "bedrock-runtime:ConverseStream": "bedrock:InvokeModelWithResponseStream",
    "bedrock-runtime:StartAsyncInvoke": "bedrock:InvokeModel",
    "dynamodb:TransactGetItems": "dynamodb:GetItem",
    "dynamodb:TransactWriteItems": "dynamodb:PutItem",
}
"""`endpoint prefix:operation` → the IAM action that it needs first, where neither name nor documentation tells."""

DELETES = frozenset("Delete Terminate Purge Destroy Remove Deregister Release Deprovision Dispose Expire".split())
EXECUTES = frozenset("Execute Invoke Run Reboot Restart".split())
EXECUTED = frozenset(
    """
    ssm:SendCommand ssm:StartSession ssm:StartAutomationExecution states:StartExecution states:StartSyncExecution
    codebuild:StartBuild codebuild:StartBuildBatch batch:SubmitJob glue:StartJobRun emr-serverless:StartJobRun
    emr-containers:StartJobRun codepipeline:StartPipelineExecution athena:StartQueryExecution redshift-data:ExecuteStatement
    ecs:StartTask elasticmapreduce:AddJobFlowSteps ec2-instance-connect:SendSSHPublicKey bedrock:InvokeAgent
    """.split()
)
"""Operations that run code or open a way into a machine, although their verb does not say so."""

DELETED = frozenset(
    """
    kms:ScheduleKeyDeletion organizations:CloseAccount neptune-db:ExecuteFastReset neptune-graph:ResetGraph
    dynamodb:BatchWriteItem dynamodb:TransactWriteItems route53:ChangeResourceRecordSets
    """.split()
)
"""Operations that delete, or can, although their verb does not say so."""

_READS = frozenset("Get List Describe Head".split())
"""What these begin reads, unless IAM says otherwise."""
_READS_FOR_IAM_TOO = frozenset(
    """
    Search Query Scan Select Lookup Count Is Contains Check Compare Estimate Preview Simulate Detect Classify Discover Analyze
    Infer Suggest Autocomplete Geocode Snap Filter Find View Calculate Recognize
    """.split()
)
"""What these begin reads if IAM calls it Read or List."""

HANDS_OUT_CREDENTIALS = frozenset(
    """
    sts:GetSessionToken sts:GetFederationToken sts:GetDelegatedAccessToken sts:GetWebIdentityToken
    cognito-identity:GetCredentialsForIdentity cognito-identity:GetOpenIdToken
    cognito-identity:GetOpenIdTokenForDeveloperIdentity awsssoportal:GetRoleCredentials ecr:GetAuthorizationToken
    ecr-public:GetAuthorizationToken codeartifact:GetAuthorizationToken redshift:GetClusterCredentials
    redshift:GetClusterCredentialsWithIAM redshift-serverless:GetCredentials lakeformation:GetTemporaryGlueTableCredentials
    lakeformation:GetTemporaryGluePartitionCredentials lakeformation:GetTemporaryDataLocationCredentials s3:GetDataAccess
    gamelift:GetComputeAuthToken gamelift:GetComputeAccess account-access:GetRoleCredentials amplifybackend:GetToken
    bedrock-agentcore:GetResourceApiKey bedrock-agentcore:GetResourceOauth2Token bedrock-agentcore:GetResourcePaymentToken
    bedrock-agentcore:GetWorkloadAccessToken bedrock-agentcore:GetWorkloadAccessTokenForJWT
    bedrock-agentcore:GetWorkloadAccessTokenForUserId cloudwatch:GetSpaceCredentialsForOrganization cognito-idp:GetClientToken
    cognito-idp:GetDerivedToken connect:GetFederationToken datazone:GetEnvironmentCredentials datazone:GetIamPortalLoginUrl
    ec2:GetPasswordData lakeformation:GetTemporaryGlueFunctionCredentials license-manager:GetAccessToken
    redshift:GetIdentityCenterAuthToken redshift-serverless:GetIdentityCenterAuthToken route53globalresolver:GetAccessToken
    ssm:GetAccessToken
    """.split()
)
"""Called Read by IAM; what they answer with opens other doors."""

_FIRST = re.compile(r"(?:Batch(?=[A-Z])|Admin(?=[A-Z])|Bulk(?=[A-Z]))?([A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+)")


def verb_of(name: str) -> str:
    """`BatchGetItem` → `Get`."""
    found = _FIRST.match(name)
    return found[1] if found else name


def kind_of(method: str, scope: str, name: str, level: str | None, *, readonly: bool) -> Kind:
    """`level`: IAM's access level of the action that the operation needs. `readonly`: the model's own trait. A POST becomes a read
    by such a trait or verb alone, and never where IAM calls it Write or Permissions management."""
    own, verb, floor = f"{scope}:{name}", verb_of(name), method_kind(method)
    changes = level in {"Write", "Permissions management"} or own in HANDS_OUT_CREDENTIALS
    said = Kind.WRITE if changes else Kind.READ
    if verb in DELETES or own in DELETED:
        said = Kind.DELETE
    elif own in EXECUTED or verb in EXECUTES:
        said = stricter_kind(said, Kind.EXECUTE)
    reads = readonly or verb in _READS or (verb in _READS_FOR_IAM_TOO and level in {"Read", "List"})
    if method == "POST" and said is Kind.READ and reads:
        return Kind.READ
    return stricter_kind(floor, said)
