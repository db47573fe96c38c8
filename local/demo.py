"""The main job from beginning to end: publish a benchmark, take part in it, see who is ahead.

    make demo        or: python -m local.demo

`main` is meant to be read: it does over HTTP what three groups would do with curl or a browser. Only its
two first steps are of this machine: finding the stack (or starting it), and publishing, which puts a
package into the bucket as an organiser does. Its exit code is 0 only if every run succeeded and the picture
shows the ranking as it is now. Each time it registers new users, so that it can be repeated.
"""

import pathlib
import secrets
import sys
import tarfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from local import client, deployment, emulator, publish, stack, terminal

EXAMPLE = emulator.PROJECT / "examples" / "digits"
DOWNLOADS = emulator.STATE / "demo"
WORKFLOW = "digits"

POLL_SECONDS = 0.5
PATIENCE_SECONDS = 150
FINAL = ("SUCCESS", "ERROR", "CANCELED")
LINES_SHOWN = 20

Json = dict[str, Any]
Found = TypeVar("Found")


@dataclass(frozen=True)
class Contestant:
    """Who takes part, in which group, and with which of the example's sample submissions."""

    user: str
    group: str
    method: str
    submission: str


CONTESTANTS = (
    Contestant("ada", "Centre of Gravity", "nearest centroid", "nearest_centroid"),
    Contestant("grace", "Good Neighbours", "three nearest neighbours", "nearest_neighbours"),
    Contestant("katherine", "Straight Lines", "averaged perceptron", "averaged_perceptron"),
)


@dataclass(frozen=True)
class Entry:
    """A group's run: `service` is the service called as its member, `started` how the run was when it started."""

    group: str
    service: client.Service
    run: str
    started: Json

    def now(self) -> Json:
        """The run as it is now."""
        handle: Json = self.service.get(f"runs/{self.run}")
        return handle


class DemoFailed(Exception):
    """The service did something else than it should."""


def main() -> None:
    """Do the main job, saying what happens."""
    heading("The stack")
    here = stack_of_this_machine()
    visitor = client.Service(here.api_url)
    print(f"{visitor.get('')['name']} at {here.api_url}")

    heading("An organiser publishes the benchmark")
    report = publish.publish(here, EXAMPLE, WORKFLOW)
    print(publish.text(report))
    require(report["status"] in ("accepted", "unchanged"), "the package was refused")

    heading("Three users register, form groups, upload predictions and start runs")
    occasion = secrets.token_hex(3)
    entries = [enter(visitor, contestant, occasion) for contestant in CONTESTANTS]

    heading("The runs")
    watch_runs(entries)

    heading("The leaderboard")
    leader = show_leaderboard(visitor, entries)

    heading("Post-processing draws the new ranking")
    postproc = watch_post_processing(visitor)

    heading("Downloads")
    DOWNLOADS.mkdir(parents=True, exist_ok=True)
    download_archive(leader)
    download_post_processing(visitor, postproc, leader)
    print(f"\nThe workflow and its ranking: {here.api_url}/workflows/{WORKFLOW}/leaderboard")
    print("The stack is still up; `make stop` ends it.")


def stack_of_this_machine() -> stack.Stack:
    """The stack that is up, as it was started; a new one if there is none."""
    try:
        return stack.found()
    except stack.NoStack:
        print("Building and starting it, which takes a minute.", flush=True)
        return stack.up()


def enter(visitor: client.Service, contestant: Contestant, occasion: str) -> Entry:
    """What somebody does who takes part: from registering to a started run."""
    account = {"username": f"{contestant.user}-{occasion}", "password": f"Demo-{secrets.token_urlsafe(12)}-1"}
    visitor.post("users/register", account)
    service = visitor.as_user(visitor.post("users/login", account)["token"])

    name = f"{contestant.group} {occasion}"
    group = service.post(f"workflows/{WORKFLOW}/groups", {"name": name})
    upload = service.upload(f"uploads/{group['id']}/files", EXAMPLE / "submissions" / f"{contestant.submission}.csv")
    arguments = [
        {"name": "predictions", "value": {"type": "$file", "value": {"fileId": upload["id"]}}},
        {"name": "method", "value": contestant.method},
    ]
    run = service.post(f"groups/{group['id']}/runs", {"arguments": arguments})
    print(f"{account['username']}: group '{name}', {upload['name']} of {upload['size']} bytes, run {run['id']}")
    return Entry(name, service, run["id"], run)


def watch_runs(entries: Sequence[Entry]) -> None:
    """Show every run and its steps until all have ended. Raises DemoFailed unless all are successes."""
    progress = terminal.Progress(sys.stdout)
    runs = {entry.run: entry.started for entry in entries}

    def look() -> list[Json] | None:
        for entry in entries:
            progress.show([line(one.group, runs[one.run]) for one in entries])
            if runs[entry.run]["state"] not in FINAL:
                runs[entry.run] = entry.now()
        progress.show([line(one.group, runs[one.run]) for one in entries])
        return list(runs.values()) if all(run["state"] in FINAL for run in runs.values()) else None

    for run in wait_for(look, "the runs to end"):
        require_success(run)


def watch_post_processing(visitor: client.Service) -> Json:
    """Show post-processing until its result is that of the present ranking, and return the run that made it.

    Runs that end at about the same time change the ranking several times. Each change is post-processed, or
    superseded by the next; until a newer result is there, the workflow shows the one before as `stale`.
    """
    progress = terminal.Progress(sys.stdout)

    def look() -> Json | None:
        workflow = visitor.get(f"workflows/{WORKFLOW}")
        shown: Json = workflow.get("postproc", {})
        newest = shown.get("last", shown)
        if newest:
            version = newest.get("version", newest["rankingVersion"])
            progress.show([line(f"of version {version} of the ranking", newest)])
            if version == workflow["rankingVersion"] and newest["state"] in FINAL:
                require_success(newest)
        return shown if shown.get("stale") is False and shown["version"] == workflow["rankingVersion"] else None

    return wait_for(look, "post-processing of the present ranking")


def line(name: str, run: Json) -> str:
    """How a run stands: its state, and that of every step."""
    steps = ", ".join(f"{step['name']}: {step['state']}" for step in run["steps"])
    return f"{name:34} {run['state']:8} {steps}"


def show_leaderboard(visitor: client.Service, entries: Iterable[Entry]) -> Entry:
    """Print the leaderboard, and return which of the entries is ahead of the others."""
    ours = {entry.run: entry for entry in entries}
    board = visitor.get(f"workflows/{WORKFLOW}/leaderboard")
    ranking = list(board["ranking"])
    while "next" in board:
        board = visitor.get(f"workflows/{WORKFLOW}/leaderboard?cursor={board['next']}")
        ranking += board["ranking"]

    header = ["", "Rank", "Group", *(column["label"] for column in board["schema"])]
    rows = [
        [
            "*" if entry["run"]["id"] in ours else "",
            entry["rank"],
            entry["group"]["name"],
            *(result["value"] for result in entry["results"]),
        ]
        for entry in ranking
    ]
    print(terminal.table(header, rows[:LINES_SHOWN]))
    if len(rows) > LINES_SHOWN:
        print(f"... and {len(rows) - LINES_SHOWN} more")

    order = [ours[entry["run"]["id"]] for entry in ranking if entry["run"]["id"] in ours]
    require(len(order) == len(ours), f"{len(ours) - len(order)} of our runs are not on the leaderboard")
    accuracies = [entry["results"][0]["value"] for entry in ranking]
    require(accuracies == sorted(accuracies, reverse=True), "the leaderboard is not in order of accuracy")
    return order[0]


def download_archive(leader: Entry) -> None:
    """Save all result files of the leader's run in one archive, as its group may."""
    archive = leader.service.download(f"runs/{leader.run}/downloads/archive", DOWNLOADS / "winner.tar.gz")
    with tarfile.open(archive) as members:
        names = members.getnames()
    require("results/scores.json" in names, f"results/scores.json is not among {names}")
    print(f"{archive}  the run of '{leader.group}': {', '.join(names)}")


def download_post_processing(visitor: client.Service, postproc: Json, leader: Entry) -> None:
    """Save the picture and the table of all groups, which everybody may see."""
    for file in postproc["files"]:
        target = DOWNLOADS / pathlib.PurePosixPath(file["name"]).name
        visitor.download(f"workflows/{WORKFLOW}/downloads/files/{file['id']}", target)
        print(f"{target}  {file.get('title', file['name'])}")
    require(
        leader.group in (DOWNLOADS / "scores.svg").read_text("utf-8"),
        f"the picture does not show {leader.group}",
    )


def wait_for(look: Callable[[], Found | None], what: str) -> Found:
    """Look until there is something, and raise DemoFailed when patience ends."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := look()) is None:
        require(time.monotonic() < deadline, f"waited {PATIENCE_SECONDS} s for {what}")
        time.sleep(POLL_SECONDS)
    return found


def require_success(run: Mapping[str, Any]) -> None:
    """Raise DemoFailed with what a run says of itself unless it is a success."""
    said = run.get("messages") or [run.get("reason", {}).get("detail", "")]
    require(run["state"] == "SUCCESS", "\n".join([f"run {run['id']} is {run['state']}", *said]))


def require(condition: bool, otherwise: str) -> None:
    """Raise DemoFailed unless the condition holds."""
    if not condition:
        raise DemoFailed(otherwise)


def heading(text: str) -> None:
    """Print what comes next."""
    print(f"\n{text}\n{'=' * len(text)}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except (
        DemoFailed,
        client.Refused,
        publish.NoReport,
        emulator.EmulatorError,
        deployment.DeploymentError,
    ) as error:
        sys.exit(f"\nThe demo failed: {error}")
