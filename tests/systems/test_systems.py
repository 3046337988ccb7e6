"""One harness that every system must pass; `loadscope` gives each system a worker of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.gpu_kernels import assert_gpu_kernels
from tfface import export
from tfface.config import Config, load_config
from tfface.morphable.load import load_face_model
from tfface.systems import SYSTEMS, build_system
from tfface.systems.base import FaceSystem
from tfface.systems.coarse_net import CoarseNet
from tfface.systems.export import check_export, export_system
from tfface.training import run

SMALL = [
    "face_model.detail=coarse",
    "data.synthetic.corpus=8",
    "data.synthetic.supersampling=1",
    "optimizer.learning_rate=1e-3",
    "optimizer.schedule=constant",
    "optimizer.warmup_steps=0",
    "training.batch_size=4",
    "training.epochs=3",
    "training.steps_per_epoch=2",
    "training.validation_steps=1",
    "training.image_every_epochs=3",
]
IMAGE_SIZES = {"identity_regression": 112}  # px, others 64
# The error of the pose depends on the solution that a pass begins with, which is drawn.
MORE = {
    "coarse_fine": ["losses.pose=0.1", "end_to_end.fine_epochs=1"],
    "fml": [
        "model.frames=2",
        "model.nodes=64",
        "joint.epochs=1",
        "joint.reflectance_epochs=1",
        "optimizer.learning_rate=3e-4",
    ],
}
EVERYTHING_ELSE = {
    "face_model": {"detail": "fine", "exported": "fine"},
    "model": {"sampled_vertices": 100},
    "optimizer": {"name": "adadelta"},
}
MULTIPLIED = {"identity_regression": "fc2", "coarse_fine": "code"}  # others translation_z
pytestmark = pytest.mark.slow


@pytest.fixture(scope="class")
def config(
    request: pytest.FixtureRequest, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Config:
    file = repository / "configs" / f"{request.cls.name}_quickstart.yaml"
    folder = tmp_path_factory.mktemp(request.cls.name)
    size = f"model.image_size={IMAGE_SIZES.get(request.cls.name, 64)}"
    more = MORE.get(request.cls.name, [])
    return load_config(file, [*SMALL, *more, size, f"output={folder / 'run'}"])


def _change(config: Config, output: Path | None = None, **training: object) -> Config:
    changed = config.model_dump()
    changed["training"] |= training
    for later in {"unsupervised", "end_to_end", "joint"} & set(changed):
        if "epochs" in training:
            epochs = {key for key in changed[later] if key.endswith("epochs")}
            changed[later] |= dict.fromkeys(epochs, 0)
    changed["output"] = str(output or config.output)
    return type(config)(**changed)


def _built(config: Config) -> FaceSystem:
    system = build_system(config)
    system(np.zeros((1, system.image_size, system.image_size, 3), np.float32))
    return system


@pytest.fixture(scope="class")
def system(config: Config) -> FaceSystem:
    """Untrained but for its last layers, which start at zero and would hide mistakes."""
    system = _built(config)
    random = np.random.default_rng(0)
    for variable in (v for v in system.learned_variables if v.trainable):
        noise = 0.01 * random.standard_normal(variable.shape).astype(np.float32)
        variable.assign(variable + noise)
    return system


@pytest.fixture(scope="class")
def images(system: FaceSystem) -> np.ndarray:
    size = system.image_size
    return np.random.default_rng(1).random((2, size, size, 3), np.float32)


@pytest.fixture(scope="class")
def exported(system: FaceSystem, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_system(system, tmp_path_factory.mktemp("exported") / "model")


@pytest.fixture(scope="class")
def trained(config: Config, without_export: None) -> list[dict[str, float]]:
    """The history of a run on one device."""
    return run.train(config)


def _batches(system: FaceSystem, config: Config, folder: Path) -> tf.data.Dataset:
    """Those of the last stage, whose losses are the most; CoarseNet's solutions do not matter."""
    *_, last = system.stages(config, folder)
    with mock.patch.object(CoarseNet, "iterate", lambda net, images: _zeros(images, net)):
        return last.make_batches(0)


def _zeros(images: tf.Tensor, net: CoarseNet) -> tf.Tensor:
    return tf.zeros([tf.shape(images)[0], 1, net.representation.size])


def _losses(history: list[dict[str, float]], name: str = "loss") -> list[float]:
    return [epoch[name] for epoch in history]


class Harness:
    """What every system is held to.

    Attributes:
        name: Of the system.
    """

    name: str

    def test_predict_gives_the_named_parts(self, system: FaceSystem, images: np.ndarray) -> None:
        parts = system.predict(images, verbose=0)
        assert list(parts) == list(system.layout.parts)
        for name, part in system.layout.parts.items():
            assert parts[name].shape[0] == 2
            assert np.prod(parts[name].shape[1:]) == part.size
            assert parts[name].dtype == np.float32

    def test_reconstruct_gives_the_face_as_well(
        self, system: FaceSystem, images: np.ndarray
    ) -> None:
        face = system.reconstruct(images)
        assert set(system.layout.parts) <= set(face)
        count = 1 + int(np.max(system.triangles))
        assert face["vertices"].shape == (2, count, 3)
        assert face["albedo"].shape == (2, count, 3)
        assert face["landmarks"].shape[:2] == (2, 68)  # in the picture, if there is a camera
        assert ("camera" in face) == (face["landmarks"].shape[2] == 2)

    def test_decode_gives_the_face_of_a_code(self, system: FaceSystem, images: np.ndarray) -> None:
        face = system.reconstruct(images)
        layout = system.decoded_layout  # with parts that a system without them leaves at zero
        neutral = {name: tf.zeros([2, part.size]) for name, part in layout.parts.items()}
        decoded = system.decode(layout.join(neutral | system(images)))
        for name in ("vertices", "albedo"):
            np.testing.assert_allclose(decoded[name], face[name], atol=1e-3)

    def test_pictures_are_pictures(self, system: FaceSystem, images: np.ndarray) -> None:
        pictures = system.render(images)
        assert {"input", "render", "geometry", "albedo"} <= set(pictures)
        for name, picture in pictures.items():
            assert picture.shape == images.shape, name
            assert np.min(picture) >= 0.0, name
            assert np.max(picture) <= 1.0, name

    def test_a_keras_file_reloads(
        self, system: FaceSystem, images: np.ndarray, tmp_path: Path
    ) -> None:
        system.save(tmp_path / "system.keras")
        loaded = keras.saving.load_model(tmp_path / "system.keras", compile=False)
        for name, part in system(images).items():
            np.testing.assert_allclose(loaded(images)[name], part, atol=1e-5)

    def test_training_lowers_the_loss(
        self, config: Config, trained: list[dict[str, float]]
    ) -> None:
        assert np.isfinite(_losses(trained)).all()
        # A later stage has other losses.
        assert _losses(trained)[config.training.epochs - 1] < _losses(trained)[0]

    def test_a_continued_run_gives_the_same_losses(
        self, config: Config, trained: list[dict[str, float]], tmp_path: Path
    ) -> None:
        """As though it had been killed in its last epoch."""
        shutil.copytree(config.output, tmp_path / "run")
        run.latest_checkpoint(tmp_path / "run" / "checkpoints").unlink()
        continued = run.train(_change(config, tmp_path / "run"), resume=True)
        assert len(continued) == len(trained)
        for name in ("loss", "val_loss"):
            np.testing.assert_allclose(_losses(continued, name), _losses(trained, name), rtol=1e-4)

    def test_two_devices_give_the_losses_of_one(
        self, config: Config, trained: list[dict[str, float]], tmp_path: Path
    ) -> None:
        mirrored = {"strategy": "mirrored", "devices": ["CPU:0", "CPU:1"], "epochs": 1}
        history = run.train(_change(config, tmp_path / "run", **mirrored))
        np.testing.assert_allclose(_losses(history), _losses(trained)[:1], rtol=2e-3)

    def test_mixed_precision_trains(
        self, config: Config, without_export: None, tmp_path: Path
    ) -> None:
        history = run.train(_change(config, tmp_path / "run", mixed_precision=True, epochs=2))
        assert np.isfinite(_losses(history)).all()
        assert _losses(history)[-1] < _losses(history)[0]

    def test_the_export_computes_what_the_system_does(
        self, system: FaceSystem, exported: Path
    ) -> None:
        differences = check_export(system, exported)
        functions = {"serve (float32)", "serve (uint8)", "decode", "encoder.tflite"}
        detail = {f"detail ({size} px)" for size in system.detail_sizes}
        assert set(differences) == functions | set(system.other_encoders) | detail

    def test_the_export_loads_without_tfface(
        self, system: FaceSystem, exported: Path, tmp_path: Path
    ) -> None:
        size = system.image_size
        code = (
            "import sys, json, tensorflow as tf\n"
            f"model = tf.saved_model.load({str(exported)!r})\n"
            f"parts = model.serve(tf.zeros((1, {size}, {size}, 3)))\n"
            "print(json.dumps([sorted(parts), 'tfface' in sys.modules]))"
        )
        result = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stderr
        names, imported = json.loads(result.stdout.splitlines()[-1])
        assert names == sorted(system.layout.parts)
        assert not imported

    @pytest.mark.parametrize(
        ("policy", "changes"), [("mixed_float16", {}), ("float32", EVERYTHING_ELSE)]
    )
    def test_every_op_has_a_gpu_kernel(
        self, config: Config, policy: str, changes: dict[str, dict[str, object]], tmp_path: Path
    ) -> None:
        tree = config.model_dump()
        for section, values in changes.items():  # settings that the system has
            tree[section] |= {name: v for name, v in values.items() if name in tree[section]}
        tree["optimizer"]["multipliers"] = {MULTIPLIED.get(config.system, "translation_z"): 0.005}
        config = type(config)(**tree)
        keras.config.set_dtype_policy(policy)
        try:
            system = _built(config)
            system.compile(optimizer=system.make_optimizer(config))
        finally:
            keras.config.set_dtype_policy("float32")
        data = _batches(system, config, tmp_path)

        @tf.function
        def step(images: tf.Tensor, targets: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return system.train_step((images, targets))

        assert_gpu_kernels(step.get_concrete_function(*data.element_spec))

    def test_every_op_of_the_export_has_a_gpu_kernel(self, exported: Path) -> None:
        for function in tf.saved_model.load(str(exported)).signatures.values():
            assert_gpu_kernels(function)

    def test_the_input_pipeline_overlaps_with_training(
        self, system: FaceSystem, config: Config, tmp_path: Path
    ) -> None:
        data = _batches(system, config, tmp_path)
        graph = tf.raw_ops.DatasetToGraphV2(input_dataset=tf.data.experimental.to_variant(data))
        nodes = tf.compat.v1.GraphDef.FromString(graph.numpy()).node
        ops = [node.op for node in nodes if "Dataset" in node.op]
        assert ops[-1].startswith("Prefetch")
        assert any(op.startswith("ParallelMap") for op in ops)


class TestMoFA(Harness):
    name = "mofa"


class TestInverseFaceNet(Harness):
    name = "inverse_facenet"


class TestIdentityRegression(Harness):
    name = "identity_regression"


class TestCoarseFine(Harness):
    name = "coarse_fine"


class TestFML(Harness):
    name = "fml"

    def test_another_system_takes_the_face_model_of_a_run(
        self, config: Config, trained: list[dict[str, float]], repository: Path, tmp_path: Path
    ) -> None:
        file = tmp_path / "learned.npz"
        assert export.main([config.output, "--face-model", str(file)]) == 0
        learned = load_face_model(file)
        other = load_config(
            repository / "configs" / "mofa_quickstart.yaml",
            [f"face_model.path={file}", "model.image_size=64", f"output={tmp_path}"],
        )
        parts = build_system(other)(np.zeros((1, 64, 64, 3), np.float32))
        assert parts["identity"].shape == (1, learned.identity.shape[-1])


def test_every_system_is_in_the_harness() -> None:
    assert {kind.name for kind in Harness.__subclasses__()} == set(SYSTEMS)
