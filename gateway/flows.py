"""mitmproxy's flows at their end."""

from mitmproxy import http


def forget(flow: http.HTTPFlow) -> None:
    """The request is over. What its flow and its passage hold of each other is let go, so that both end here and not in a
    collection of cycles."""
    flow.live = False
    flow.metadata.clear()
    flow.request.stream = False
    if flow.response is not None:
        flow.response.stream = False
