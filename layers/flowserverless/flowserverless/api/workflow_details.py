"""A workflow with all that people want to know of it."""

from flowserverless.api import handles, post_processing, views
from flowserverless.domain import kept_files, public_files, users, versions, workflows
from flowserverless.store import group_items, version_items

MAX_GROUPS = 1000


def workflow(who: users.Caller, workflow_id: str) -> handles.WorkflowHandle:
    """A workflow with its post-processing results, and the caller's groups of it. Raises NotFound."""
    head, published = version_items.with_workflow(workflow_id)
    handle = _handle(head, published, post_processing.handle(head))
    if who.user:
        mine, _ = group_items.of_user(who.user, MAX_GROUPS, None, workflow_id)
        handle["groups"] = [views.group_line(link) for link in mine]
    return handle


def _handle(
    of: workflows.Workflow,
    published: versions.Version,
    postproc: handles.PostProcessingHandle | handles.RunHandle | None,
) -> handles.WorkflowHandle:
    """A workflow's handle."""
    document = published.document
    handle: handles.WorkflowHandle = views.present(
        id=of.id,
        name=published.name,
        version=published.id,
        description=published.description,
        instructions=published.instructions,
        parameters=document.get("parameters", []),
        parameterGroups=document.get("parameterGroups"),
        outputs=document.get("outputs"),
        rankingVersion=of.ranking_version,
        publicFiles=[_public_file(of.id, *one) for one in published.public],
        postproc=postproc,
    )
    return handle


def _public_file(workflow: str, path: str, size: int) -> handles.PublicFileHandle:
    file_id = public_files.identifier(path)
    return {
        "id": file_id,
        "name": path,
        "size": size,
        "mediaType": kept_files.media_type(path),
        "url": f"workflows/{workflow}/files/{file_id}",
    }
