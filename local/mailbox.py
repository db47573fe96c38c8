"""The e-mail that the local stack would have sent: there is no mailbox on this machine, so codes are read here."""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import urllib.request

from local import stack


@dataclasses.dataclass(frozen=True)
class Mail:
    """An e-mail, to one address; `code` is what is to be sent back, if there is one in it."""

    sent: datetime.datetime
    address: str
    subject: str
    text: str

    @property
    def code(self) -> str | None:
        """The code in the text."""
        found = re.search(r"[0-9]{6}", self.text)
        return found[0] if found else None


def mails(here: stack.Stack, name: str | None = None) -> list[Mail]:
    """What was sent, oldest first; only to the address of the user `name`, or to the address `name`."""
    url = f"{here.endpoint_url}/_ministack/ses/messages"
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 the URL is the stack's
        accounts = json.load(answer)["messages"].values()
    found = [
        Mail(datetime.datetime.fromtimestamp(one["Timestamp"], datetime.UTC), to, one["Subject"], one["BodyText"])
        for sent in accounts
        for one in sent
        for to in one["To"]
    ]
    wanted = None if name is None else _address(here, name)
    return sorted((mail for mail in found if wanted in (None, mail.address)), key=lambda mail: mail.sent)


def _address(here: stack.Stack, name: str) -> str:
    if "@" in name:
        return name
    client = here.client("cognito-idp")
    try:
        user = client.admin_get_user(UserPoolId=here.user_pool_id, Username=name)
    except client.exceptions.UserNotFoundException:
        return name
    return next((one["Value"] for one in user["UserAttributes"] if one["Name"] == "email"), name)


def text(found: list[Mail]) -> str:
    """A line for each: when it was sent, to whom, what about, the code."""
    lines = [
        f"{mail.sent:%Y-%m-%d %H:%M:%S}  {mail.address}  {mail.subject}: {mail.code or mail.text}" for mail in found
    ]
    return "\n".join(lines) or "No e-mail was sent to this address, or none at all."
