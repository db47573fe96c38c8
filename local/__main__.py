"""The commands behind `make serve`, `make stop`, `make publish` and `make codes`."""

from __future__ import annotations

import argparse
import pathlib
import sys
import time

from botocore import exceptions

from local import deployment, emulator, mailbox, packing, publish, reach, stack


def main() -> int:
    """Do what the command line says; the exit code is 1 when that fails or a package is rejected."""
    arguments = _parser().parse_args()
    try:
        code: int = arguments.run(arguments)
    except (
        emulator.EmulatorError,
        reach.OutOfReach,
        deployment.DeploymentError,
        stack.NoStack,
        publish.NoReport,
        packing.TooMuch,
        exceptions.BotoCoreError,
        exceptions.ClientError,
    ) as error:
        print(error, file=sys.stderr)
        return 1
    return code


def serve(arguments: argparse.Namespace) -> int:
    """Bring the stack up and say how to use it."""
    began = time.monotonic()
    again = emulator.running(stack.HOME) is not None
    print("The stack is running already; deploying the template again." if again else "Starting the stack.")
    here = stack.up(dict(arguments.parameters))
    print(f"Up after {time.monotonic() - began:.0f} s.  {here.api_url}")
    print(f"Try it:   curl -s {here.api_url}/workflows")
    print(f"Look in:  . {_shown(stack.ENVIRONMENT)}   (then AWS and SAM command lines talk to it)")
    print("Codes:    make codes   (shows the e-mail that nobody gets on this machine)")
    print("End it:   make stop")
    for line in reach.open_doors():
        print(f"Mind:     {line}; docs/security.md")
    return 0


def stop(_: argparse.Namespace) -> int:
    """End the stack."""
    print("Stopped; what it held is kept." if stack.down() else "The stack was not running.")
    return 0


def publish_folder(arguments: argparse.Namespace) -> int:
    """Publish a template folder and print the report."""
    folder: pathlib.Path = arguments.folder
    if not folder.is_dir():
        print(f"{folder} is not a folder", file=sys.stderr)
        return 1
    name = arguments.name or folder.resolve().name
    if "/" in name:
        print(f"{name!r} is no id of a workflow; NAME=... gives it another one", file=sys.stderr)
        return 1
    here = stack.found(arguments.stack)
    noted = packing.text(packing.collect(folder))
    report = publish.publish(here, folder, name)
    print(publish.text(report), *filter(None, [noted]), sep="\n")
    if any(fault["place"] == "name" for fault in report["faults"]):
        print("NAME=... publishes it under another id than the folder's name.")
    return 1 if report["status"] == "rejected" else 0


def codes(arguments: argparse.Namespace) -> int:
    """Print the codes that would have been sent by e-mail."""
    print(mailbox.text(mailbox.mails(stack.found(), arguments.name)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(required=True)

    serving = commands.add_parser("serve", help="start the stack, or deploy the template to it again")
    serving.add_argument("parameters", nargs="*", type=_parameter, metavar="Name=value", help="template parameters")
    serving.set_defaults(run=serve)

    stopping = commands.add_parser("stop", help="end the stack and keep its state")
    stopping.set_defaults(run=stop)

    publishing = commands.add_parser("publish", help="publish the workflow in a folder")
    publishing.add_argument("folder", type=pathlib.Path)
    publishing.add_argument("--name", help="id of the workflow; the folder's name if not given")
    publishing.add_argument("--stack", default="local", help="`local`, or a stack in your AWS account")
    publishing.set_defaults(run=publish_folder)

    reading = commands.add_parser("codes", help="show the codes that would have been sent by e-mail")
    reading.add_argument("name", nargs="?", help="of this user, or to this address, only")
    reading.set_defaults(run=codes)
    return parser


def _parameter(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign):
        raise argparse.ArgumentTypeError(f"{text!r} is not Name=value")
    return name, value


def _shown(path: pathlib.Path) -> str:
    here = pathlib.Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


if __name__ == "__main__":
    sys.exit(main())
