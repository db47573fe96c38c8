"""GET /workflows: everything that is published here."""

from flowserverless import api
from flowserverless.api import handles, listings

app = api.App(tag="workflows", access="anybody")


@app.get("/workflows")
def list_workflows(limit: api.Limit = 1000, cursor: api.Cursor = None) -> handles.WorkflowListing:
    """List workflows by identifier."""
    return listings.workflows_published(limit, cursor)


handler = app.handler()
