"""Pickles of FLAME: every way they are written, and those that ask for more than arrays."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from tests.morphable import make_model_files as make
from tests.morphable.make_model_files import SmallFace
from tfface.morphable.model import FaceModelError, MorphableModel
from tfface.morphable.readers import read_flame


class Evil:
    """Reduces to a call of anything."""

    def __init__(self, function: object, *args: object) -> None:
        self.call = function, args

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call  # type: ignore[return-value]


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("nested", [False, True])
def test_an_evil_pickle_is_refused_and_not_run(protocol: int, nested: bool, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    evil: object = Evil(os.system, f"touch {marker}")
    if nested:
        evil = {"v_template": np.zeros((4, 3)), "shapedirs": evil, "f": None}
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(evil, protocol=protocol))
    with pytest.raises(FaceModelError, match=r"evil.pkl: expected .*(posix|nt)\.system.*not run"):
        read_flame(tmp_path / "evil.pkl")
    assert not marker.exists()


@pytest.mark.parametrize(
    "name", ["builtins eval", "builtins getattr", "numpy load", "numpy.core.multiarray array",
             "chumpy.ch os", "tfface.morphable.readers.flame read_flame"]
)  # fmt: skip
def test_every_other_name_is_refused(name: str, tmp_path: Path) -> None:
    module, attribute = name.split()
    text = f"c{module}\n{attribute}\n(S'1'\ntR.".encode()
    (tmp_path / "evil.pkl").write_bytes(b"\x80\x02" + text)
    with pytest.raises(FaceModelError, match=f"call for {module}.{attribute}"):
        read_flame(tmp_path / "evil.pkl")


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_every_protocol(
    protocol: int, face: SmallFace, template: MorphableModel, tmp_path: Path
) -> None:
    path = tmp_path / "flame.pkl"
    arrays = make.flame_arrays(face)
    with make.fake_chumpy() as chumpy:
        arrays["shapedirs"] = np.asfortranarray(arrays["shapedirs"][..., :302], np.float32)
        shape = arrays["v_template"].shape
        arrays["v_template"] = chumpy.select(arrays["v_template"].ravel(), shape)
        path.write_bytes(pickle.dumps(arrays, protocol=protocol))
    model = read_flame(path, template)
    np.testing.assert_allclose(model.identity[..., :5], face.identity, atol=0.01)
    np.testing.assert_allclose(model.mean, face.mean - make.SHIFT, atol=0.1)
