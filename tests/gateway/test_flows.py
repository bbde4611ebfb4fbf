"""A flow at its end holds nothing that would keep it."""

import gc
import weakref
from functools import partial

from mitmproxy.test import tflow

from addons.passage import KEY, Passage
from firewall.ids import ActionId
from gateway.flows import forget


def _through(passage: Passage, data: bytes) -> bytes:
    return data if passage.left else b""


def test_a_flow_that_is_forgotten_needs_no_collector() -> None:
    flow = tflow.tflow(resp=True)
    passage = Passage(flow=flow, id=ActionId("act_1"), client_id="c", source_ip="", started=0.0)
    flow.metadata[KEY] = passage
    assert flow.response is not None
    flow.response.stream = partial(_through, passage)  # as the guard's, it holds the passage
    alive = weakref.ref(flow)
    gc.collect()
    gc.disable()
    try:
        forget(flow)
        del flow, passage
        assert alive() is None
    finally:
        gc.enable()
