"""GET /openapi.json: the whole API as an OpenAPI 3.1 document."""

import json
import pathlib
from typing import Any

from aws_lambda_powertools.event_handler import Response

from flowserverless import api
from flowserverless.api import descriptor

app = api.App(tag="service", access="anybody")
DOCUMENT = pathlib.Path(__file__).with_name("openapi.json")


@app.get("/openapi.json", content={"application/json": dict})
def get_openapi() -> Response[Any]:
    """The OpenAPI document of this service, with the URL under which this request found it."""
    document = json.loads(DOCUMENT.read_text("utf-8"))
    document["servers"] = [{"url": descriptor.url(app.event)}]
    return Response(200, "application/json", document, {"Cache-Control": "public, max-age=3600"})


handler = app.handler()
