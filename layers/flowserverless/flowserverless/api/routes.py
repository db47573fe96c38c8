"""What a handler says of its operation: each way to call it, who is let in, and what it answers."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypedDict

from flowserverless.domain import frozen

# Who is let in. `users`: who has a valid token; nothing is looked at before. `anybody`: no token is looked at.
# `anybody, more to users`: strangers are answered too. `users, signed out too`: the operation judges the token itself.
Access = Literal["users", "anybody", "anybody, more to users", "users, signed out too"]


class Said(TypedDict, total=False):
    """What a handler says of a route beyond its path; see Route."""

    answers: int
    refuses: Sequence[int]
    content: Mapping[str, Any]
    also: Mapping[int, str]
    head: bool
    name: str


@frozen.dataclass
class Route:
    """One way to call an operation, and what it answers.

    `refuses` are statuses beyond those that every operation may answer, `also` further ones that are no refusals.
    `content` are types by media type, where the answer is not JSON of the function's type. A GET without `head` has no
    route for HEAD, because answering it makes something.
    """

    method: str
    path: str
    act: Callable[..., Any]
    answers: int = 200
    refuses: Sequence[int] = ()
    content: Mapping[str, Any] | None = None
    also: Mapping[int, str] | None = None
    head: bool = True
    name: str = ""

    @property
    def operation(self) -> str:
        """The id in the OpenAPI document: what the function is called, unless it says another name."""
        return self.name or self.act.__name__

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that API Gateway leads here."""
        return ("GET", "HEAD") if self.method == "GET" and self.head else (self.method,)

    @property
    def resource(self) -> str:
        """The path as API Gateway and OpenAPI write it."""
        return re.sub(r"<(\w+)>", r"{\1}", self.path)
