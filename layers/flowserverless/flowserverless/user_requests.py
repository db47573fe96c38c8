"""What callers may send about users; names are normalised, passwords are taken literally."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from flowserverless import requests
from flowserverless.domain import people

_Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=people.LONGEST_NAME),
    requests.Form(r"\S+", "a user name has no spaces"),
]
UserName = Annotated[_Name, AfterValidator(people.name)]
NewName = Annotated[_Name, AfterValidator(people.new_name)]
Password = Annotated[str, Field(min_length=1, max_length=256, json_schema_extra={"format": "password"})]
# Cognito takes no blank at either end of a password, and no line break in it.
NewPassword = Annotated[
    str,
    Field(min_length=8, max_length=256, json_schema_extra={"format": "password"}),
    requests.Form(r"\S.*\S", "a password neither begins nor ends with a space, and has no line breaks"),
]
Address = Annotated[
    str,
    StringConstraints(max_length=254),
    requests.Form(r"[^@\s]+@[^@\s]+", "an e-mail address has one @ with something before and behind it, and no spaces"),
]
Code = Annotated[str, StringConstraints(min_length=1, max_length=64), requests.Form(r"\S+", "a code has no spaces")]


class RegisterUser(requests.Body):
    """A new user; with an e-mail address a code is sent there first, unless `verify` is false."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"username": "ada", "password": "correct horse", "email": "ada@example.org"}]}
    )

    username: NewName
    password: NewPassword = Field(repr=False)
    email: Address | None = None
    verify: bool | None = None


class LogIn(requests.Body):
    """A name and a password."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"username": "ada", "password": "correct horse"}]})

    username: UserName
    password: Password = Field(repr=False)


class RequestActivation(requests.Body):
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


class ChangePassword(requests.Body):
    """The caller's present password and the one to come."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"password": "correct horse", "newPassword": "battery staple"}]}
    )

    password: Password = Field(repr=False)
    new_password: NewPassword = Field(alias="newPassword", repr=False)


class DeleteUser(requests.Body):
    """The caller's password: a token alone deletes no account."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"password": "correct horse"}]})

    password: Password = Field(repr=False)


class RequestPasswordReset(requests.Body):
    """Who forgot a password."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"username": "ada"}]})

    username: UserName


class ResetPassword(requests.Body):
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
