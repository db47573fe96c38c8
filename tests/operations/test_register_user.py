"""Registering: what names, passwords and addresses may be, and whose a name is."""

from datetime import UTC, datetime, timedelta

import pytest

from flowserverless import clock
from flowserverless.aws import cognito
from flowserverless.operations import register as registering
from support import accounts


def test_who_registers_can_sign_in_at_once(register, log_in, user_pool_calls):
    handle = register("ada")
    assert set(handle) == {"id", "username", "active", "warnings"}
    assert (handle["username"], handle["active"]) == ("ada", True)
    assert accounts.states(user_pool_calls) == {"ada": "CONFIRMED"}
    assert log_in().json["id"] == handle["id"]


def test_old_clients_register_without_verification(register, user_pool_calls):
    assert register("ada", email="ada@example.org", verify=False)["active"] is True
    assert register("bob", verify=False)["active"] is True
    assert register("cy", verify=None)["active"] is True
    assert set(accounts.states(user_pool_calls).values()) == {"CONFIRMED"}


def test_without_an_address_there_is_nothing_to_verify(register):
    assert register("ada", verify=True)["active"] is True


def test_where_addresses_are_needed_nobody_gets_round_them(post, register, user_pool_calls, monkeypatch):
    monkeypatch.setenv("SELF_REGISTRATION", "verified")
    answer = post("register_user", {"username": "ada", "password": accounts.PASSWORD, "verify": False})
    assert accounts.refused(answer) == (400, "EMAIL_NEEDED")
    assert accounts.states(user_pool_calls) == {}
    assert register("ada", email="ada@example.org", verify=False)["active"] is False
    assert accounts.states(user_pool_calls) == {"ada": "UNCONFIRMED"}


def test_who_registers_is_told_when_a_forgotten_password_is_lost(register):
    (warning,) = register("ada")["warnings"]
    assert warning == "without an e-mail address a forgotten password cannot be reset"
    (warning,) = register("bob", email="bob@example.org", verify=False)["warnings"]
    assert warning == "the e-mail address was not verified, so a forgotten password cannot be reset"
    assert "warnings" not in register("cy", email="cy@example.org")


def test_a_mistyped_address_does_not_keep_the_name(register, post, log_in, user_pool_calls):
    first = register("ada", email="ada@exmaple.org")
    second = register("ada", email="ada@example.org", password="another horse")
    assert second["id"] != first["id"]
    assert (second["active"], accounts.states(user_pool_calls)) == (False, {"ada": "UNCONFIRMED"})
    assert accounts.refused(post("activate_user", {"userId": first["id"], "code": "123456"})) == (400, "INVALID_CODE")
    assert post("activate_user", {"userId": second["id"], "code": "123456"}).status == 200
    assert log_in("ada", accounts.PASSWORD).status == 401
    assert log_in("ada", "another horse").status == 200


def test_addresses_are_not_tried_without_end(register, post):
    for number in range(registering.MAX_ADDRESSES):
        register("ada", email=f"ada{number}@example.org")
    body = {"username": "ada", "password": accounts.PASSWORD, "email": "ada@example.org"}
    assert accounts.refused(post("register_user", body)) == (409, "NAME_TAKEN")


@pytest.mark.parametrize("name", ["ada", "Ada"])
@pytest.mark.parametrize("email", ["ada@example.org", "other@example.org", None])
def test_a_name_whose_code_has_expired_is_free(register, user_pool_calls, monkeypatch, name, email):
    first = register("ada", email="ada@example.org")
    later = datetime.now(UTC) + registering.CODE_LIFE + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    more = {"email": email} if email else {}
    second = register(name, **more)
    assert second["id"] != first["id"]
    assert list(accounts.states(user_pool_calls)) == [name]


def test_an_active_user_keeps_the_name_for_ever(register, post, user_pool_calls, monkeypatch):
    register("ada", email="ada@example.org")
    post("activate_user", {"username": "ada", "code": "123456"})
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + 400 * registering.CODE_LIFE)
    for email in ("ada@example.org", "eve@example.org", None):
        body = {"username": "ada", "password": accounts.PASSWORD, "email": email}
        assert accounts.refused(post("register_user", body)) == (409, "NAME_TAKEN")
    assert accounts.states(user_pool_calls) == {"ada": "CONFIRMED"}


def test_a_registration_that_died_halfway_frees_its_name(register, post, user_pool_calls, monkeypatch):
    user_pool_calls.client.sign_up(ClientId=cognito._app(), Username="ada", Password=accounts.PASSWORD)
    body = {"username": "ada", "password": accounts.PASSWORD, "email": "ada@example.org"}
    assert accounts.refused(post("register_user", body)) == (409, "NAME_TAKEN")
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + registering.CODE_LIFE + timedelta(seconds=1))
    assert register("ada")["active"]


@pytest.mark.parametrize("mode", ["closed", None])
def test_where_registration_is_closed(post, user_pool_calls, monkeypatch, mode):
    monkeypatch.delenv("SELF_REGISTRATION")
    if mode:
        monkeypatch.setenv("SELF_REGISTRATION", mode)
    body = {"username": "ada", "password": accounts.PASSWORD, "email": "ada@example.org"}
    assert accounts.refused(post("register_user", body)) == (403, "REGISTRATION_CLOSED")
    assert accounts.states(user_pool_calls) == {}


def test_a_pool_that_only_administrators_fill_is_closed(post, user_pool_calls):
    with user_pool_calls.failing("SignUp", "NotAuthorizedException"):
        answer = post("register_user", accounts.credentials("ada"))
    assert accounts.refused(answer) == (403, "REGISTRATION_CLOSED")


def test_a_name_is_taken_once(register, post, log_in):
    register("ada")
    body = {"username": "ada", "password": "something else"}
    assert accounts.refused(post("register_user", body)) == (409, "NAME_TAKEN")
    assert log_in().status == 200


def test_names_in_any_script_are_the_same_however_they_are_typed(register, post, log_in):
    composed, decomposed = "Zo\u00eb", "Zoe\u0308"
    assert register(decomposed)["username"] == composed
    assert accounts.refused(post("register_user", accounts.credentials(composed))) == (409, "NAME_TAKEN")
    assert log_in(decomposed).json["username"] == composed
    for name in ("李雷", "Дарья", "🦊", "o'hara", "@ada", "x" * 128):
        assert log_in(register(name)["username"]).status == 200


BAD_NAMES = {
    "empty": "",
    "too long": "x" * 129,
    "blank inside": "ada lovelace",
    "blank": " ",
    "blank before": " ada",
    "no-break space": "ada\u00a0l",
    "tab": "a\tb",
    "line break": "ada\n",
    "NUL": "a\x00b",
    "control": "a\x1bb",
    "invisible": "a\u200bb",
    "right to left": "a\u202eb",
    "half a character": "\ud800",
    "private use": "\ue000",
    "an address": "ada@example.org",
    "an address in full width": "ada\uff20example.org",
    "nothing visible": "\u3164\ufe0f",
    "an id": "0ada0000-0000-4000-8000-000000000001",
    "an id in capitals": "0ADA0000-0000-4000-8000-000000000001",
    "an id in full width": "\uff10ada0000-0000-4000-8000-000000000001",
    "number": 5,
    "list": ["ada"],
    "nothing": None,
}
SAME_NAMES = {
    "case": ("ada", "Ada"),
    "full width": ("ada", "\uff41\uff44\uff41"),
    "sharp s": ("strasse", "straße"),
    "filler": ("ada", "ada\u3164"),
    "variation selector": ("❤", "❤\ufe0f"),
    "empty Braille": ("ada", "ada\u2800"),
}


@pytest.mark.parametrize("kind", SAME_NAMES)
def test_nobody_is_called_what_looks_like_another_name(register, post, log_in, user_pool_calls, kind):
    first, second = SAME_NAMES[kind]
    for name, lookalike in ((first, second), (f"2-{second}", f"2-{first}")):
        register(name)
        assert accounts.refused(post("register_user", accounts.credentials(lookalike))) == (409, "NAME_TAKEN")
        assert log_in(name).json["username"] == name
        assert log_in(lookalike).status == 401
        assert lookalike not in accounts.states(user_pool_calls)


def test_a_name_is_free_again_when_its_user_was_deleted(register, user_pool_calls):
    first = register("ada")
    user_pool_calls.client.admin_delete_user(UserPoolId=user_pool_calls.pool, Username="ada")
    second = register("Ada")
    assert second["id"] != first["id"]
    user_pool_calls.client.admin_delete_user(UserPoolId=user_pool_calls.pool, Username="Ada")
    assert register("Ada")["id"] != second["id"]


def test_of_two_who_register_names_that_look_alike_at_once_one_gets_it(post, register, user_pool_calls, monkeypatch):
    holder = registering.usernames.holder
    others = iter(["ADA"])

    def late(name):
        found = holder(name)
        for other in others:
            register(other)
        return found

    monkeypatch.setattr(registering.usernames, "holder", late)
    assert accounts.refused(post("register_user", accounts.credentials("ada"))) == (409, "NAME_TAKEN")
    assert accounts.states(user_pool_calls) == {"ADA": "CONFIRMED"}


def test_names_that_cannot_be(post, user_pool_calls, subtests):
    for kind, name in BAD_NAMES.items():
        with subtests.test(kind):
            answer = post("register_user", accounts.credentials(name))
            assert accounts.refused(answer) == (400, "INVALID_REQUEST")
            assert "username" in answer.json["detail"]
    assert accounts.states(user_pool_calls) == {}


BAD_PASSWORDS = {
    "empty": "",
    "short": "1234567",
    "long": "x" * 257,
    "blank before": " secret words",
    "blank after": "secret words ",
    "line break": "secret\nwords",
    "number": 12345678,
    "nothing": None,
}


def test_passwords_that_cannot_be(post, user_pool_calls, subtests):
    for kind, password in BAD_PASSWORDS.items():
        with subtests.test(kind):
            answer = post("register_user", {"username": "ada", "password": password})
            assert accounts.refused(answer) == (400, "INVALID_REQUEST")
            assert answer.json["detail"].startswith("password ") or "password: " in answer.json["detail"]
            assert not password or str(password) not in answer.json["detail"]
    assert accounts.states(user_pool_calls) == {}


def test_what_is_wrong_with_a_value_is_said_in_words(post, user_pool_calls, subtests):
    good = accounts.credentials("ada")
    for wrong, words in (
        ({"username": "ada lovelace"}, "a user name has no spaces"),
        ({"username": "ada@example.org"}, "a user name is shown to every user, so it cannot be an e-mail address"),
        ({"password": "correct horse "}, "a password neither begins nor ends with a space"),
        ({"password": "\u2003correct horse"}, "a password neither begins nor ends with a space"),
        ({"email": "ada"}, "an e-mail address has one @"),
    ):
        with subtests.test(words):
            detail = post("register_user", good | wrong).json["detail"]
            assert words in detail
            assert "pattern" not in detail
    for operation, more in (("activate_user", {}), ("reset_password", {"password": accounts.PASSWORD})):
        answer = post(operation, {"username": "ada", "code": "1 2", **more})
        assert "a code has no spaces" in answer.json["detail"]


def test_passwords_are_taken_literally(post, log_in):
    for number, password in enumerate(("  in  side  ".strip(), "päßwörd-漢字", "$HOME`id`;'\"\\", "\t".join("abcde"))):
        name = f"ada{number}"
        assert post("register_user", {"username": name, "password": password}).status == 201
        assert log_in(name, password).status == 200
        for wrong in (password.upper(), password.lower(), f"{password} ", f" {password}", password[:-1]):
            if wrong != password:
                assert log_in(name, wrong).status == 401


def test_addresses_that_cannot_be(post, user_pool_calls, subtests):
    for email in ("", "ada", "ada@", "@example.org", "a b@example.org", "a@b@c", 5):
        with subtests.test(email=email):
            answer = post("register_user", {"username": "ada", "password": accounts.PASSWORD, "email": email})
            assert accounts.refused(answer) == (400, "INVALID_REQUEST")
    assert accounts.states(user_pool_calls) == {}


def test_what_cognito_may_say_to_a_registration(post, user_pool_calls, subtests):
    expected = {
        "InvalidPasswordException": (400, "WEAK_PASSWORD"),
        "InvalidParameterException": (400, "INVALID_REQUEST"),
        "CodeDeliveryFailureException": (400, "INVALID_REQUEST"),
        "TooManyRequestsException": (429, "TOO_MANY_ATTEMPTS"),
        "LimitExceededException": (429, "TOO_MANY_ATTEMPTS"),
        "InternalErrorException": (500, "INTERNAL_ERROR"),
    }
    for code, refusal in expected.items():
        with subtests.test(code), user_pool_calls.failing("SignUp", code):
            assert accounts.refused(post("register_user", accounts.credentials("ada"))) == refusal
