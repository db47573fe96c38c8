"""GET /workflows/{workflowId}/downloads/archive: the current post-processing results in one archive."""

from aws_lambda_powertools.event_handler import Response

from flowserverless import api
from flowserverless.api import downloads, post_processing

app = api.App(tag="downloads", access="anybody")


@app.get("/workflows/<workflowId>/downloads/archive", answers=302)
def get_workflow_archive(workflowId: api.WorkflowId) -> Response[str]:
    """Redirect to the archive (tar.gz); the link works for a few minutes."""
    result = post_processing.result(workflowId)
    return api.redirect(downloads.archive(result, "results.tar.gz", app.is_head()))


handler = app.handler()
