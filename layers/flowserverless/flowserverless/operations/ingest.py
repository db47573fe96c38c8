"""Ingests what an external engine delivered to the inbox of its run, and lets the waiting execution go on.

A delivery is judged whole. Until it is accepted nothing of the run changes; from then on it is written down, and
whoever comes across it (the event, its repetition, the execution that begins to wait) carries it on to its end.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from flowserverless import settings
from flowserverless.aws import step_functions
from flowserverless.domain import deliveries, errors, groups, ids, moments, result_files, runs
from flowserverless.domain.ranking.results import MAX_FILE_BYTES
from flowserverless.domain.templates import templates
from flowserverless.store import bucket, inbox, members, run_items, version_items

Json = dict[str, Any]
# A run that ended for one of these did not end by its delivery.
NOT_DELIVERED = ("CANCELED", "TIMEOUT", "SYSTEM_ERROR")
STARTER_LEFT = "STARTER_LEFT"
REFUSALS = (errors.NotFound, errors.Conflict, errors.InvalidRequest, errors.TooLarge)


def results(event: Mapping[str, Any], now: datetime) -> Json:
    """Look at the marker that an EventBridge event (S3, Object Created) tells of; answers the report."""
    marker = inbox.marker(event["detail"]["object"]["key"])
    return _look(marker, now) if marker else {"status": "no marker"}


def wait(event: Mapping[str, Any], now: datetime) -> Json:
    """Keep the token by which the run's execution goes on, and look for a marker that came before it."""
    run = replace(run_items.get(event["run"]), ingest_token=event["token"])
    if not run_items.save_progress(run):
        step_functions.resume(event["token"], {"reason": {"code": "CANCELED", "detail": "the run has ended"}})
        return {"status": "ended"}
    for name in deliveries.MARKERS:
        report = _look(deliveries.Marker(run.id, name), now)
        if report["status"] == "accepted":
            return report
    return {"status": "waiting"}


def _look(marker: deliveries.Marker, now: datetime) -> Json:
    """Accept the delivery that a marker ends, or say why not; the answer is also written beside the marker.

    A marker that is gone was accepted before. For one that comes before the execution waits there is no report
    yet: the execution looks for it.
    """
    key = bucket.inbox(marker.run, marker.name)
    head = bucket.head(key)
    if head is None:
        return {"status": "gone"}
    delivery = None
    try:
        run = _external_run(marker.run)
        if run.active and run.ingest_token is None:
            return {"status": "waiting"}
        delivery = _deliver(run, marker, head, now)
        said = _said(delivery)
    except REFUSALS as refusal:
        if isinstance(refusal, errors.NotFound) and _clear_deleted(marker.run):
            return {"status": "gone"}
        said = {"status": "ignored", "code": refusal.code, "detail": refusal.detail}
    report = {"run": marker.run, "marker": marker.name, **said, "at": moments.text(now)}
    bucket.write_json(bucket.report(key), report)
    if delivery:
        inbox.remove(marker.run, delivery)
    return report


def _said(delivery: inbox.Delivery) -> Json:
    if delivery.refused:
        return {"status": "ignored", "code": STARTER_LEFT, "detail": delivery.refused}
    return {"status": "accepted", "files": len(delivery.files), "bytes": sum(one.size for one in delivery.files)}


def _clear_deleted(run_id: str) -> bool:
    """Remove what was delivered to a run that was deleted, whose form is still good; says whether it is such a run."""
    try:
        closes_at = run_items.inbox_closes_at(ids.run_id(run_id))
    except errors.NotFound:
        return False
    if closes_at is None:
        return False
    while keys := bucket.some(bucket.inbox(run_id)):
        bucket.remove(keys)
    return True


def _external_run(run_id: str) -> runs.Run:
    run = run_items.get(run_id)
    if not run.external:
        raise errors.Conflict(f"run {run_id} is not executed by an external engine", errors.NOT_EXTERNAL)
    return run


def _deliver(run: runs.Run, marker: deliveries.Marker, head: Json, now: datetime) -> inbox.Delivery:
    delivery = inbox.recorded_delivery(run.id)
    if delivery is None:
        runs.require_active(run)
        left = _starter_left(run)
        judged = inbox.Delivery(marker.name, *inbox.identity(head), (), refused=left) if left else None
        delivery = inbox.record(run.id, judged or _judge(run, marker, head))
    if not delivery.done:
        _carry_out(run, delivery, now)
    if not delivery.is_of(marker, head):
        raise errors.Conflict(f"the results of run {run.id} were delivered before", errors.DELIVERED_BEFORE)
    return delivery


def _starter_left(run: runs.Run) -> str | None:
    """Why a run takes no results any more: who started it, and has the form, is no member of its group now.

    Organisers need not have been one.
    """
    if not run.group or run.as_organiser or members.get(groups.Membership(run.group, str(run.started_by))):
        return None
    return f"who started the run is no member of group '{run.group}' any more"


def _judge(run: runs.Run, marker: deliveries.Marker, head: Json) -> inbox.Delivery:
    """The delivery that this marker ends. Raises TooLarge, InvalidRequest; a failure is believed whatever its files."""
    if head["ContentLength"] > MAX_FILE_BYTES:
        raise errors.TooLarge(f"the marker has more than {MAX_FILE_BYTES} bytes", errors.MARKER_TOO_LARGE)
    told = deliveries.told(marker.name, bucket.read(bucket.inbox(run.id, marker.name), MAX_FILE_BYTES) or b"")
    judged = deliveries.judge(
        inbox.listing(run.id),
        settings.current().ingest_files,
        settings.current().ingest_bytes,
    )
    delivery = inbox.Delivery(marker.name, *inbox.identity(head), judged.files, messages=told.messages)
    if marker.name == deliveries.ERROR:
        return delivery
    if judged.faults:
        raise errors.InvalidRequest("; ".join(judged.faults), errors.FILES_REFUSED)
    template = version_items.get(run.workflow, run.version).template
    there = {file.path: file.size for file in judged.files}
    schema = template.results
    if schema and told.metrics is not None and schema.file not in there:
        written = {schema.file: json.dumps(told.metrics)}
        _require_complete(template, {**there, **dict.fromkeys(written, 0)}, told)
        return replace(delivery, written=written)
    _require_complete(template, there, told)
    return delivery


def _require_complete(template: templates.Template, there: Mapping[str, int], told: deliveries.Told) -> None:
    """Raise InvalidRequest when the marker came before files that the workflow asks for; it can be dropped again."""
    missing = [*result_files.missing(template, there)]
    if template.results and template.results.file not in there:
        missing.append(template.results.file)
    if missing:
        names = ", ".join(f"'{name}'" for name in dict.fromkeys(missing))[:2000]
        note = f" ({told.note})" if told.note else ""
        raise errors.InvalidRequest(f"not delivered yet{note}: {names}; drop the marker after them", errors.INCOMPLETE)


def _carry_out(run: runs.Run, delivery: inbox.Delivery, now: datetime) -> None:
    """Hand the delivery to the run, once. Raises Conflict when the run ended otherwise, or the files changed."""
    if not (run.active and _hand_over(run, delivery, now)):
        current = run_items.get(run.id)
        if current.reason and current.reason.code in NOT_DELIVERED:
            runs.require_active(current)
    inbox.conclude(run.id, delivery)


def _hand_over(run: runs.Run, delivery: inbox.Delivery, now: datetime) -> bool:
    """Move the files and let the execution go on; False when it does not wait any more."""
    try:
        inbox.move(run.id, delivery)
    except errors.Conflict:
        inbox.withdraw(run.id)
        raise
    return step_functions.resume(str(run.ingest_token), _outcome(run, delivery, now))


def _outcome(run: runs.Run, delivery: inbox.Delivery, now: datetime) -> Json:
    """What became of the step, as a step in a Lambda tells it."""
    if delivery.refused:
        return {**_ended(run, now), "reason": {"code": STARTER_LEFT, "detail": delivery.refused}}
    failed = delivery.marker == deliveries.ERROR
    first = delivery.messages[0] if delivery.messages else "no message"
    reason = {"code": "STEP_FAILED", "detail": f"the external engine failed: {first}"}
    return {**_ended(run, now), "reason": reason if failed else None, "messages": list(delivery.messages)}


def _ended(run: runs.Run, now: datetime) -> Json:
    begun = moments.text(run.started_at) if run.started_at else None
    return {"exitCode": None, "messages": [], "startedAt": begun, "finishedAt": moments.text(now)}
