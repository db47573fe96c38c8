"""The authorizer against real signatures: who is let in, and what everybody else is told."""

import base64
import contextlib
import functools
import hashlib
import hmac
import http.server
import itertools
import json
import threading
import time
import types
from datetime import UTC, datetime, timedelta

import hypothesis
import jwt
import pytest
from botocore import awsrequest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import strategies

from flowserverless.auth import authorizer, credentials, tokens
from flowserverless.aws import clients
from flowserverless.store import revocations
from flowserverless.store import table as stored
from local import emulator
from support import gateway

POOL = "us-east-1_AbCdEf123"
CLIENT = "1h57kf5cpq17m0eml12EXAMPLE"
USER = "0ada0000-0000-4000-8000-000000000001"
TOKEN_ID = "5c1a7f0e-0d1f-4d7c-8f43-6f2f2b0a9c10"


@functools.cache
def private_key(name):
    """The key of this name; a key is made once in a test run."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public(name):
    numbers = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(private_key(name).public_key()))
    return {"alg": "RS256", "use": "sig", "kid": name, "kty": "RSA", "n": numbers["n"], "e": numbers["e"]}


def claims(**changed):
    """The claims of a good access token; a claim that is None is left out."""
    now = int(time.time())
    usual = {
        "sub": USER,
        "iss": f"https://cognito-idp.us-east-1.amazonaws.com/{POOL}",
        "client_id": CLIENT,
        "origin_jti": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "token_use": "access",
        "scope": "aws.cognito.signin.user.admin",
        "auth_time": now,
        "iat": now,
        "exp": now + 3600,
        "jti": TOKEN_ID,
        "username": "ada",
    }
    return {name: value for name, value in {**usual, **changed}.items() if value is not None}


def signed(key="one", **changed):
    return jwt.encode(claims(**changed), private_key(key), "RS256", headers={"kid": key})


def encoded(part):
    text = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def forged(header, payload, signature=b""):
    """A token whose parts are what they are, with a signature that is bytes or made from the other parts."""
    parts = f"{encoded(header)}.{encoded(payload)}"
    return f"{parts}.{encoded(signature(parts.encode()) if callable(signature) else signature)}"


def hmac_by_public_key(message):
    pem = (
        private_key("one")
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return hmac.new(pem, message, hashlib.sha256).digest()


@contextlib.contextmanager
def serving(respond):
    """A server whose answer to a path is (status, body), or None for one that hangs up."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer = respond(self.path)
            if answer is None:
                return
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def cognito(monkeypatch):
    """What serves the pool's keys; tests change `keys` or `answer`, and read which paths were asked for."""
    seen = types.SimpleNamespace(keys=["one"], answer=None, paths=[])

    def respond(path):
        seen.paths.append(path)
        if seen.answer:
            return seen.answer(path)
        if path != f"/{POOL}/.well-known/jwks.json":
            return 404, b"{}"
        return 200, json.dumps({"keys": [public(name) for name in seen.keys]}).encode()

    with serving(respond) as url:
        monkeypatch.setenv("COGNITO_URL", url)
        monkeypatch.setenv("USER_POOL_ID", POOL)
        monkeypatch.setenv("USER_POOL_CLIENT_ID", CLIENT)
        authorizer._keys.cache_clear()
        yield seen
    authorizer._keys.cache_clear()


@pytest.fixture
def directory(aws):
    """What Cognito says of users when it is asked; tests change it. A user is here under any name."""
    known = types.SimpleNamespace(
        sub=USER, enabled=True, status="CONFIRMED", groups=["organisers", "judges", "others"], asked=[]
    )
    known.failing = {}

    def error(params, code):
        body = {"Error": {"Code": code, "Message": "because"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        return awsrequest.AWSResponse(params["url"], 400, {}, None), body

    def answer(operation, content):
        def hook(params, **_):
            known.asked.append(operation)
            if operation in known.failing:
                return error(params, known.failing[operation])
            asked = json.loads(params["body"])
            assert asked["UserPoolId"] == POOL
            return awsrequest.AWSResponse(params["url"], 200, {}, None), content(asked["Username"])

        return hook

    def user(name):
        attributes = [{"Name": "sub", "Value": known.sub}]
        state = {"Enabled": known.enabled, "UserStatus": known.status, "UserCreateDate": datetime.now(UTC)}
        return {"Username": name, "UserAttributes": attributes, **state}

    def groups(_):
        return {"Groups": [{"GroupName": group} for group in known.groups]}

    hooks = {"AdminGetUser": user, "AdminListGroupsForUser": groups}
    events = clients.client("cognito-idp").meta.events
    registered = [
        (f"before-call.cognito-identity-provider.{operation}", answer(operation, content))
        for operation, content in hooks.items()
    ]
    for name, hook in registered:
        events.register_first(name, hook)
    yield known
    for name, hook in registered:
        events.unregister(name, hook)


@pytest.fixture
def judge(invoke, cognito, directory):
    """Ask the authorizer about a request with these headers; the context is what it tells the operations.

    Without a table: whoever gets as far as a look at who signed out is told that nothing can be verified.
    """

    def ask(headers, several=None):
        request = gateway.event("GET", "/runs/{runId}", {"runId": "x"}, headers=headers)
        for left_out in ("body", "isBase64Encoded"):
            del request[left_out]
        del request["requestContext"]["authorizer"]
        request |= {
            "type": "REQUEST",
            "methodArn": "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/v1/GET/runs/x",
        }
        if several is not None:
            request["multiValueHeaders"] = several
        answer = invoke("authorize_request", request)
        assert answer["policyDocument"] == {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow",
                    "Resource": "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/v1/*",
                }
            ],
        }
        context = answer["context"]
        assert all(isinstance(value, str) for value in context.values())
        assert bool(context["user"]) != bool(context["problem"])
        assert answer["principalId"] == (context["user"] or "anonymous")
        return context

    return ask


@pytest.fixture
def authorize(judge, table):
    """As `judge`, where good tokens are let in."""
    return judge


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def nobody(problem):
    return {"user": "", "name": "", "roles": "", "problem": problem}


def test_a_good_token_says_who_is_calling(authorize):
    expires = int(time.time()) + 600
    assert authorize(bearer(signed(exp=expires))) == {
        "user": USER,
        "name": "ada",
        "roles": "",
        "problem": "",
        "tokenId": TOKEN_ID,
        "expires": str(expires),
    }


def test_groups_of_cognito_are_roles(authorize):
    token = signed(**{"cognito:groups": ["organisers", "a,organisers", "others"]})
    assert authorize(bearer(token))["roles"] == "organisers,others"


def test_a_comma_in_a_group_makes_nobody_an_organiser(authorize):
    assert authorize(bearer(signed(**{"cognito:groups": ["x,organisers"]})))["roles"] == ""


def test_names_may_be_written_in_any_script(authorize):
    assert authorize(bearer(signed(username="Дарья-李")))["name"] == "Дарья-李"


GOOD_PLACES = [
    {"Authorization": "Bearer {good}"},
    {"authorization": "bearer {good}"},
    {"AUTHORIZATION": "BEARER   {good} "},
    {"api_key": "{good}"},
    {"API_KEY": " {good} "},
    {"Authorization": "Bearer {good}", "api_key": "nonsense"},
    {"Authorization": "Bearer null", "api_key": "{good}"},
    {"Authorization": "", "api_key": "{good}"},
    {"Authorization": "Bearer", "api_key": "{good}"},
    {"Authorization": "Basic YWRhOnNlY3JldA==", "api_key": "{good}"},
    {"Authorization": "Bearer {good}", "api_key": "null"},
]


def test_where_a_token_may_stand(authorize, subtests):
    good = signed()
    for headers in GOOD_PLACES:
        with subtests.test(**headers):
            assert authorize({name: value.format(good=good) for name, value in headers.items()})["user"] == USER


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"api_key": "null"},
        {"api_key": ""},
        {"api_key": "undefined"},
        {"api_key": "None"},
        {"Authorization": "Bearer null"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic YWRhOnNlY3JldA=="},
        {"X-Api-Key": "something"},
    ],
    ids=str,
)
def test_without_a_token_nobody_is_logged_in(judge, cognito, headers):
    assert judge(headers) == nobody("not logged in")
    assert cognito.paths == []


def test_requests_without_any_headers(invoke, cognito):
    arn = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/v1/GET/"
    for headers in ({}, {"headers": None, "multiValueHeaders": None}):
        answer = invoke("authorize_request", {"type": "REQUEST", "methodArn": arn, **headers})
        assert answer["context"] == nobody("not logged in")


def test_the_headers_alone_will_do(authorize):
    assert authorize(bearer(signed()), several={})["user"] == USER


def test_the_same_token_twice_is_one(authorize):
    good = signed()
    assert authorize({}, several={"Authorization": [f"Bearer {good}"] * 2, "api_key": [good]})["user"] == USER


@pytest.mark.parametrize("header", ["api_key", "Authorization"])
def test_two_tokens_are_none(judge, cognito, header):
    both = [f"{'Bearer ' if header == 'Authorization' else ''}{signed(jti=name)}" for name in ("a", "b")]
    assert judge({}, several={header: both}) == nobody("more than one token was sent")
    joined = {"Authorization": ", ".join(f"Bearer {signed(jti=name)}" for name in ("a", "b"))}
    assert judge(joined)["user"] == ""


def private_key_sign(message):
    return jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256).sign(message, private_key("one"))


def private_key_signature(token):
    part = token.rsplit(".", 1)[1]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def spliced(one, other):
    head, _, signature = one.split(".")
    return f"{head}.{other.split('.')[1]}.{signature}"


NOT_VALID = {
    "signed by a key of somebody else, under the name of ours": lambda: jwt.encode(
        claims(), private_key("stranger"), "RS256", headers={"kid": "one"}
    ),
    "signed by a key that the pool has not": lambda: signed("stranger"),
    "without the name of a key": lambda: jwt.encode(claims(), private_key("one"), "RS256"),
    "with a name of a key that is no text": lambda: forged({"alg": "RS256", "kid": 7}, claims()),
    "alg none": lambda: forged({"alg": "none", "kid": "one"}, claims()),
    "alg None with the signature of a good one": lambda: forged(
        {"alg": "None", "kid": "one"}, claims(), private_key_signature(signed())
    ),
    "no alg": lambda: forged({"kid": "one"}, claims()),
    "HS256 with the public key as the secret": lambda: forged(
        {"alg": "HS256", "kid": "one"}, claims(), hmac_by_public_key
    ),
    "said to be RS256, signed with the public key as a secret": lambda: forged(
        {"alg": "RS256", "kid": "one"}, claims(), hmac_by_public_key
    ),
    "RS512": lambda: jwt.encode(claims(), private_key("one"), "RS512", headers={"kid": "one"}),
    "key in the header": lambda: jwt.encode(
        claims(), private_key("stranger"), "RS256", headers={"kid": "x", "jwk": public("stranger")}
    ),
    "claims of another token": lambda: spliced(signed(), signed(username="eve")),
    "no signature": lambda: signed().rsplit(".", 1)[0] + ".",
    "two parts": lambda: signed().rsplit(".", 1)[0],
    "four parts": lambda: signed() + ".x",
    "other issuer": lambda: signed(iss="https://example.org/"),
    "other pool": lambda: signed(iss="https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Other"),
    "other region": lambda: signed(iss=f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL}"),
    "no issuer": lambda: signed(iss=None),
    "other client": lambda: signed(client_id="another"),
    "no client": lambda: signed(client_id=None),
    "id token": lambda: signed(token_use="id", client_id=None, aud=CLIENT, **{"cognito:username": "ada"}),
    "id token with the claims of an access token": lambda: signed(token_use="id"),
    "refresh token": lambda: signed(token_use="refresh"),
    "no use": lambda: signed(token_use=None),
    "issued in an hour": lambda: signed(iat=int(time.time()) + 3600, exp=int(time.time()) + 7200),
    "not valid before an hour has passed": lambda: signed(nbf=int(time.time()) + 3600),
    "no end": lambda: signed(exp=None),
    "end that is no number": lambda: signed(exp="tomorrow"),
    "no beginning": lambda: signed(iat=None),
    "nobody's": lambda: signed(sub=None),
    "nameless": lambda: signed(username=None),
    "without an id": lambda: signed(jti=None),
    "payload that is no object": lambda: forged({"alg": "RS256", "kid": "one"}, [1, 2], private_key_sign),
    "payload that is no JSON": lambda: forged({"alg": "RS256", "kid": "one"}, b"\xff\xfe", private_key_sign),
    "header that is no object": lambda: forged([1], claims()),
    "header that is no JSON": lambda: forged(b"{", claims()),
    "header nested too deeply": lambda: forged(b"[" * 5000, b""),
    "unknown critical extension": lambda: jwt.encode(
        claims(), private_key("one"), "RS256", headers={"kid": "one", "crit": ["x"], "x": 1}
    ),
    "one word": lambda: "bogus",
    "dots": lambda: "...",
    "not ASCII": lambda: "tökén",
    "half a character": lambda: "\ud800.a.b",
    "uuid of a flowServ token": lambda: "0cbb8a4bd3d54a8c9d8f9b0e6a3b7f11",
    "huge": lambda: signed(scope="x" * 100_000),
    "just too long": lambda: signed() + "A" * tokens.MAX_TOKEN_LENGTH,
}


@pytest.mark.parametrize("kind", NOT_VALID)
def test_a_token_that_is_not_valid(judge, kind):
    token = NOT_VALID[kind]()
    assert judge(bearer(token)) == nobody("token not valid")
    assert judge({"api_key": token}) == nobody("token not valid")


def test_the_forgeries_would_be_let_in_without_their_fault(authorize):
    good = forged({"alg": "RS256", "kid": "one"}, claims(), private_key_sign)
    assert authorize(bearer(good))["user"] == USER


def test_an_expired_token(judge):
    past = int(time.time()) - 60
    assert judge(bearer(signed(iat=past - 3600, exp=past))) == nobody("token expired")


def test_an_expired_token_of_somebody_else_is_not_valid_in_the_first_place(judge):
    past = int(time.time()) - 60
    token = jwt.encode(claims(exp=past), private_key("stranger"), "RS256", headers={"kid": "one"})
    assert judge(bearer(token)) == nobody("token not valid")


def test_clocks_may_differ_by_a_moment(authorize):
    assert authorize(bearer(signed(iat=int(time.time()) + 2)))["user"] == USER


def test_an_audience_in_an_access_token_is_about_other_services(authorize):
    assert authorize(bearer(signed(aud="https://elsewhere.example.org")))["user"] == USER


def test_a_token_that_was_signed_out(authorize):
    token, other = signed(), signed(jti="another")
    assert authorize(bearer(token))["user"] == USER
    revocations.sign_out(TOKEN_ID, int(time.time()) + 3600)
    assert authorize(bearer(token)) == nobody("signed out")
    assert authorize({"api_key": token}) == nobody("signed out")
    assert authorize(bearer(other))["user"] == USER


def test_all_tokens_of_a_user_signed_out_at_once(authorize, directory):
    moment = datetime.now(UTC) - timedelta(minutes=5)
    revocations.sign_out_everywhere(USER, moment)
    before, after = int(moment.timestamp()) - 1, int(moment.timestamp()) + 1
    assert authorize(bearer(signed(auth_time=before, iat=before))) == nobody("signed out")
    # A token says no more than the second in which its user signed in.
    assert authorize(bearer(signed(auth_time=before + 1, iat=before + 1))) == nobody("signed out")
    # Refreshing a session does not make it younger.
    assert authorize(bearer(signed(auth_time=before, iat=after))) == nobody("signed out")
    assert authorize(bearer(signed(auth_time=after, iat=after)))["user"] == USER
    directory.sub = "somebody-else"
    assert authorize(bearer(signed(auth_time=before, sub="somebody-else")))["user"] == "somebody-else"


def test_a_moment_of_signing_out_everywhere_never_becomes_earlier(authorize):
    moment = datetime.now(UTC)
    revocations.sign_out_everywhere(USER, moment)
    revocations.sign_out_everywhere(USER, moment - timedelta(hours=1))
    since = int(moment.timestamp()) - 60
    assert authorize(bearer(signed(auth_time=since, iat=since))) == nobody("signed out")


ENDED = nobody(credentials.ENDED)
ACTS = {
    "disabled": {"enabled": False},
    "password reset by an administrator": {"status": "RESET_REQUIRED"},
    "deleted, and the name registered again": {"sub": "0ada0000-0000-4000-8000-000000000002"},
    "deleted": {"failing": {"AdminGetUser": "UserNotFoundException"}},
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("groups", [None, ["organisers"]])
def test_what_an_administrator_does_to_a_user_ends_tokens_at_once(authorize, directory, act, groups):
    token = signed(**{"cognito:groups": groups})
    assert authorize(bearer(token))["user"] == USER
    vars(directory).update(ACTS[act])
    assert authorize(bearer(token)) == ENDED


def test_an_enabled_user_is_let_in_again(authorize, directory):
    directory.enabled = False
    assert authorize(bearer(signed())) == ENDED
    directory.enabled = True
    assert authorize(bearer(signed()))["user"] == USER


def test_roles_end_when_an_administrator_takes_them(authorize, directory):
    token = signed(**{"cognito:groups": ["organisers", "judges"]})
    assert authorize(bearer(token))["roles"] == "organisers,judges"
    directory.groups = ["judges"]
    assert authorize(bearer(token))["roles"] == "judges"
    directory.groups = []
    assert authorize(bearer(token))["roles"] == ""


def test_a_role_comes_with_the_next_token_only(authorize, directory):
    assert authorize(bearer(signed()))["roles"] == ""


def test_roles_are_looked_up_only_where_a_token_names_some(authorize, directory):
    authorize(bearer(signed()))
    assert directory.asked == ["AdminGetUser"]
    authorize(bearer(signed(**{"cognito:groups": ["organisers"]})))
    assert directory.asked == ["AdminGetUser", "AdminGetUser", "AdminListGroupsForUser"]


@pytest.mark.parametrize("operation", ["AdminGetUser", "AdminListGroupsForUser"])
def test_when_cognito_does_not_answer_nobody_is_let_in(authorize, directory, operation):
    directory.failing = {operation: "NotAuthorizedException"}
    token = signed(**{"cognito:groups": ["organisers"]})
    assert authorize(bearer(token)) == nobody("tokens cannot be verified at the moment")


def test_signing_out_expires_by_itself_but_never_before_the_token(table):

    expires = int(time.time()) + 600
    revocations.sign_out(TOKEN_ID, expires)
    revocations.sign_out(TOKEN_ID, expires)
    assert stored.get(stored.token(TOKEN_ID)).expires >= expires + tokens.LEEWAY_SECONDS
    moment = datetime.now(UTC)
    revocations.sign_out_everywhere(USER, moment)
    longest = int((moment + timedelta(hours=24)).timestamp())
    assert stored.get(stored.token(USER)).expires >= longest + tokens.LEEWAY_SECONDS


def test_keys_are_fetched_once_for_all_requests(authorize, cognito):
    for number in range(5):
        assert authorize(bearer(signed(jti=str(number))))["user"] == USER
    assert cognito.paths == [f"/{POOL}/.well-known/jwks.json"]


def test_made_up_key_names_do_not_make_requests_to_cognito(authorize, cognito):
    assert authorize(bearer(signed()))["user"] == USER
    for number in range(5):
        token = jwt.encode(claims(), private_key("one"), "RS256", headers={"kid": f"made up {number}"})
        assert authorize(bearer(token)) == nobody("token not valid")
    assert len(cognito.paths) == 1


def test_what_is_wrong_with_the_algorithm_is_seen_before_a_key_is_looked_for(judge, cognito):
    assert judge(bearer(forged({"alg": "none", "kid": "new"}, claims())))["user"] == ""
    assert cognito.paths == []


@pytest.mark.parametrize(
    "answer",
    [
        lambda path: (500, b"{}"),
        lambda path: (404, b"not found"),
        lambda path: (200, b"<html>"),
        lambda path: (200, b"[]"),
        lambda path: (200, b"{}"),
        lambda path: (200, b'{"keys": [{"kty": "RSA", "kid": "one"}]}'),
        lambda path: None,
    ],
    ids=["500", "404", "no JSON", "a list", "no keys", "half a key", "no answer"],
)
def test_without_keys_a_good_token_is_not_called_bad(judge, cognito, answer):
    cognito.answer = answer
    assert judge(bearer(signed())) == nobody("tokens cannot be verified at the moment")


def test_without_keys_what_is_no_token_is_still_called_bad(judge, cognito):
    cognito.answer = lambda path: (500, b"")
    assert judge(bearer("bogus")) == nobody("token not valid")


def test_when_sign_outs_cannot_be_read_nobody_is_let_in(judge):
    assert judge(bearer(signed())) == nobody("tokens cannot be verified at the moment")


class Clock:
    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


def counted(document):
    """Keys whose document is `document.value` (an exception is raised), the moments of fetching, and a clock."""
    clock, fetched = Clock(), []

    def fetch(url):
        assert url == "https://keys.example.org"
        fetched.append(clock.now)
        if isinstance(document.value, Exception):
            raise document.value
        return document.value

    return tokens.Keys("https://keys.example.org", fetch, clock), fetched, clock


def documents(*names):
    return types.SimpleNamespace(value={"keys": [public(name) for name in names]})


def test_a_new_key_is_found_within_a_minute():
    document = documents("one")
    keys, fetched, clock = counted(document)
    assert keys.find("one").key_id == "one"
    document.value = {"keys": [public("one"), public("two")]}
    clock.now += tokens.PAUSE_SECONDS - 1
    assert keys.find("two") is None
    clock.now += 1
    assert keys.find("two").key_id == "two"
    assert len(fetched) == 2


def test_a_withdrawn_key_is_forgotten_within_the_hour():
    document = documents("one")
    keys, fetched, clock = counted(document)
    assert keys.find("one")
    document.value = {"keys": [public("two")]}
    clock.now += tokens.KEEP_SECONDS
    assert keys.find("one")
    clock.now += 1
    assert keys.find("one") is None
    assert len(fetched) == 2


def test_known_keys_stay_in_use_while_cognito_cannot_be_reached():
    document = documents("one")
    keys, fetched, clock = counted(document)
    assert keys.find("one")
    document.value = OSError("down")
    for _ in range(100):
        clock.now += tokens.KEEP_SECONDS / 50
        assert keys.find("one")
    # Asked no more than once a minute, and never for a key that nobody named.
    assert all(later - earlier >= tokens.PAUSE_SECONDS for earlier, later in itertools.pairwise(fetched))
    with pytest.raises(tokens.Unavailable):
        keys.find("two")


def test_a_failure_is_tried_again_after_a_few_seconds_only():
    document = types.SimpleNamespace(value=OSError("down"))
    keys, fetched, clock = counted(document)
    for _ in range(3):
        with pytest.raises(tokens.Unavailable):
            keys.find("one")
    assert len(fetched) == 1
    document.value = documents("one").value
    clock.now += tokens.RETRY_SECONDS
    assert keys.find("one").key_id == "one"
    assert keys.find("two") is None


def test_keys_of_other_kinds_do_not_matter():
    document = documents("one")
    document.value["keys"].append({"kty": "EC", "kid": "two", "crv": "unknown"})
    keys, _, _ = counted(document)
    assert keys.find("one")
    assert keys.find("two") is None


def test_where_the_keys_are(monkeypatch):
    for name in ("COGNITO_URL", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    pool = "eu-central-1_xyz"
    assert tokens.keys_url(pool) == f"https://cognito-idp.eu-central-1.amazonaws.com/{pool}/.well-known/jwks.json"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert tokens.keys_url(pool) == f"http://127.0.0.1:4566/{pool}/.well-known/jwks.json"
    assert tokens.issuer(pool) == f"https://cognito-idp.eu-central-1.amazonaws.com/{pool}"
    monkeypatch.setenv("COGNITO_URL", "https://elsewhere.example.org/")
    assert tokens.keys_url(pool) == f"https://elsewhere.example.org/{pool}/.well-known/jwks.json"


@hypothesis.given(
    strategies.dictionaries(
        strategies.sampled_from(["Authorization", "api_key", "API_KEY", "authorization"]),
        strategies.lists(strategies.text(max_size=80) | strategies.text(max_size=80).map("Bearer {}".format)),
    )
)
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], max_examples=200)
def test_nothing_that_can_stand_in_a_header_is_let_in_or_breaks(judge, headers):
    context = judge({}, several=headers)
    assert context["user"] == ""
    assert context["problem"] in (credentials.NOT_LOGGED_IN, credentials.NOT_VALID, credentials.SEVERAL)


@hypothesis.given(
    strategies.dictionaries(
        strategies.sampled_from(["alg", "kid", "typ", "crit", "b64"]),
        strategies.none() | strategies.text() | strategies.integers() | strategies.lists(strategies.text()),
    ).map(lambda header: {"alg": "RS256", "kid": "one"} | header),
    strategies.binary(max_size=300),
)
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], max_examples=200)
def test_no_header_opens_without_the_signature(judge, header, signature):
    assert judge(bearer(forged(header, claims(), signature))) == nobody("token not valid")


def test_the_sample_event(invoke, cognito, aws):
    sample = json.loads((emulator.PROJECT / "events" / "authorize_request.json").read_text("utf-8"))
    assert invoke("authorize_request", sample)["context"] == nobody("token not valid")
