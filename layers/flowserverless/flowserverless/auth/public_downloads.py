"""Who may download: members what is their group's, and with the parameter PublicDownloads anybody who knows the id."""

from flowserverless import settings
from flowserverless.auth import credentials, permissions
from flowserverless.domain import ids, runs, uploads, users
from flowserverless.store import run_items, upload_items


def run(who: users.Caller, run_id: str) -> runs.Run:
    """The run whose files are asked for."""
    if settings.current().public_downloads:
        return run_items.get(run_id)
    if not who.user and not ids.run_id(run_id).owner.post_processing:
        raise credentials.refusal(who.problem)
    return permissions.run(who, run_id).run


def upload(who: users.Caller, group_id: str, file: str) -> uploads.Upload:
    """The upload whose bytes are asked for."""
    if not settings.current().public_downloads:
        if not who.user:
            raise credentials.refusal(who.problem)
        permissions.group(who, group_id)
    return upload_items.get(group_id, file)
