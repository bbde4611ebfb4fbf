"""How vendors' documents have to be read where they do not say all themselves; written by who read them, not by the generator."""

from tests.catalogs.openapi_requests import Reading


def _wide(*names: str) -> frozenset[str]:
    return frozenset(names)


NAMES_OF_IMAGES = ("/images/", "/distribution/", "/plugins/")

DOCUMENTS: dict[str, tuple[tuple[str, Reading], ...]] = {
    "asana": (("api/asana.com.json", Reading()),),
    "bitbucket": (("api/bitbucket.org.json", Reading(wide=_wide("path"), encoded=_wide("name", "spec", "commit"))),),
    "box": (("api/box.com.json", Reading()),),
    "datadog": (
        (".generator/schemas/v1/openapi.yaml", Reading()),
        (".generator/schemas/v2/openapi.yaml", Reading()),
    ),
    "digitalocean": (("api/digitalocean.com.json", Reading()),),
    "docker": (
        ("swagger.yaml", Reading(host="docker", wide=_wide("name"), only_under=NAMES_OF_IMAGES)),
        ("swagger.yaml", Reading(host="docker.operator.internal", base="/", wide=_wide("name"), only_under=NAMES_OF_IMAGES)),
    ),
    "docker-hub": (("api/docker.com/hub.json", Reading(host="hub.docker.com", base="/")),),
    "docusign": (("api/docusign.net.json", Reading(host="eu.docusign.net")),),
    "github": (
        ("generated/api.github.com.json", Reading(encoded=_wide("package_name"))),
        ("generated/ghec.json", Reading(host="api.octocorp.ghe.com")),
        ("generated/ghes-3.19.json", Reading(host="github.operator.internal", base="/api/v3")),
        ("generated/ghec.json", Reading(host="api.github.com", counts=False)),
        ("generated/ghec.json", Reading(host="github.operator.internal", base="/api/v3", counts=False)),
        ("generated/api.github.com.json", Reading(host="github.operator.internal", base="/api/v3", counts=False)),
    ),
    "jira": (
        ("api/atlassian.com/jira.json", Reading(host="octocorp.atlassian.net")),
        ("api/atlassian.com/jira.json", Reading(host="api.atlassian.com", base="/ex/jira/1a2b")),
    ),
    "kubernetes": (
        ("api/openapi-spec/swagger.json", Reading(host="kubernetes.default.svc", wide=_wide("path", "logpath"))),
        ("api/openapi-spec/swagger.json", Reading(host="0abc.gr7.eu-west-1.eks.amazonaws.com", wide=_wide("path", "logpath"))),
        ("api/openapi-spec/swagger.json", Reading(host="k8s.operator.internal", wide=_wide("path", "logpath"))),
    ),
    "launchdarkly": (("api/launchdarkly.com.json", Reading()),),
    "linode": (("api/linode.com.json", Reading()),),
    "mailchimp": (("api/mailchimp.com.json", Reading(host="us19.api.mailchimp.com")),),
    "mandrill": (("api/mandrillapp.com.json", Reading()),),
    "microsoft-graph": (("api/microsoft.com/graph.json", Reading()),),
    "netlify": (("api/netlify.com.json", Reading(wide=_wide("file_path", "path"))),),
    "notion": (("scripts/notion-openapi.json", Reading()),),
    "plaid": (("api/plaid.com.json", Reading()),),
    "postman": (("api/getpostman.com.json", Reading()),),
    "postmark": (("api/postmarkapp.com/account.json", Reading()), ("api/postmarkapp.com/server.json", Reading())),
    "sendgrid": (("api/sendgrid.com.json", Reading()),),
    "snyk": (("api/snyk.io.json", Reading()),),
    "spotify": (("api/spotify.com.json", Reading()),),
    "square": (("api/squareup.com.json", Reading()),),
    "stripe": (("embedded/openapi/spec3.json", Reading()),),
    "telegram": (("api/telegram.org.json", Reading(named_by_path=True)),),
    "trello": (("api/trello.com.json", Reading()),),
    "twilio": (("src/services/twilio-api/*.json", Reading()),),
    "vercel": (("api/vercel.com.json", Reading()),),
    "xero": (("api/xero.com/xero_accounting.json", Reading()),),
    "zoom": (("api/zoom.us.json", Reading()),),
}
"""Service → files in its package, and how they are read. A file read twice is read at two hosts."""
