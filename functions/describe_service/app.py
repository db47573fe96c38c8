"""GET /: what this service is called, where it is, and its routes; flowServ's clients begin here."""

from aws_lambda_powertools.event_handler import Response

from flowserverless import access, api, service, views

app = api.app(public=True, personal=True)
FORM = {"application/json": {"model": views.Service}}


@app.get("/", **api.operation("describe_service", 200, tag="service", optional=True, content=FORM))
def describe_service() -> api.Answer:
    """Describe the service; with a valid token also who is calling."""
    described = service.describe(app.current_event.raw_event, access.caller(app).name)
    return Response(200, api.JSON, described, {"Link": service.links(described)})


handler = api.handler(app)
