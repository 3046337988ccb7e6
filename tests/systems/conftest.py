"""What the tests of systems share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tfface.training import run


@pytest.fixture(scope="module")
def without_export() -> Iterator[None]:
    """Runs that only train: an export takes longer than they do, and has its own tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "export_system", lambda system, folder: folder)
        yield
