"""GET /docs: a page to read and try the API in a browser; it loads the document from /openapi.json."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from flowserverless import api
from flowserverless.api import descriptor, docs_page
from flowserverless.store import bucket

app = api.App(tag="service", access="anybody")


@app.get("/docs", content={"text/html": str})
def browse_api() -> Response[Any]:
    """The API as a page (Swagger UI)."""
    document = f"{descriptor.url(app.event)}/openapi.json"
    policy = docs_page.policy(document, bucket.origins())
    headers = {"Cache-Control": "public, max-age=3600", "Content-Security-Policy": policy}
    return Response(200, "text/html; charset=utf-8", docs_page.page(document), headers)


handler = app.handler()
