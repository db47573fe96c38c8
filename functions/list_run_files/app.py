"""GET /runs/{runId}/files: the result files of a run, page by page."""

from flowserverless import api
from flowserverless.api import handles, listings
from flowserverless.auth import permissions

app = api.App(tag="runs")


@app.get("/runs/<runId>/files")
def list_run_files(runId: api.RunId, limit: api.Limit = 100, cursor: api.Cursor = None) -> handles.FileListing:
    """List the files of a run in the order of the template's outputs; the run's handle has the first hundred."""
    return listings.files_of(permissions.run(app.caller(), runId).run, limit, cursor)


handler = app.handler()
