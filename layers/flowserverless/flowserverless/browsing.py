"""A page that shows the OpenAPI document: Swagger UI as Powertools brings it along, with nothing from elsewhere."""

import html
import importlib.resources
import json

FILES = importlib.resources.files("aws_lambda_powertools.event_handler.openapi.swagger_ui")


def page(document_url: str) -> str:
    """An HTML page with everything in it but the document."""
    script = FILES.joinpath("swagger-ui-bundle.min.js").read_text("utf-8")
    style = FILES.joinpath("swagger-ui.min.css").read_text("utf-8")
    # Nothing in a script element is HTML but its end.
    options = json.dumps({"url": document_url, "dom_id": "#api", "deepLinking": True}).replace("</", "<\\/")
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>flowserverless</title>"
        f"<meta name=viewport content='width=device-width'><style>{style}</style><div id=api></div>"
        f"<noscript>The document is at {html.escape(document_url)}</noscript>"
        f"<script>{script}</script><script>SwaggerUIBundle({options})</script></html>"
    )
