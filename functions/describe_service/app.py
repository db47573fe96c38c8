"""GET /: what this service is called, where it is, and its routes; flowServ's clients begin here."""

from aws_lambda_powertools.event_handler import Response

from flowserverless import api
from flowserverless.api import descriptor, handles

app = api.App(tag="service", access="anybody, more to users")


@app.get("/", content={"application/json": handles.Service})
def describe_service() -> api.Answer:
    """Describe the service; with a valid token also who is calling."""
    described = descriptor.describe(app.event, app.caller().name)
    return Response(200, api.JSON, described, {"Link": descriptor.links(described)})


handler = app.handler()
