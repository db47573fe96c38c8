"""The race that leaves runs RUNNING for ever elsewhere: 4 clients start 200 runs of 30 ms as fast as they can.

The service is deployed on an emulator of its own. A run is stuck when it has not ended although everybody had the time
to notice; the reconciler, which could only hide such a race, does not come meanwhile. Prints `0 of 200`.
"""

import collections
import json
import pathlib
import secrets
import tempfile
import time
from concurrent import futures

from local import client, deployment, emulator, publish, stack

CLIENTS = 4
RUNS = 200
PATIENCE_SECONDS = 120
FINAL = ("SUCCESS", "ERROR", "CANCELED")
TEMPLATE = {
    "workflow": {
        "steps": [{"name": "nap", "action": {"environment": "python:3.13", "commands": ["sleep 0.03"]}}],
    },
}

Run = tuple[client.Service, str]


def main() -> None:
    """Deploy, start all runs, wait until none ends any more, and say how many are left."""
    home = emulator.STATE / "bench-stuck-runs"
    emulator.stop(home)
    running = emulator.start(home, keep=False, with_caller=True)
    try:
        report(measure(stack.deploy(deployment.Target(running), {"ReconcileMinutes": "60"})))
    finally:
        emulator.stop(home)


def measure(here: stack.Stack) -> collections.Counter[str]:
    """How many of the runs are in which state in the end."""
    publish_naps(here)
    service = client.Service(here.api_url)
    with futures.ThreadPoolExecutor(CLIENTS) as pool:
        started = pool.map(lambda _: start(service), range(CLIENTS))
        runs = [run for one in started for run in one]
    return settle(runs)


def publish_naps(here: stack.Stack) -> None:
    """A workflow of one step that does nothing for 30 ms."""
    with tempfile.TemporaryDirectory() as folder:
        package = pathlib.Path(folder)
        (package / "flowserv.json").write_text(json.dumps({"name": "Naps", "specfile": "workflow.json"}))
        (package / "workflow.json").write_text(json.dumps(TEMPLATE))
        publish.publish(here, package, "naps")


def start(visitor: client.Service) -> list[Run]:
    """What one client does: its share of the runs, one after the other; a group's quota makes it wait."""
    account = {"username": f"bench-{secrets.token_hex(4)}", "password": secrets.token_urlsafe(16)}
    visitor.post("users/register", {**account, "verify": False})
    service = visitor.as_user(visitor.post("users/login", account)["token"])
    group = service.post("workflows/naps/groups", {"name": account["username"]})["id"]
    return [(service, service.post(f"groups/{group}/runs", {"arguments": []})["id"]) for _ in range(RUNS // CLIENTS)]


def settle(runs: list[Run]) -> collections.Counter[str]:
    """States of the runs once all have ended, or once none has ended for two minutes."""
    states = {run: "PENDING" for _, run in runs}
    changed = time.monotonic()
    while time.monotonic() - changed < PATIENCE_SECONDS:
        for service, run in runs:
            if states[run] not in FINAL:
                now = service.get(f"runs/{run}")["state"]
                changed = time.monotonic() if now != states[run] else changed
                states[run] = now
        if all(state in FINAL for state in states.values()):
            break
        time.sleep(0.5)
    return collections.Counter(states.values())


def report(states: collections.Counter[str]) -> None:
    """Say how many runs are stuck, and how the others ended."""
    stuck = sum(count for state, count in states.items() if state not in FINAL)
    print(f"{stuck} of {states.total()} runs stuck; {', '.join(f'{n} {state}' for state, n in sorted(states.items()))}")
