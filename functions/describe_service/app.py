"""GET /: what this service is called, where it is, and its routes; flowServ's clients begin here."""

from flowserverless import access, api, service, views

app = api.app(public=True)


@app.get("/", **api.operation("describe_service", 200, tag="service", optional=True))
def describe_service() -> views.Service:
    """Describe the service; with a valid token also who is calling."""
    return service.describe(app.current_event.raw_event, access.caller(app).name)


handler = api.handler(app)
