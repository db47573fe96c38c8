"""Commands: a dollar sign as in flowServ, and warnings of what a shell does otherwise than flowServ."""

import string
import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowserverless.domain.templates import commands

VARIABLES = {"name": "Ada", "python": "python"}


def printed(command):
    done = subprocess.run(["/bin/sh", "-c", command], env=VARIABLES, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("echo '5 $$'", "5 $\n"),
        ('echo "costs $$"', "costs $\n"),
        ("i=3; echo $$i", "3\n"),
        ("echo $$(echo x)", "x\n"),
        ("printf '%s %s\\n' a b | awk '{print $$2}'", "b\n"),
        ("echo \\$$name", "$name\n"),
    ],
)
def test_two_dollar_signs_are_one_as_in_flowserv(command, output):
    assert printed(string.Template(command).safe_substitute(VARIABLES)) == output
    assert printed(commands.for_shell(command)) == output
    assert commands.fault(command) is None
    assert any("`$$` is a dollar sign" in doubt for doubt in commands.doubts(command, VARIABLES))


def test_commands_without_two_dollar_signs_stay_letter_for_letter():
    command = """awk '{print $1}' "$HOME/x" | sh -c 'echo ${a:-b} $? $#' # $"""
    assert commands.for_shell(command) == command


@given(st.text("$x{} '\"\\", max_size=12))
def test_a_command_is_as_flowserv_makes_it_unless_it_is_refused(command):
    class Kept(string.Template):
        """Variables stay for the shell."""

        idpattern = "(?!)"

    if commands.fault(command) is None:
        assert commands.for_shell(command) == Kept(command).safe_substitute()


@pytest.mark.parametrize("command", ["echo $$$name", "echo '$$${name}'", "echo $$$$$name"])
def test_a_dollar_sign_before_a_value_is_refused(command):
    assert "no shell puts together" in commands.fault(command)


@pytest.mark.parametrize("command", ["echo $$$$", "echo $$ $name", "echo $$$1", "a$$b", "echo $$${name:-x}"])
def test_other_dollar_signs_are_not_refused(command):
    assert commands.fault(command) is None


@pytest.mark.parametrize(
    "command",
    [
        "echo '${name}'",
        "echo '$name'",
        "a \"b'c\" '$name'",
        "echo 'a\\' \"x\" '\\$name'",
        "grep '^${name},' f",
        "'\n$name'",
    ],
)
def test_a_variable_in_single_quotes_is_warned_of(command):
    [doubt] = commands.doubts(command, VARIABLES)
    assert doubt.startswith("`${name}` in single quotes is not expanded")


@pytest.mark.parametrize(
    "command",
    [
        'echo "${name}"',
        "echo $name",
        "echo \"'${name}'\"",
        "echo \\'${name}\\'",
        "awk '{print $1, $NF, $i}' x",
        "for i in 1 2; do echo $i; done",
        'read line; echo "$line"',
        "x=1 && echo ${x}",
        "echo $HOME ${PATH} $PYTHONPATH",
        "${python} a.py",
        "echo ${name:-x} ${other:-x}",
    ],
)
def test_what_a_shell_does_as_meant_is_not_warned_of(command):
    assert list(commands.doubts(command, VARIABLES)) == []


def test_a_name_that_is_no_variable_is_warned_of_once():
    [doubt] = commands.doubts('echo "${nmae}" $nmae', VARIABLES)
    assert "`${nmae}` is no variable of the workflow" in doubt


def test_a_long_command_is_looked_through_once():
    command = " ".join(f"$a{number}" for number in range(20_000))
    began = time.process_time()
    assert len(list(commands.doubts(command, ()))) == 20_000
    assert time.process_time() - began < 2
