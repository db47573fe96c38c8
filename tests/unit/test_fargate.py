"""How large the Fargate task of a step is, and what Batch says of a job that failed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowserverless.domain import fargate, limits, runs
from flowserverless.domain.templates import steps

RESOURCES = st.sampled_from(sorted(steps.FARGATE)).flatmap(
    lambda vcpu: st.builds(
        steps.Resources,
        vcpu=st.just(vcpu),
        memory=st.integers(0, (steps.FARGATE[vcpu][1] - steps.FARGATE[vcpu][0]) // steps.FARGATE[vcpu][2]).map(
            lambda more: steps.FARGATE[vcpu][0] + more * steps.FARGATE[vcpu][2]
        ),
    )
)


@given(RESOURCES)
def test_the_containers_of_a_task_add_up_to_what_fargate_has(asked):
    size = fargate.size(asked)
    vcpu = size.vcpu + fargate.COMPANIONS * fargate.COMPANION_VCPU
    memory = size.memory + fargate.COMPANIONS * fargate.COMPANION_MEMORY
    least, most, multiple = steps.FARGATE[vcpu]
    assert least <= memory <= most
    assert (memory - least) % multiple == 0
    assert vcpu >= asked.vcpu


@given(RESOURCES)
def test_a_step_gets_the_memory_it_asks_for_unless_there_is_no_more(asked):
    size = fargate.size(asked)
    _, most, _ = steps.FARGATE[max(asked.vcpu, fargate.MIN_VCPU)]
    assert size.memory >= min(asked.memory, most - fargate.COMPANIONS * fargate.COMPANION_MEMORY)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (steps.Resources(), fargate.Size(0.5, 2560)),
        (steps.Resources(vcpu=0.25, memory=512), fargate.Size(0.5, 1536)),
        (steps.Resources(vcpu=4, memory=30720), fargate.Size(3.5, 30208)),
        (steps.Resources(vcpu=16, memory=40960), fargate.Size(15.5, 48640)),
    ],
)
def test_sizes(asked, expected):
    assert fargate.size(asked) == expected


def described(**more):
    return json.dumps({"JobId": "4f1d", "JobName": "g-1", "Status": "FAILED", **more})


@pytest.mark.parametrize(
    ("cause", "code", "said"),
    [
        (
            described(Container={"Reason": "OutOfMemoryError: Container killed due to memory usage"}),
            "OUT_OF_MEMORY",
            "more memory",
        ),
        (described(StatusReason="Job attempt duration exceeded timeout"), "TIMEOUT", "longer"),
        (
            described(
                StatusReason="Essential container in task exited",
                Attempts=[
                    {"TaskProperties": [{"Containers": [{"Reason": "CannotPullContainerError: no such image"}]}]}
                ],
            ),
            "STEP_FAILED",
            "CannotPullContainerError: no such image",
        ),
        (described(StatusReason="Host EC2 terminated"), "SYSTEM_ERROR", "Host EC2 terminated"),
        (described(), "SYSTEM_ERROR", "no reason was given"),
    ],
)
def test_what_batch_says_of_a_failed_job_becomes_the_reason(cause, code, said):
    reason = fargate.failure(cause)
    assert isinstance(reason, runs.Reason)
    assert reason.code == code
    assert said in reason.detail


def test_the_limit_that_a_job_reached_is_told_with_who_sets_it():
    killed = {"Container": {"Reason": "OutOfMemoryError: Container killed due to memory usage"}}
    detail = fargate.failure(described(**killed, Memory="2560", Seconds=8100)).detail
    assert detail == f"the step needed more memory than the 2560 MiB that it has: {limits.RESOURCES}"
    late = {"StatusReason": "Job attempt duration exceeded timeout"}
    detail = fargate.failure(described(**late, Memory="2560", Seconds=8100)).detail
    assert "longer than 8100 seconds, fetching and delivering included: `resources.timeoutSeconds`" in detail


@pytest.mark.parametrize("cause", ["", "Lambda said no", "[]", "null", '{"errorMessage": "x"}', "1e999", "{" * 5000])
def test_other_causes_are_not_of_batch(cause):
    assert fargate.failure(cause) is None


@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner)
    )
)
def test_any_description_is_read(found):
    reason = fargate.failure(json.dumps({"JobId": 1, "More": found, "StatusReason": found}))
    assert reason is not None
    assert len(reason.detail) <= 1100


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        (
            json.dumps(
                {
                    "errorMessage": "[Errno 21] Is a directory: '/tmp/step-x1/run/model'",
                    "errorType": "IsADirectoryError",
                    "stackTrace": ['  File "/var/task/app.py", line 20, in handler\n'],
                }
            ),
            "[Errno 21] Is a directory: '...'",
        ),
        ("no module at /opt/python/flowserverless/api.py, line 3", "no module at ..., line 3"),
        ("see https://aws.amazon.com/lambda/x for 1/2 of arn:aws:lambda:eu:1:function/a/b", None),
        ("[" * 100_000, None),
        ("", None),
    ],
)
def test_what_a_service_says_of_a_step_names_no_place_in_a_machine(cause, told):
    reason = runs.failure_reason("Failed", cause)
    assert reason.detail == f"the step could not be executed: Failed: {cause if told is None else told}"[:1000]
