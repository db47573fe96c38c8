"""GET /openapi.json: the whole API as an OpenAPI 3.1 document."""

import pathlib
from typing import Any

from aws_lambda_powertools.event_handler import Response

from flowserverless import api

app = api.app(public=True)
DOCUMENT = pathlib.Path(__file__).with_name("openapi.json")
JSON = {"application/json": {"schema": {"type": "object"}}}


@app.get("/openapi.json", **api.operation("get_openapi", 200, tag="service", public=True, content=JSON))
def get_openapi() -> Response[Any]:
    """The OpenAPI document of this service."""
    return Response(200, "application/json", DOCUMENT.read_text("utf-8"), {"Cache-Control": "public, max-age=3600"})


handler = api.handler(app)
