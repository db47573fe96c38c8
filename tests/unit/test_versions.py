"""What a published version says of itself, and what it costs to ask it."""

import dataclasses
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from flowserverless.domain import versions
from flowserverless.domain.ranking import results
from flowserverless.domain.templates import executors, templates
from support import packages

DOCUMENT = templates.parse(packages.ranked(postproc=packages.POST_PROCESSING)).document
VERSION = versions.Version("w", "v", "W", DOCUMENT, datetime(2026, 11, 23, tzinfo=UTC))


def changed(**elements):
    """The version with other elements of its template; None leaves one out."""
    document = {name: element for name, element in {**DOCUMENT, **elements}.items() if element is not None}
    return dataclasses.replace(VERSION, document=document)


def test_the_template_is_read_once_and_again_for_another_document():
    assert VERSION.template == templates.parse(DOCUMENT, executors.ANYTHING)
    assert VERSION.template is VERSION.template
    assert changed(postproc=None).template.postproc is None


def test_a_template_is_read_though_this_installation_could_not_execute_it():
    image = {"environment": "any", "commands": ["true"]}
    version = changed(
        workflow={"steps": [{"name": "train", "action": image}]}, results=None, postproc=None, outputs=None
    )
    assert version.template.steps[0].environment == "any"


def test_a_version_that_declares_results_ranks_by_their_schema():
    assert VERSION.ranks
    assert VERSION.results_schema == results.parse(packages.RESULTS)
    assert not changed(results=None).ranks


@pytest.mark.parametrize("declared", [packages.results_by("seconds"), None])
def test_versions_share_a_board_only_if_they_read_results_alike(declared):
    assert VERSION.reads_results_like(changed(outputs=[{"source": "x", "key": "x"}], postproc=None))
    assert not VERSION.reads_results_like(changed(results=declared))


def test_versions_post_process_alike_or_not_whatever_else_differs():
    assert VERSION.post_processed
    assert not changed(postproc=None).post_processed
    assert VERSION.post_processes_like(changed(results=packages.results_by("seconds")))
    assert not VERSION.post_processes_like(changed(postproc=None))


def test_a_version_is_shown_without_the_parser_of_templates():
    program = (
        "import sys; from flowserverless.domain import versions; "
        "assert 'flowserverless.domain.templates.templates' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": ":".join(sys.path)})
