"""Makes the page /docs: Swagger UI as Powertools brings it along, which loads nothing from other hosts."""

import base64
import functools
import hashlib
import html
import importlib.resources
import json
import urllib.parse

# Not the files of the package `swagger_ui`, because to name it is to import it, and with it models of all of OpenAPI.
FILES = importlib.resources.files("aws_lambda_powertools") / "event_handler" / "openapi" / "swagger_ui"


@functools.cache
def page(document_url: str) -> str:
    """An HTML page with everything in it but the document."""
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>flowserverless</title>"
        f"<meta name=viewport content='width=device-width'><style>{_style()}</style><div id=api></div>"
        f"<noscript>The document is at {html.escape(document_url)}</noscript>"
        f"<script>{_program()}</script><script>{_start(document_url)}</script></html>"
    )


@functools.cache
def policy(document_url: str, downloads: tuple[str, ...]) -> str:
    """What a browser lets the page do (Content-Security-Policy): run what is in it, call the API, fetch files.

    `downloads` are the origins of files, to which the API's answers lead.
    """
    parts = urllib.parse.urlsplit(document_url)
    asked = dict.fromkeys(["'self'", f"{parts.scheme}://{parts.netloc}", *downloads])
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {_digest(_program())} {_digest(_start(document_url))}",
            f"style-src {_digest(_style())}",
            "img-src 'self' data:",
            f"connect-src {' '.join(asked)}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


@functools.cache
def _program() -> str:
    return FILES.joinpath("swagger-ui-bundle.min.js").read_text("utf-8")


@functools.cache
def _style() -> str:
    return FILES.joinpath("swagger-ui.min.css").read_text("utf-8")


def _start(document_url: str) -> str:
    # Without a URL of null, a badge with the document's address is asked for at swagger.io.
    options = {"url": document_url, "dom_id": "#api", "deepLinking": True, "validatorUrl": None}
    # Nothing in a script element is HTML but its end.
    return f"SwaggerUIBundle({json.dumps(options)})".replace("</", "<\\/")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
