"""The page shows every route, and brings nothing from anywhere."""

import re

from control_api.openapi import document
from control_api.page import render
from control_api.routes import ROUTES


def test_every_route_and_every_schema_is_on_the_page() -> None:
    described = document(ROUTES)
    html = render(described)
    for route in ROUTES:
        assert f"<b>{route.method}</b> <code>{route.path}</code>" in html
    for name in described["components"]["schemas"]:
        assert f'id="{name}"' in html


def test_nothing_is_loaded_and_nothing_runs() -> None:
    html = render(document(ROUTES))
    assert "<script" not in html
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", html)
    assert "@import" not in html


def test_what_it_shows_is_escaped() -> None:
    described = document(ROUTES)
    described["info"]["title"] = "<script>"
    assert "<script>" not in render(described)
