"""What administrators do to users in the pool ends their sessions."""

import json
import time
from datetime import UTC, datetime

from flowserverless.store import revocations
from local import emulator


def record(**changed):
    """An event of CloudTrail about an administrator's act, as the sample is."""
    event = json.loads((emulator.PROJECT / "events" / "watch_users.json").read_text("utf-8"))
    event["detail"] |= {"eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), **changed}
    return event


def test_a_record_of_an_administrators_act_ends_the_sessions_of_its_user(invoke, user_pool_calls):
    event = record()
    user = event["detail"]["additionalEventData"]["sub"]
    assert invoke("watch_users", event) == {"user": user, "because": "AdminDisableUser"}
    moment = int(datetime.fromisoformat(event["detail"]["eventTime"]).timestamp())
    assert revocations.is_signed_out("any", user, moment)
    assert not revocations.is_signed_out("any", user, moment + 1)


def test_a_record_that_comes_late_leaves_later_sessions_alone(invoke, user_pool_calls):
    event = record(eventTime="2026-01-01T00:00:00Z")
    user = invoke("watch_users", event)["user"]
    assert not revocations.is_signed_out("any", user, int(time.time()) - 60)


def test_a_record_that_names_its_user_is_understood_too(invoke, register, caplog):
    handle = register("ada")
    for name in ("ada", handle["id"]):
        named = {"requestParameters": {"userPoolId": "p", "username": name}, "additionalEventData": None}
        assert invoke("watch_users", record(**named))["user"] == handle["id"]
    hidden = {"requestParameters": {"username": "HIDDEN_DUE_TO_SECURITY_REASONS"}, "additionalEventData": {}}
    assert invoke("watch_users", record(**hidden)) == {"user": None}
