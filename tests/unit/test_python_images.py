"""Images that are an official Python: which one they ask for, and what is not one."""

import pytest

from flowserverless.domain.templates import executors, python_images, steps

DIGEST = f"@sha256:{'0a' * 32}"
ANY = ["python", "python:latest", "python:3", "python:slim", "python:alpine3.20", "python:3-slim-bookworm"]
ANY += ["docker.io/python", "docker.io/library/python:latest", "library/python:3"]
ANY += ["public.ecr.aws/docker/library/python:3-slim"]


def where(image, images=executors.LAMBDA_IMAGES):
    return executors.of(steps.Step("s", "container", environment=image, commands=("true",)), images)


def said(image, installed="3.13.2"):
    step = steps.Step("s", "container", environment=image, commands=("true",))
    return executors.other_python(step, installed)


@pytest.mark.parametrize("image", [*ANY, "python:3.13", "python:3.13.2", "python:3.13-slim", "python:3.13.2-alpine"])
def test_a_python_that_the_installation_has_is_executed_by_it_and_nothing_is_said(image):
    assert (where(image), said(image)) == ("lambda", None)


@pytest.mark.parametrize(
    "image", ["python:3.7", "python:3.12-slim", "python:3.13.1", "python:3.14-rc", "python:3.15.0a1", f"python{DIGEST}"]
)
def test_another_python_that_there_is_is_executed_by_the_installations_which_is_said(image):
    assert where(image) == "lambda"
    assert "is executed by Python 3.13.2, which this installation has" in said(image)


@pytest.mark.parametrize("image", ["python:3.99", "python:3.16", "python:4.1", "python:2.7", "python:2", "python:1"])
def test_what_is_no_python_3_is_no_image_of_the_lambda(image):
    assert (where(image), said(image)) == ("batch", None)


@pytest.mark.parametrize(
    "image",
    ["python:nothing", "python:3.13-windowsservercore-ltsc2022", "python:3x", "mypython:3", "python3", "x/python:3"],
)
def test_what_is_no_official_python_is_no_image_of_the_lambda(image):
    assert (python_images.asked(image), where(image), said(image)) == (None, "batch", None)


def test_a_step_that_is_executed_by_its_image_or_has_none_is_not_spoken_of():
    resources = steps.Resources()
    container = steps.Step("s", "container", environment="python:3.7", commands=("true",), resources=resources)
    assert executors.other_python(container, "3.13.2") is None
    assert executors.other_python(steps.Step("s", "code", func="a.b"), "3.13.2") is None
