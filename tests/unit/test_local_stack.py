"""What is decided about the local stack before any process is started."""

import io
import json
import os
import zipfile

import pytest

from local import deployment, emulator, publish, stack, template

OUTPUTS = {
    "ApiUrl": "https://a1b2c3.execute-api.us-east-1.amazonaws.com/v1",
    "BucketName": "bucket",
    "TableName": "table",
    "UserPoolId": "pool",
    "UserPoolClientId": "client",
    "StateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:run",
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "flowserv.yaml").write_text("name: greetings\n")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "greet.py").write_text("print('hello')\n")
    return tmp_path


def test_a_package_holds_the_files_of_the_folder(folder):
    with zipfile.ZipFile(io.BytesIO(publish.package(folder))) as archive:
        assert archive.namelist() == ["code/greet.py", "flowserv.yaml"]
        assert archive.read("code/greet.py") == b"print('hello')\n"


def test_packages_of_equal_folders_are_equal(folder):
    before = publish.package(folder)
    os.utime(folder / "flowserv.yaml", (0, 0))
    (folder / "code" / "greet.py").chmod(0o600)
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref")
    (folder / "code" / "__pycache__").mkdir()
    (folder / "code" / "__pycache__" / "greet.pyc").write_text("code")
    assert publish.package(folder) == before


def test_a_report_names_every_fault_in_a_line_of_its_own():
    faults = [{"place": "steps[0].files", "message": "leaves the folder"}, {"place": "name", "message": "is empty"}]
    assert publish.text({"workflow": "w", "status": "rejected", "faults": faults}).splitlines() == [
        "workflow w is rejected",
        "  steps[0].files: leaves the folder",
        "  name: is empty",
    ]
    accepted = {"workflow": "w", "status": "accepted", "version": "abc", "faults": []}
    assert publish.text(accepted) == "workflow w is accepted as version abc"
    accepted["warnings"] = [{"place": "t.yaml:3 parameters[0].target", "message": "lies beside programs"}]
    assert publish.text(accepted).splitlines()[1:] == ["  warning: t.yaml:3 parameters[0].target: lies beside programs"]


def test_a_report_names_every_warning_although_the_workflow_is_accepted():
    warnings = [{"place": "workflow.yaml:3 deadline", "message": "is ignored"}]
    report = {"workflow": "w", "status": "accepted", "version": "abc", "faults": [], "warnings": warnings}
    assert publish.text(report).splitlines() == [
        "workflow w is accepted as version abc",
        "  warning: workflow.yaml:3 deadline: is ignored",
    ]


def test_a_local_api_is_addressed_by_path_and_one_in_aws_by_its_own_name():
    here = stack.described(OUTPUTS, "flowserverless", "http://127.0.0.1:4566")
    assert here.api_url == "http://127.0.0.1:4566/_aws/execute-api/a1b2c3/v1"
    assert stack.described(OUTPUTS, "flowserverless").api_url == OUTPUTS["ApiUrl"]


def test_stack_json_has_the_promised_names():
    written = json.loads(json.dumps(stack.document(stack.described(OUTPUTS, "s", "http://127.0.0.1:4566"))))
    names = {"apiUrl", "endpointUrl", "bucket", "table", "userPoolId", "userPoolClientId", "stateMachineArn"}
    assert written.keys() == names
    assert all(written.values())


def test_short_forms_are_written_out(tmp_path):
    path = tmp_path / "template.yaml"
    path.write_text(
        """
        Parameters: {Days: {Type: Number, Default: 30}, Open: {Type: String, Default: "true"}, Name: {Type: String}}
        Resources:
          Table: {Type: "AWS::DynamoDB::Table", Properties: {Key: !GetAtt A.B.C, Ref: !Ref Table}}
          Other: {Type: "AWS::S3::Bucket", Properties: {Name: !Sub ["${X}", {X: !If [Many, a, b]}]}}
          Plain: {Type: "AWS::S3::Bucket"}
        """
    )
    assert template.resources("AWS::DynamoDB::Table", path) == {
        "Table": {"Key": {"Fn::GetAtt": ["A", "B.C"]}, "Ref": {"Ref": "Table"}}
    }
    assert template.resources("AWS::S3::Bucket", path) == {
        "Other": {"Name": {"Fn::Sub": ["${X}", {"X": {"Fn::If": ["Many", "a", "b"]}}]}},
        "Plain": {},
    }
    assert template.defaults(path) == {"Days": "30", "Open": "true"}


def test_a_parameter_that_the_template_does_not_have_is_refused(tmp_path):
    nowhere = deployment.Target(emulator.Emulator(tmp_path, port=0, pid=0, keep=False))
    with pytest.raises(deployment.DeploymentError, match=r"no parameter Colour, Size$"):
        deployment.deploy(nowhere, {"Size": "1", "TokenHours": "2", "Colour": "red"})


def test_the_commands_of_the_stack_see_no_aws_account_of_the_caller(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret")
    seen = deployment.Target(emulator.Emulator(tmp_path, port=4566, pid=0, keep=False)).environment
    assert "AWS_PROFILE" not in seen
    assert "AWS_SESSION_TOKEN" not in seen
    assert seen["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
