"""What the tests of the scripts of `tools/` share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def tools(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a test import the scripts of `tools/`."""
    monkeypatch.syspath_prepend(str(repository / "tools"))
