"""Who is calling, or why the authorizer took them for a stranger."""

from support import accounts, gateway


def test_whoami(invoke):
    for who in (gateway.ADA, gateway.ORGANISER):
        answer = gateway.answer(invoke("whoami", gateway.event("GET", "/users/whoami", user=who)))
        assert answer.status == 200
        assert answer.json == {"id": who.id, "username": who.name, "roles": list(who.roles)}


def test_strangers_are_told_why(invoke, subtests):
    closed = {"whoami": ("GET", "/users/whoami"), "list_users": ("GET", "/users"), "logout_user": accounts.LOG_OUT}
    for operation, (method, path) in closed.items():
        for problem in ("not logged in", "token expired", "token not valid", None):
            with subtests.test(operation=operation, problem=problem):
                answer = gateway.answer(invoke(operation, gateway.event(method, path, problem=problem)))
                assert accounts.refused(answer) == (401, "UNAUTHENTICATED")
                assert answer.json["detail"] == (problem or "not logged in")
                assert answer.headers["www-authenticate"].startswith("Bearer")
