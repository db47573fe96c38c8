"""GET /docs: a page to read and try the API in a browser; it loads the document from /openapi.json."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from flowserverless import api, browsing, service

app = api.app(public=True)
HTML = {"text/html": {"schema": {"type": "string"}}}


@app.get("/docs", **api.operation("browse_api", 200, tag="service", public=True, content=HTML))
def browse_api() -> Response[Any]:
    """The API as a page (Swagger UI)."""
    page = browsing.page(f"{service.url(app.current_event.raw_event)}/openapi.json")
    return Response(200, "text/html; charset=utf-8", page, {"Cache-Control": "public, max-age=3600"})


handler = api.handler(app)
