"""GET /workflows/{workflowId}/downloads/archive: the current post-processing results in one archive."""

from aws_lambda_powertools.event_handler import Response

from flowserverless import api
from flowserverless.api import downloads, post_processing

app = api.App(public=True)
ROUTE = "/workflows/<workflowId>/downloads/archive"


@app.get(ROUTE, **api.operation("get_workflow_archive", 302, tag="downloads", public=True))
def get_workflow_archive(workflowId: api.WorkflowId) -> Response[str]:
    """Redirect to the archive (tar.gz); the link works for a few minutes."""
    result = post_processing.result(workflowId)
    return api.redirect(downloads.archive(result, "results.tar.gz", api.is_head(app)))


handler = api.handler(app)
