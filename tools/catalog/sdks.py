"""The vendors whose SDKs list their methods in `api.md`. What was reviewed stands beside the name."""

from firewall.action import Kind
from firewall.classify.catalog.facts import Operation, Section
from firewall.classify.catalog.verbs import Reviewed
from tools.catalog.api_md import Method, Sdk
from tools.catalog.packages import Package

_AZURE = ("*.openai.azure.com", "*.services.ai.azure.com")
_DEPLOYED = {
    "/completions": "completions.create",
    "/chat/completions": "chat.completions.create",
    "/embeddings": "embeddings.create",
    "/audio/transcriptions": "audio.transcriptions.create",
    "/audio/translations": "audio.translations.create",
    "/audio/speech": "audio.speech.create",
    "/images/generations": "images.generate",
    "/images/edits": "images.edit",
}
"""What the SDK's client for Azure sends to a deployment (`openai/lib/azure.py`)."""

OPENAI = Sdk(
    service="openai",
    title="OpenAI",
    package=Package(registry="PyPI source", name="openai", version="3.54.0"),
    date="2026-11-17",
    licence="Apache-2.0",
    least=380,
    places=((("*.api.openai.com", "api.openai.com"), "/v1"), (_AZURE, "/openai"), (_AZURE, "/openai/v1")),
    selves=("/v1",),
    reviewed=Reviewed(verbs=frozenset({"search", "count"})),
    more_sections=(
        Section(
            hosts=_AZURE,
            base="/openai/deployments/{deployment}",
            operations=tuple(
                Operation(method="POST", template=path, kind=Kind.WRITE, operation=name) for path, name in _DEPLOYED.items()
            ),
        ),
    ),
    more=(
        Method(verb="GET", path="/realtime", name="realtime.connect"),
        Method(verb="POST", path="/realtime/sessions", name="beta.realtime.sessions.create"),
        Method(verb="POST", path="/realtime/transcription_sessions", name="beta.realtime.transcription_sessions.create"),
    ),
    notes=("realtime.connect (a WebSocket) and beta.realtime are in the SDK's code, not in its api.md",),
)

ANTHROPIC = Sdk(
    service="anthropic",
    title="Anthropic",
    package=Package(registry="Go", name="github.com/anthropics/anthropic-sdk-go", version="v1.84.0"),
    date="2026-10-20",
    licence="MIT",
    least=330,
    places=((("api.anthropic.com",), "/"),),
    selves=("/",),
    more=(Method(verb="POST", path="/v1/complete", name="Completions.New"),),
    notes=("Completions.New is no more in api.md, but in the SDK's code",),
    reviewed=Reviewed(verbs=frozenset({"count"}), writes=frozenset({"Beta.Environments.Work.Poll"})),
)

CLOUDFLARE = Sdk(
    service="cloudflare",
    title="Cloudflare",
    package=Package(registry="Go", name="github.com/cloudflare/cloudflare-go/v6", version="v6.10.0"),
    date="2026-04-23",
    licence="Apache-2.0",
    least=2200,
    places=((("api.cloudflare.com",), "/client/v4"),),
    selves=("/client/v4",),
    wide=frozenset({"key_name", "model_name"}),
    slashed=frozenset({"url", "filename", "tag", "tag_name", "name"}),
    choices={"accounts_or_zones": ("accounts", "zones")},
    reviewed=Reviewed(
        verbs=frozenset({"search"}),
        reads=frozenset(
            {
                "Cache.SmartTieredCache.Get",
                "Queues.Purge.Status",
                "Radar.Entities.ASNs.AsSet",
                "Radar.HTTP.Summary.PostQuantum",
                "Radar.HTTP.TimeseriesGroups.PostQuantum",
                "Registrar.UpdateStatus.Get",
            }
        ),
    ),
)

SDKS = (OPENAI, ANTHROPIC, CLOUDFLARE)
