"""The way in for HTTP: an app per operation validates requests, knows the caller, and answers errors as problems."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar, Unpack

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestValidationError,
    ResponseValidationError,
)

from flowserverless import cold_start, logs
from flowserverless.api import answers, openapi, parameters, problems, received, routes
from flowserverless.auth import credentials
from flowserverless.domain import errors, users, validation

Act = TypeVar("Act", bound=Callable[..., Any])


class App:
    """One operation over HTTP; `takes` are the media types of the bodies that it reads, with what each holds."""

    def __init__(self, tag: str, access: routes.Access = "users", takes: Mapping[str, str] | None = None) -> None:
        self.tag, self.access, self.bodies = tag, access, takes or {}
        self.takes = tuple(self.bodies) or (received.JSON,)
        self.routes: list[routes.Route] = []
        self.resolver = _resolver()

    def get(self, path: str, **said: Unpack[routes.Said]) -> Callable[[Act], Act]:
        """Declare what answers GET, and HEAD with it."""
        return self._declare("GET", path, said)

    def post(self, path: str, **said: Unpack[routes.Said]) -> Callable[[Act], Act]:
        """Declare what answers POST."""
        return self._declare("POST", path, said)

    def put(self, path: str, **said: Unpack[routes.Said]) -> Callable[[Act], Act]:
        """Declare what answers PUT."""
        return self._declare("PUT", path, said)

    def delete(self, path: str, **said: Unpack[routes.Said]) -> Callable[[Act], Act]:
        """Declare what answers DELETE."""
        return self._declare("DELETE", path, said)

    def _declare(self, method: str, path: str, said: routes.Said) -> Callable[[Act], Act]:
        def declare(act: Act) -> Act:
            route = routes.Route(method, path, act, **said)
            self.routes.append(route)
            self.resolver.route(path, method, **openapi.described(route, self.tag, self.access))(act)
            return act

        return declare

    @property
    def event(self) -> received.Json:
        """The request as API Gateway tells it."""
        event: received.Json = self.resolver.current_event.raw_event
        return event

    def said(self) -> dict[str, str]:
        """What the authorizer said of the caller: user, name, roles, problem; {} where none was asked."""
        return received.authorizer(self.event)

    def caller(self) -> users.Caller:
        """Who is calling."""
        said = self.said()
        organiser = "organisers" in said.get("roles", "").split(",")
        return users.Caller(said.get("user", ""), said.get("name", ""), organiser, said.get("problem", ""))

    def is_head(self) -> bool:
        """Whether only the headers of the answer are asked for; a signed URL is for one method only."""
        context: received.Json = self.event.get("requestContext", {})
        return context.get("httpMethod") == "HEAD"

    def handler(self) -> Callable[[received.Json, Any], received.Json]:
        """The Lambda handler: logs with the request's id, counts, and never raises to API Gateway."""
        cold_start.end()

        def handle(event: received.Json, context: Any) -> received.Json:
            logs.logger.set_correlation_id(str(event.get("requestContext", {}).get("requestId", "")))
            try:
                answer = self._answer(event, context)
            except Exception as error:
                answer = answers.plain(problems.broken(error))
            answer.setdefault("multiValueHeaders", {})
            if answer["statusCode"] == HTTPStatus.OK and event.get("httpMethod") in ("GET", "HEAD"):
                self._tag(answer, event)
            answers.finish(answer, event)
            logs.logger.info("answered", extra={"status": answer["statusCode"], "operation": event.get("resource")})
            return answer

        return handle

    def _answer(self, event: received.Json, context: Any) -> received.Json:
        said = received.authorizer(event)
        try:
            if self.access == "users" and not said.get("user"):
                # Before anything else is looked at, so that strangers learn nothing about what is valid.
                raise credentials.refusal(said.get("problem", ""))
            received.check(event)
            read = received.readable(event, self.takes)
        except errors.Problem as refusal:
            return answers.plain(problems.refused(refusal))
        return self.resolver.resolve(read, context)

    def _tag(self, answer: received.Json, event: received.Json) -> None:
        if self.access == "anybody, more to users":
            answer["multiValueHeaders"]["Vary"] = [answers.TOKENS]
        # What is everybody's may be kept, but not shown again without asking. What is somebody's is kept nowhere.
        private = self.access == "users" or received.authorizer(event).get("user")
        answers.tag(answer, event, "no-store" if private else "no-cache")


def _resolver() -> APIGatewayRestResolver:
    resolver = APIGatewayRestResolver(enable_validation=True, json_body_deserializer=received.json_value)
    resolver.use(middlewares=[_only_known])
    resolver.exception_handler(errors.Problem)(problems.refused)
    resolver.exception_handler(validation.Faults)(problems.outdated)
    resolver.exception_handler(RequestValidationError)(problems.invalid)
    resolver.exception_handler(UnicodeDecodeError)(problems.not_text)
    resolver.exception_handler(ResponseValidationError)(problems.broken)
    resolver.exception_handler(Exception)(problems.broken)
    resolver.not_found(problems.unknown)
    return resolver


def _only_known(resolver: Any, go_on: Callable[[Any], answers.Answer]) -> answers.Answer:
    """Refuse what the operation does not understand: a misspelt filter, a body where none is read."""
    event, understood = resolver.current_event.raw_event, resolver.context["_route"].dependant
    parameters.check_query(event, [field.alias for field in understood.query_params])
    if event["httpMethod"] == "DELETE":
        received.check_no_body(resolver.current_event.decoded_body)
    return go_on(resolver)
