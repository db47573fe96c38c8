"""What callers may send: pydantic models, so that a wrong body is refused before any code of ours sees it."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
    model_validator,
)
from pydantic import GetJsonSchemaHandler as JsonSchemas
from pydantic_core import PydanticCustomError, core_schema

from flowserverless import refusals
from flowserverless.domain import names


@dataclass(frozen=True)
class Form:
    """How a text has to look: a pattern for programs, in the OpenAPI document, and a sentence for people."""

    pattern: str
    sentence: str

    def check(self, text: str) -> str:
        """The text, if it looks so; raises ValueError with the sentence."""
        if not re.fullmatch(self.pattern, text):
            raise ValueError(self.sentence)
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Check after the text's own constraints."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: JsonSchemas) -> dict[str, Any]:
        """Name the pattern, which as a constraint would also be what people are told."""
        return {**handler(schema), "pattern": f"^{self.pattern}$"}


Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(names.check)
]
Identifier = Annotated[
    str, Form("[a-zA-Z0-9_]{1,32}", "an identifier has 1 to 32 letters from a to z, digits and underscores")
]
Digest = Annotated[str, Form("[0-9a-fA-F]{64}", "a SHA-256 is written as 64 hexadecimal digits")]
Text = Annotated[str, StringConstraints(max_length=2000)]


class Body(BaseModel):
    """A JSON object; values are taken as they are sent, never converted, and what is not understood is refused."""

    model_config = ConfigDict(strict=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _known(cls, sent: Any) -> Any:
        # Pydantic would name what is unknown, but not what is known.
        known = {field.alias or name for name, field in cls.model_fields.items()}
        unknown = [name for name in sent if name not in known] if isinstance(sent, dict) else []
        if unknown:
            message = refusals.unknown("member", unknown, known)
            raise PydanticCustomError(refusals.UNKNOWN, "{message}", {"message": message})
        return sent


class Argument(Body):
    """The value of one parameter; a file is `{"type": "$file", "value": {"fileId": ..., "targetPath": ...}}`."""

    name: str = Field(max_length=200)
    value: Any


class RunConfig(Body):
    """How a run is executed; `resources` asks for more than one Lambda has."""

    engine: Literal["stepfunctions", "external"] | None = None
    timeout_seconds: int | None = Field(None, alias="timeoutSeconds", ge=1, le=1_209_600)
    resources: dict[str, Any] | None = None

    def chosen(self) -> dict[str, Any]:
        """What was asked for, without what was left open."""
        return self.model_dump(exclude_none=True, by_alias=True)


class StartRun(Body):
    """Arguments of a run, in any order."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "arguments": [
                        {
                            "name": "names",
                            "value": {"type": "$file", "value": {"fileId": "01M83R6Z0V4T5KQ2X9B7N3C8DE"}},
                        },
                        {"name": "greeting", "value": "Hello"},
                    ]
                }
            ]
        },
    )

    arguments: list[Argument] = Field(default_factory=list, max_length=1000)
    config: RunConfig | None = None

    def given(self) -> list[dict[str, Any]]:
        """The arguments as they were sent."""
        return [{"name": argument.name, "value": argument.value} for argument in self.arguments]


class CancelRun(Body):
    """Why a run is canceled."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "wrong file"}]})

    reason: Text | None = None


class CreateGroup(Body):
    """A new group; `members` are user ids or names, `parameters` replace the workflow's.

    An empty list of parameters is one too: runs of the group take no arguments. It is refused, as any other list
    is, where the workflow refers to a parameter that the list does not declare.

    `identifier` is what the group is to be called in URLs; flowServ's client calls it `id`.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Team Ada", "identifier": "team_ada", "members": ["grace"]}]},
    )

    name: Name
    identifier: Identifier | None = None
    id: Identifier | None = None
    members: list[Name] | None = Field(None, max_length=40)
    parameters: list[dict[str, Any]] | None = None
    config: RunConfig | None = None


class UpdateGroup(Body):
    """What changes about a group; what is absent stays. `members` are all members, the owner among them.

    `owner` is the member, by id or name, to whom the owner hands the group over.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Team Ada and Grace", "members": ["ada", "grace"], "owner": "grace"}]}
    )

    name: Name | None = None
    members: list[Name] | None = Field(None, max_length=40)
    owner: Name | None = None


class AnnounceUpload(Body):
    """A file that will be posted to S3: its size in bytes and its SHA-256 in hex."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "names.txt", "size": 16, "sha256": "5e" * 32}]},
    )

    name: Name
    size: int = Field(ge=0)
    sha256: Digest
