"""Limits, switches and names of an installation, as the template sets them in the environment of functions."""

import dataclasses
import functools
import os
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Settings:
    """Each field is the environment variable of that name, in capitals; one that is not set, or empty, has the default.

    The defaults are those of the template's parameters.
    """

    # Names have no default: without an installation there is nothing to name.
    table_name: str = ""
    bucket_name: str = ""
    user_pool_id: str = ""
    user_pool_client_id: str = ""
    state_machines: str = ""
    """What the ARNs of all state machines begin with; the rest is a machine's name within the stack."""
    api_url: str = ""
    """Only the function that orders jobs is told it: those that the API refers to cannot refer to the API."""
    run_step_function: str = ""

    api_url_form: str = "https://{domainName}{basePath}"
    allowed_origin: str = "*"
    self_registration: str = "closed"
    """A function that is not told lets nobody in; the template's default is another."""
    public_downloads: bool = False
    batch: bool = False
    notebooks: bool = False

    run_seconds: int = 3600
    max_run_seconds: int = 86400
    max_active_runs: int = 100
    keep_run_days: int = 0
    upload_bytes: int = 5_000_000_000
    ingest_bytes: int = 20_000_000_000
    ingest_files: int = 10_000
    archive_bytes: int = 20_000_000_000
    step_seconds: int = 780
    step_memory_mb: int = 1769
    step_processes: int = 64
    step_open_files: int = 512
    step_cpu_seconds: int = 1800
    output_bytes: int = 400_000_000
    file_bytes: int = 400_000_000
    log_bytes: int = 1_000_000
    job_output_bytes: int = 20_000_000_000
    post_processing_delay: int = 2
    grace_seconds: int = 60

    @property
    def executors(self) -> frozenset[str]:
        """What can be executed beside runs of external engines: see domain/templates/steps.py, ANYTHING."""
        switches = {"batch": self.batch, "notebook": self.notebooks}
        return frozenset({"lambda", *(name for name, on in switches.items() if on)})


@functools.cache
def current() -> Settings:
    """The settings of this installation; a process reads them once."""
    return read(os.environ)


def read(environment: Mapping[str, str]) -> Settings:
    """The settings that an environment has. Raises ValueError when a number is none."""
    given = {field: environment.get(field.name.upper()) for field in dataclasses.fields(Settings)}
    return Settings(**{field.name: _value(text, type(field.default)) for field, text in given.items() if text})


def _value(text: str, kind: type) -> Any:
    return text == "true" if kind is bool else kind(text)
