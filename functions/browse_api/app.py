"""GET /docs: a page to read and try the API in a browser; it loads the document from /openapi.json."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from flowserverless import api, browsing, service
from flowserverless.store import files

app = api.app(public=True)
HTML = {"text/html": {"schema": {"type": "string"}}}


@app.get("/docs", **api.operation("browse_api", 200, tag="service", public=True, content=HTML))
def browse_api() -> Response[Any]:
    """The API as a page (Swagger UI)."""
    document = f"{service.url(app.current_event.raw_event)}/openapi.json"
    policy = browsing.policy(document, files.origins())
    headers = {"Cache-Control": "public, max-age=3600", "Content-Security-Policy": policy}
    return Response(200, "text/html; charset=utf-8", browsing.page(document), headers)


handler = api.handler(app)
