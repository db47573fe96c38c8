"""Bodies of requests as pydantic models, which refuse a wrong body before an operation sees it."""

import re
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

from flowserverless.api import refusals
from flowserverless.domain import errors, frozen, names, users


@frozen.dataclass
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

    def chosen(self) -> dict[str, Any]:
        """What was asked for of the configuration."""
        return self.config.chosen() if self.config else {}


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

    def called(self) -> str | None:
        """The identifier, by whichever name it was sent. Raises InvalidRequest where these differ."""
        if self.identifier and self.id and self.identifier != self.id:
            raise errors.InvalidRequest("`identifier` and `id` are the same thing and differ; send one of them")
        return self.identifier or self.id

    def chosen(self) -> dict[str, Any] | None:
        """What was asked for of the configuration."""
        return self.config.chosen() if self.config else None


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


_Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=users.MAX_NAME_LENGTH),
    Form(r"\S+", "a user name has no spaces"),
]
UserName = Annotated[_Name, AfterValidator(users.name)]
NewName = Annotated[_Name, AfterValidator(users.new_name)]
Password = Annotated[str, Field(min_length=1, max_length=256, json_schema_extra={"format": "password"})]
# Cognito takes no blank at either end of a password, and no line break in it.
NewPassword = Annotated[
    str,
    Field(min_length=8, max_length=256, json_schema_extra={"format": "password"}),
    Form(r"\S.*\S", "a password neither begins nor ends with a space, and has no line breaks"),
]
Address = Annotated[
    str,
    StringConstraints(max_length=254),
    Form(r"[^@\s]+@[^@\s]+", "an e-mail address has one @ with something before and behind it, and no spaces"),
]
Code = Annotated[str, StringConstraints(min_length=1, max_length=64), Form(r"\S+", "a code has no spaces")]


class RegisterUser(Body):
    """A new user; with an e-mail address a code is sent there first, unless `verify` is false."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"username": "ada", "password": "correct horse", "email": "ada@example.org"}]}
    )

    username: NewName
    password: NewPassword = Field(repr=False)
    email: Address | None = None
    verify: bool | None = None


class LogIn(Body):
    """A name and a password."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"username": "ada", "password": "correct horse"}]})

    username: UserName
    password: Password = Field(repr=False)


class RequestActivation(Body):
    """Who waits for the code that came by e-mail, by id or by name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"username": "ada"}]})

    user_id: UserName | None = Field(None, alias="userId")
    id: UserName | None = None
    username: UserName | None = None

    @model_validator(mode="after")
    def _somebody(self) -> "RequestActivation":
        if not self.user:
            raise ValueError("userId or username is needed")
        return self

    @property
    def user(self) -> str:
        """Who waits: an id or a name."""
        return self.user_id or self.id or self.username or ""


class ActivateUser(RequestActivation):
    """The code that came by e-mail, for a user by id (`id` is what flowServ's client sends) or by name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"username": "ada", "code": "123456"}]})

    code: Code


class ChangePassword(Body):
    """The caller's present password and the one to come."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"password": "correct horse", "newPassword": "battery staple"}]}
    )

    password: Password = Field(repr=False)
    new_password: NewPassword = Field(alias="newPassword", repr=False)


class DeleteUser(Body):
    """The caller's password: a token alone deletes no account."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"password": "correct horse"}]})

    password: Password = Field(repr=False)


class RequestPasswordReset(Body):
    """Who forgot a password."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"username": "ada"}]})

    username: UserName


class ResetPassword(Body):
    """The code that came by e-mail and a new password, for the `requestId` of the request or a user name."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"username": "ada", "code": "123456", "password": "battery staple"}]}
    )

    request_id: UserName | None = Field(None, alias="requestId")
    username: UserName | None = None
    code: Code
    password: NewPassword = Field(repr=False)

    @model_validator(mode="after")
    def _somebody(self) -> "ResetPassword":
        if not self.user:
            raise ValueError("requestId or username is needed")
        return self

    @property
    def user(self) -> str:
        """Whose password it is; a request is known by the name that it was made for."""
        return self.request_id or self.username or ""
