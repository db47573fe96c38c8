"""The service descriptor: the document from which flowServ's clients learn the routes."""

import platform
from typing import Any

from flowserverless import settings
from flowserverless.api import handles

NAME = "flowserverless"
VERSION = "0.1.0"
ROUTES = {
    "service": "",
    "workflows:list": "workflows",
    "workflows:get": "workflows/{workflowId}",
    "leaderboard": "workflows/{workflowId}/leaderboard?orderBy={orderBy}&includeAll={includeAll}",
    "workflows:download:archive": "workflows/{workflowId}/downloads/archive",
    "workflows:download:file": "workflows/{workflowId}/downloads/files/{fileId}",
    "workflows:file": "workflows/{workflowId}/files/{fileId}",
    "workflows:groups": "workflows/{workflowId}/groups",
    "groups:create": "workflows/{workflowId}/groups",
    "groups:list": "groups",
    "groups:get": "groups/{userGroupId}",
    "groups:update": "groups/{userGroupId}",
    "groups:delete": "groups/{userGroupId}",
    "groups:runs": "groups/{userGroupId}/runs?state={state}",
    "runs:start": "groups/{userGroupId}/runs",
    "runs:get": "runs/{runId}",
    "runs:cancel": "runs/{runId}",
    "runs:delete": "runs/{runId}",
    "runs:files": "runs/{runId}/files",
    "runs:logs": "runs/{runId}/logs",
    "runs:download:archive": "runs/{runId}/downloads/archive",
    "runs:download:file": "runs/{runId}/downloads/files/{fileId}",
    "files:list": "uploads/{userGroupId}/files",
    "files:upload": "uploads/{userGroupId}/files",
    "files:download": "uploads/{userGroupId}/files/{fileId}",
    "files:delete": "uploads/{userGroupId}/files/{fileId}",
    "users:list": "users",
    "users:register": "users/register",
    "users:activate": "users/activate",
    "users:activate:request": "users/activate/request",
    "users:login": "users/login",
    "users:logout": "users/logout",
    "users:whoami": "users/whoami",
    "users:revoke": "users/{userId}/tokens",
    "users:delete": "users/delete",
    "users:pwd:change": "users/password",
    "users:pwd:request": "users/password/request",
    "users:pwd:reset": "users/password/reset",
}


def describe(event: dict[str, Any], user_name: str) -> handles.Service:
    """The descriptor, with the URL under which this request found the service."""
    major, minor, _ = platform.python_version_tuple()
    described: handles.Service = {
        "name": NAME,
        "version": VERSION,
        "url": url(event),
        "python": f"{major}.{minor}",
        "platform": _platform(),
        "docs": f"{url(event)}/docs",
        "openapi": f"{url(event)}/openapi.json",
        "routes": [{"id": name, "pattern": pattern} for name, pattern in ROUTES.items()],
    }
    if user_name:
        described["username"] = user_name
    return described


def _platform() -> str:
    """The tag of the wheels that steps can import, for `pip download --platform`: this function's runtime is theirs."""
    name, version = platform.libc_ver()
    machine = platform.machine()
    return f"manylinux_{version.replace('.', '_')}_{machine}" if name == "glibc" else f"linux_{machine}"


def links(described: handles.Service) -> str:
    """Where the service is described for programs and for people (RFC 8631), as a header."""
    return f'<{described["openapi"]}>; rel="service-desc", <{described["docs"]}>; rel="service-doc"'


def url(event: dict[str, Any]) -> str:
    """The service's base URL as callers know it; what the function cannot know before it is called is filled in."""
    context = event.get("requestContext", {})
    form = settings.current().api_url_form
    known = {name: str(context.get(name, "")) for name in ("domainName", "stage", "apiId")}
    for name, value in {**known, "basePath": _base_path(event)}.items():
        form = form.replace(f"{{{name}}}", value)
    return form


def _base_path(event: dict[str, Any]) -> str:
    """What callers write between the domain and a route: the stage, or what a custom domain maps to the API."""
    parts = str(event.get("requestContext", {}).get("path", "")).rstrip("/").split("/")
    return "/".join(parts[: len(parts) - str(event.get("resource", "")).rstrip("/").count("/")])
