"""Operations against moto, in tables and buckets as template.yaml declares them."""

import pytest


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Load the fixtures after tests/conftest.py gave the table its name, because modules read it when imported."""
    for name in ("fixtures", "accounts", "teams", "uploads"):
        config.pluginmanager.import_plugin(f"support.{name}")
