"""GET /workflows: everything that is published here."""

from flowserverless import api
from flowserverless.api import handles, listings

app = api.App(public=True)


@app.get("/workflows", **api.operation("list_workflows", 200, tag="workflows", public=True))
def list_workflows(limit: api.Limit = 1000, cursor: api.Cursor = None) -> handles.WorkflowListing:
    """List workflows by identifier."""
    return listings.workflows_published(limit, cursor)


handler = api.handler(app)
