"""GET /: what this service is called, where it is, and its routes; flowServ's clients begin here."""

from aws_lambda_powertools.event_handler import Response

from flowserverless import api
from flowserverless.api import descriptor, handles

app = api.App(public=True, personal=True)
FORM = {"application/json": {"model": handles.Service}}


@app.get("/", **api.operation("describe_service", 200, tag="service", optional=True, content=FORM))
def describe_service() -> api.Answer:
    """Describe the service; with a valid token also who is calling."""
    described = descriptor.describe(app.current_event.raw_event, api.caller(app).name)
    return Response(200, api.JSON, described, {"Link": descriptor.links(described)})


handler = api.handler(app)
