"""A visit with flowServ's own client: its remote service classes do the main job, and say what they were answered.

Run by the Python of flowServ's environment with the service's URL, a workflow's id and a file to upload; the
answers come out as one JSON object. It takes the routes from the service's descriptor and has none of its own.
"""

import io
import json
import sys
import tarfile
import time

from flowserv.config import FLOWSERV_ACCESS_TOKEN, env
from flowserv.model.template.schema import SortColumn
from flowserv.service.descriptor import ROUTES, ServiceDescriptor
from flowserv.service.files.remote import RemoteUploadFileService
from flowserv.service.group.remote import RemoteWorkflowGroupService
from flowserv.service.remote import get
from flowserv.service.run.remote import RemoteRunService
from flowserv.service.user.remote import RemoteUserService
from flowserv.service.workflow.remote import RemoteWorkflowService
from flowserv.volume.fs import FSFile

SECONDS = 120
POLL_SECONDS = 0.5
PASSWORD = "correct horse"


def visit(url, workflow, path):
    """Everything from registering to signing out, in order; the answers by what was asked."""
    told = get(f"{url}/")
    descriptor = ServiceDescriptor(told, routes={})
    users, groups = RemoteUserService(descriptor), RemoteWorkflowGroupService(descriptor)
    workflows, runs = RemoteWorkflowService(descriptor), RemoteRunService(descriptor)
    uploads = RemoteUploadFileService(descriptor)

    said = {"descriptor": told, "routes": ROUTES}
    said["registered"] = users.register_user("grace", PASSWORD)
    said["login"] = users.login_user("grace", PASSWORD)
    token = env().get(FLOWSERV_ACCESS_TOKEN)
    said["whoami"] = users.whoami_user(token)
    said["users"] = users.list_users()
    said["workflows"] = workflows.list_workflows()
    said["workflow"] = workflows.get_workflow(workflow)
    said["group"] = groups.create_group(workflow, "Graces group", members=[said["whoami"]["id"]], identifier="graces")
    group = said["group"]["id"]
    said["renamed"] = groups.update_group(group, name="The group of Grace")
    said["groups"] = [groups.list_groups(), groups.list_groups(workflow)]
    said["uploaded"] = uploads.upload_file(group, FSFile(path), "names.txt")
    file = said["uploaded"]["id"]
    said["uploads"] = uploads.list_uploaded_files(group)
    said["upload"] = uploads.get_uploaded_file(group, file).read().decode()

    argument = {"name": "names", "value": {"type": "$file", "value": {"fileId": file}}}
    said["started"] = runs.start_run(group, [argument])
    run = said["started"]["id"]
    said["run"] = ended(runs, run)
    said["listed"] = [runs.list_runs(group), runs.list_runs(group, "SUCCESS"), runs.list_runs(group, "ERROR")]
    said["result"] = runs.get_result_file(run, said["run"]["files"][0]["id"]).read().decode()
    with tarfile.open(fileobj=io.BytesIO(runs.get_result_archive(run).read())) as archive:
        said["archive"] = sorted(archive.getnames())
    said["leaderboard"] = [
        workflows.get_ranking(workflow),
        workflows.get_ranking(workflow, order_by=[SortColumn("count", sort_desc=False)], include_all=True),
    ]
    said["handle"] = groups.get_group(group)
    runs.delete_run(run)
    uploads.delete_file(group, file)
    said["left"] = [runs.list_runs(group), uploads.list_uploaded_files(group)]
    groups.delete_group(group)
    said["logout"] = users.logout_user(token)
    return said


def ended(runs, run):
    """The run, once it has ended."""
    deadline = time.monotonic() + SECONDS
    while True:
        handle = runs.get_run(run)
        if handle["state"] not in ("PENDING", "RUNNING"):
            return handle
        if time.monotonic() > deadline:
            raise TimeoutError(f"run {run} is still {handle['state']}")
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    json.dump(visit(*sys.argv[1:]), sys.stdout)
