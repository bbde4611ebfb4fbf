"""Every route of the control API on one screen: who may call it, what it takes, what it gives. An unlisted role is a 403."""

from pydantic import BaseModel

from control_api import models as m
from control_api.body import BODY_BYTES
from control_api.callers import EVERYONE, PEOPLE, Role
from control_api.metrics import MEDIA_TYPE as METRICS
from control_api.route import Handler, Route
from control_api.routes import actions, agents, approvals, audit, bundles, ca, catalogs, docs, events, health, keys, policies

ADMIN = frozenset({Role.ADMIN})
VOTERS = frozenset({Role.ADMIN, Role.APPROVER})
AUDITORS = frozenset({Role.ADMIN, Role.AUDITOR})
AGENT = frozenset({Role.AGENT})
KNOWN = PEOPLE | AGENT
OPA = frozenset({Role.BUNDLE})
JSON = "application/json"
SCHEMA = "application/schema+json"
PEM = "application/x-pem-file"
HTML = "text/html; charset=utf-8"
SSE = "text/event-stream"


def _row(
    method: str,
    path: str,
    handler: Handler,
    roles: frozenset[Role],
    summary: str,
    query: type[BaseModel] | None = None,
    body: type[BaseModel] | None = None,
    answer: type[BaseModel] | None = None,
    *,
    status: int = 200,
    media: str = JSON,
    body_bytes: int = BODY_BYTES,
) -> Route:
    return Route(
        method=method,
        path=path,
        handler=handler,
        roles=roles,
        summary=summary,
        query=query,
        body=body,
        answer=answer,
        status=status,
        media=media,
        body_bytes=body_bytes,
    )


# fmt: off
ROUTES: tuple[Route, ...] = (
    _row("GET", "/health/live", health.live, EVERYONE, "Whether the process answers", answer=m.Live),
    _row("GET", "/health/ready", health.ready, EVERYONE, "Whether it has what it needs, by name", answer=m.Ready),
    _row("GET", "/metrics", health.metrics, EVERYONE, "Prometheus metrics", media=METRICS),
    _row("GET", "/openapi.json", docs.openapi, EVERYONE, "This description", media=JSON),
    _row("GET", "/docs", docs.page, EVERYONE, "This description, to read", media=HTML),
    _row("POST", "/v1/actions", actions.submit, AGENT,
         "Submit an action without the proxy", m.Wait, m.Submission, m.ActionShown, status=201),
    _row("GET", "/v1/actions", actions.listed, KNOWN, "List actions", m.ActionQuery, answer=m.Actions),
    _row("GET", "/v1/actions/{id}", actions.show, KNOWN, "Show an action", answer=m.ActionShown),
    _row("POST", "/v1/actions/{id}/start", actions.start, AGENT,
         "Begin an approved action, once", body=m.Nothing, answer=m.ActionShown),
    _row("GET", "/v1/approvals", approvals.listed, PEOPLE, "List approvals", m.ApprovalQuery, answer=m.Approvals),
    _row("GET", "/v1/approvals/{id}", approvals.show, PEOPLE, "Show an approval", answer=m.ApprovalDetailShown),
    _row("POST", "/v1/approvals/{id}/approve", approvals.approve, VOTERS,
         "Approve", body=m.Approve, answer=m.ApprovalDetailShown),
    _row("POST", "/v1/approvals/{id}/deny", approvals.deny, VOTERS, "Deny", body=m.Deny, answer=m.ApprovalDetailShown),
    _row("GET", "/v1/agents", agents.listed, PEOPLE, "List agents", m.Page, answer=m.Agents),
    _row("POST", "/v1/agents", agents.create, ADMIN, "Create an agent", body=m.NewAgent, answer=m.AgentCredential, status=201),
    _row("POST", "/v1/agents/{id}/rotate", agents.rotate, ADMIN,
         "Replace an agent's tokens by one", body=m.Nothing, answer=m.AgentCredential),
    _row("POST", "/v1/agents/{id}/disable", agents.disable, ADMIN, "Disable an agent", body=m.Nothing, answer=m.Done),
    _row("POST", "/v1/agents/{id}/tokens", agents.add_token, ADMIN,
         "Give an agent a further token", body=m.NewToken, answer=m.AgentCredential, status=201),
    _row("DELETE", "/v1/agents/{id}/tokens/{token_id}", agents.revoke_token, ADMIN, "End one token of an agent", answer=m.Done),
    _row("GET", "/v1/keys", keys.listed, ADMIN, "List API keys", m.Page, answer=m.Keys),
    _row("POST", "/v1/keys", keys.create, ADMIN, "Create an API key", body=m.NewKey, answer=m.KeyCreated, status=201),
    _row("DELETE", "/v1/keys/{id}", keys.revoke, ADMIN, "Revoke an API key", answer=m.Done),
    _row("GET", "/v1/policies", policies.listed, PEOPLE, "List policy revisions", m.Page, answer=m.Policies),
    _row("POST", "/v1/policies/check", policies.check, PEOPLE,
         "Check a policy document", body=m.PolicyDocument, answer=m.PolicyChecked),
    _row("GET", "/v1/schemas/policy.json", policies.document_schema, PEOPLE,
         "JSON Schema of the policy document", media=SCHEMA),
    _row("GET", "/v1/schemas/policy-input.json", policies.input_schema, PEOPLE,
         "JSON Schema of what policies are asked", media=SCHEMA),
    _row("GET", "/v1/bundles/firewall.tar.gz", bundles.firewall_bundle, OPA,
         "The active policy as an OPA bundle", media=bundles.MEDIA_TYPE),
    _row("GET", "/v1/catalogs", catalogs.listed, PEOPLE, "List catalogs, users' and shipped", m.Page, answer=m.Catalogs),
    _row("POST", "/v1/catalogs", catalogs.add, ADMIN, "Add a catalog from a document, or replace it",
         body=m.NewCatalog, answer=m.CatalogAdded, status=201, body_bytes=catalogs.BODY_BYTES),
    _row("GET", "/v1/catalogs/{service}", catalogs.show, PEOPLE, "Show a catalog and its facts", answer=m.CatalogDetail),
    _row("DELETE", "/v1/catalogs/{service}", catalogs.remove, ADMIN, "Remove a user's catalog", answer=m.Done),
    _row("POST", "/v1/catalogs/classify", catalogs.classified, PEOPLE, "Say which action a request would be",
         body=m.AskedRequest, answer=m.ActionClassified, body_bytes=catalogs.REQUEST_BYTES),
    _row("GET", "/v1/audit/events", audit.listed, AUDITORS, "List entries of the audit chain", m.EntryQuery, answer=m.Entries),
    _row("POST", "/v1/audit/verify", audit.verify, AUDITORS, "Walk the whole chain", body=m.Nothing, answer=m.Verified),
    _row("GET", "/v1/events", events.stream, PEOPLE, "Actions and approvals as they happen (server-sent events)", media=SSE),
    _row("GET", "/v1/ca.pem", ca.show, EVERYONE, "The interception CA's certificate", media=PEM),
)
# fmt: on
