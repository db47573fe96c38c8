"""The story of an account over all its operations: what it tells, and what no answer and no log holds."""

import json

from local import emulator
from support import accounts, gateway


def test_no_answer_but_the_sign_in_holds_a_token_or_a_password(invoke, register, post, log_in, table):
    session = log_in(register("ada")["username"]).json
    ada = accounts.person(session)
    answers = [
        post("register_user", accounts.credentials("bob")),
        post("register_user", accounts.credentials("bob")),
        log_in("ada", f"{accounts.PASSWORD}!"),
        post("activate_user", {"userId": ada.id, "code": "123456"}),
        post("request_password_reset", {"username": "ada"}),
        post("reset_password", {"username": "ada", "code": "654321", "password": accounts.PASSWORD}),
        gateway.answer(invoke("list_users", gateway.event("GET", "/users", user=ada))),
        gateway.answer(invoke("whoami", gateway.event("GET", "/users/whoami", user=ada))),
        accounts.sign_out(invoke, user=ada),
    ]
    for answer in answers:
        text = answer.body.decode()
        assert session["token"] not in text
        assert accounts.PASSWORD not in text
        assert "654321" not in text
        assert not {"token", "code", "password"} & set(answer.json) or answer.status >= 400


def test_nothing_secret_is_logged(register, log_in, post, caplog, table):
    register("ada")
    token = log_in().json["token"]
    log_in("ada", "wrong horse")
    post("register_user", accounts.credentials("ada"))
    post("register_user", {"username": "a b", "password": accounts.PASSWORD})
    post("reset_password", {"username": "ada", "code": "654321", "password": accounts.PASSWORD})
    logged = "\n".join(str(vars(record)) for record in caplog.records)
    assert logged.count("'message': 'answered'") == 6
    for secret in (token, accounts.PASSWORD, "wrong horse", "654321"):
        assert secret not in logged


def test_the_sample_events_play_a_users_story(invoke, user_pool_calls, table):
    story = {
        "register_user": 201,
        "activate_user": 200,
        "login_user": 200,
        "whoami": 200,
        "list_users": 200,
        "request_password_reset": 200,
        "reset_password": 200,
        "logout_user": 200,
    }
    for operation, status in story.items():
        sample = json.loads((emulator.PROJECT / "events" / f"{operation}.json").read_text("utf-8"))
        answer = gateway.answer(invoke(operation, sample))
        assert (operation, answer.status) == (operation, status)
