"""The vendors whose OpenAPI documents ship, each from its own package. What was reviewed stands beside the name."""

from collections.abc import Iterator
from dataclasses import replace

from firewall.classify.catalog.openapi_described import Described
from firewall.classify.catalog.verbs import Reviewed
from tools.catalog.packages import Package
from tools.catalog.vendor import Document, Vendor


def _trailing_slash(operation: Described) -> Iterator[Described]:
    """`…/proxy/` is forwarded like `…/proxy/anything`, but a parameter of several segments is never empty."""
    yield operation
    if operation.path.endswith("/proxy/{+path}"):
        yield replace(operation, path=operation.path.removesuffix("{+path}"))


def _image_names(operation: Described) -> Iterator[Described]:
    """Names of images and plugins hold slashes, which clients send as they are: `/images/library/ubuntu/json`."""
    first = operation.path.split("/")[1]
    if first in {"images", "distribution", "plugins"}:
        operation = replace(operation, path=operation.path.replace("/{name}", "/{+name}"))
    yield operation


def _regions(host: str) -> tuple[str, ...]:
    """`api.twilio.com` is `api.dublin.ie1.twilio.com` too, or `api.ie1.twilio.com`."""
    first = host.partition(".")[0]
    return f"{first}.*.twilio.com", f"{first}.*.*.twilio.com"


GITHUB = Vendor(
    service="github",
    title="GitHub",
    package=Package(registry="npm", name="@octokit/openapi", version="23.0.2"),
    date="2026-09-09",
    licence="MIT",
    documents=(
        Document(files="generated/api.github.com.json"),
        Document(files="generated/ghec.json", hosts=("api.github.com",)),
        Document(files="generated/ghes-3.19.json", hosts=("github.self-hosted.internal",), base="/", rest=True),
    ),
    notes=(
        "api.github.com, what GitHub Enterprise Cloud adds, and GitHub Enterprise Server 3.19",
        "github.self-hosted.internal is nobody's host: operations of Enterprise Server, for hosts that the operator names",
    ),
    selves=("/api/uploads", "/api/v3"),
    more_hosts={"api.github.com": ("api.*.ghe.com",), "uploads.github.com": ("uploads.*.ghe.com",)},
    slashed=frozenset({"name", "package_name", "concurrency_group_name"}),
    reviewed=Reviewed(
        executes=frozenset({"actions/create-workflow-dispatch", "repos/create-dispatch-event", "agent-tasks/create-task-in-repo"}),
    ),
)

STRIPE = Vendor(
    service="stripe",
    title="Stripe",
    package=Package(registry="Go", name="github.com/stripe/stripe-mock", version="v0.203.0"),
    date="2026-08-26",
    licence="MIT",
    documents=(Document(files="embedded/openapi/spec3.json"),),
)

KUBERNETES = Vendor(
    service="kubernetes",
    title="Kubernetes",
    package=Package(registry="Go", name="k8s.io/kubernetes", version="v1.37.2"),
    date="2026-10-27",
    licence="Apache-2.0",
    documents=(
        Document(
            files="api/openapi-spec/swagger.json",
            hosts=(
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                "kubernetes.default.svc.cluster.local",
                "*.*.*.eks.amazonaws.com",
                "*.hcp.*.azmk8s.io",
                "*.*.gke.goog",
                "*.k8s.ondigitalocean.com",
                "*.*.linodelke.net",
            ),
        ),
    ),
    notes=("hosts: a cluster's own name, and the API servers that EKS, AKS, GKE (by DNS), DOKS and LKE manage",),
    wide=frozenset({"path", "logpath"}),
    reviewed=Reviewed(
        reads=frozenset(
            f"create{each}"
            for each in (
                "AuthenticationV1SelfSubjectReview",
                "AuthorizationV1NamespacedLocalSubjectAccessReview",
                "AuthorizationV1SelfSubjectAccessReview",
                "AuthorizationV1SelfSubjectRulesReview",
                "AuthorizationV1SubjectAccessReview",
            )
        ),
        deletes=frozenset({"createCoreV1NamespacedPodEviction"}),
    ),
    reshape=_trailing_slash,
)

DATADOG = Vendor(
    service="datadog",
    title="Datadog",
    package=Package(registry="Go", name="github.com/DataDog/datadog-api-client-go/v2", version="v2.67.0"),
    date="2026-10-13",
    licence="Apache-2.0",
    documents=(
        Document(files=".generator/schemas/v1/openapi.yaml", defaults=("subdomain",)),
        Document(files=".generator/schemas/v2/openapi.yaml", defaults=("subdomain",)),
    ),
    reviewed=Reviewed(
        verbs=frozenset({"aggregate", "list", "query", "search"}),
        reads=frozenset({"CheckCanDeleteMonitor", "CheckCanDeleteSLO"}),
    ),
)

TWILIO = Vendor(
    service="twilio",
    title="Twilio",
    package=Package(registry="npm", name="@twilio/cli-core", version="8.3.2"),
    date="2026-03-20",
    licence="MIT",
    documents=(Document(files="src/services/twilio-api/*.json"),),
    more_hosts={
        f"{product}.twilio.com": _regions(f"{product}.twilio.com")
        for product in (
            "accounts api assistants autopilot bulkexports chat content conversations events fax flex-api frontline-api iam"
            " insights intelligence ip-messaging knowledge lookups marketplace media messaging microvisor monitor notify numbers"
            " oauth preview pricing proxy routes serverless studio supersim sync taskrouter trunking trusthub verify video voice"
            " wireless"
        ).split()
    },
    reviewed=Reviewed(
        reads=frozenset(
            "FetchInvite FetchRoomParticipantSubscribeRule ListConnectApp ListInteractionChannelInvite ListInvite"
            " ListRecordingAddOnResult ListSettingsUpdate".split()
        ),
    ),
)

NOTION = Vendor(
    service="notion",
    title="Notion",
    package=Package(registry="npm", name="@notionhq/notion-mcp-server", version="2.5.2"),
    date="2026-09-21",
    licence="MIT",
    documents=(Document(files="scripts/notion-openapi.json"),),
    reviewed=Reviewed(verbs=frozenset({"query", "search"})),
)

DOCKER = Vendor(
    service="docker",
    title="Docker Engine",
    package=Package(registry="Go", name="github.com/moby/moby/api", version="v1.56.1"),
    date="2026-10-01",
    licence="Apache-2.0",
    documents=tuple(Document(files="swagger.yaml", hosts=("docker",), base=base) for base in ("/", "/v{api_version}")),
    notes=("docker is the name that Docker-in-Docker services have; other hosts are the operator's to name",),
    selves=("/", "/v{api_version}"),
    reviewed=Reviewed(
        reads=frozenset({"ContainerArchive", "ExecInspect"}),
        executes=frozenset({"ContainerAttach", "ContainerAttachWebsocket", "Session"}),
    ),
    reshape=_image_names,
)

VENDORS = (GITHUB, STRIPE, KUBERNETES, DATADOG, TWILIO, NOTION, DOCKER)
