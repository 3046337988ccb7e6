"""A training run: from a checked configuration to a checked, exported model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfface.config import Config, ConfigError, FMLConfig, load_config
from tfface.data.corpus import CorpusError
from tfface.data.person_records import read_persons
from tfface.data.photos import PhotoError
from tfface.data.records import damaged_file, read_records
from tfface.encoders.errors import WeightsError
from tfface.files import write_text
from tfface.morphable.model import FaceModelError
from tfface.systems import build_system
from tfface.systems.base import FaceSystem
from tfface.systems.export import ExportError, export_system
from tfface.systems.fml import FML
from tfface.systems.learned_model import learned_morphable_model
from tfface.training.checkpoints import (
    CheckpointError,
    DivergedError,
    History,
    RunCheckpoint,
    latest_checkpoint,
    restore_checkpoint,
    restore_weights,
)
from tfface.training.distribution import is_chief, make_strategy, share_batches, wait_for_all
from tfface.visualization.tensorboard import FacePictures

# What a person can mend: told in one line. Everything else is a bug and keeps its traceback.
USER_ERRORS = (
    ConfigError,
    CorpusError,
    PhotoError,
    FaceModelError,
    WeightsError,
    CheckpointError,
    DivergedError,
    ExportError,
    OSError,
    tf.errors.NotFoundError,
    tf.errors.PermissionDeniedError,
    tf.errors.ResourceExhaustedError,
)
SHOWN_FACES = 4


@dataclass(frozen=True)
class RunFolder:
    """Where a run keeps what: `export` appears last, and only when it has been checked."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config.yaml"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def pictures(self) -> Path:
        return self.root / "pictures"

    @property
    def export(self) -> Path:
        return self.root / "export"


def train(
    config: Config, resume: bool = False, callbacks: Sequence[keras.callbacks.Callback] = ()
) -> History:
    """Trains as configured, exports, and returns the losses of every epoch.

    Args:
        config: The whole run.
        resume: Go on from the last checkpoint of `config.output`, if it has one.
        callbacks: More to call in every stage, before the run's own.

    Raises:
        ConfigError: records, devices or output folder do not fit.
        CheckpointError: the checkpoint was made by another model.
        ExportError: the exported model computes something else; nothing of it is left.
        OSError: the output folder cannot be written.
    """
    folder = RunFolder(Path(config.output))
    with _precision(config.training.mixed_precision):
        strategy = make_strategy(config.training)  # first: reading records starts TensorFlow
        _check_records(config)
        chief = is_chief(strategy)
        _check_output(folder, resume)
        # A global seed of 0 keeps TensorFlow from shuffling by a seed that is a tensor.
        keras.utils.set_random_seed(config.seed or 2**32 - 1)
        with strategy.scope():
            system = _compiled_system(config)
            last = latest_checkpoint(folder.checkpoints) if resume else None
            done, history = restore_checkpoint(last, system) if last else (0, [])
        if chief:  # only now: a run that cannot be resumed keeps its configuration
            write_text(folder.config, config.to_yaml())
        folder.checkpoints.mkdir(exist_ok=True)
        try:
            history = _fit(system, config, folder, done, history, chief, callbacks)
        except tf.errors.DataLossError:
            patterns = [p for found in config.record_patterns.values() for p in found]
            patterns += config.data.synthetic.records
            raise ConfigError(damaged_file(patterns)) from None
    if chief:
        export_system(_exported_system(system, config), folder.export)
    wait_for_all(strategy)
    return history


def export_run(run: Path, output: Path) -> None:
    """Exports the last checkpoint of a run to another folder.

    Raises:
        ConfigError: `run` is not the folder of a run, or has no checkpoint.
        CheckpointError, ExportError, OSError: as `train`.
    """
    system, config = _trained_system(run)
    export_system(_exported_system(system, config), output)


def export_face_model(run: Path, output: Path, persons: int = 1024) -> None:
    """Saves the face model that a run of FML has learned, from its last checkpoint.

    Args:
        run: Its folder.
        output: A `.npz` file for `face_model.path` of other runs.
        persons: Its modes are the principal components of so many persons of the run's data.

    Raises:
        ConfigError: also if the run is of another system.
        CheckpointError, OSError: as `train`.
    """
    system, config = _trained_system(run)
    if not isinstance(system, FML):
        raise ConfigError(f"{run}: expected a run of fml, which learns a face model, got one of "
                          f"{config.system}")  # fmt: skip
    batches = system.training_batches(config.data, config.training.batch_size, config.seed)
    count = -(-persons // config.training.batch_size)
    codes = [
        system.layout.join({k: part[:, 0] for k, part in system(images).items()})
        for images, _ in tqdm(batches.take(count), "persons", count, unit="batch")
    ]
    learned_morphable_model(system, np.concatenate(codes)).save(output)


def _trained_system(run: Path) -> tuple[FaceSystem, Config]:
    """The system of a run's last checkpoint."""
    folder = RunFolder(run)
    config = load_config(folder.config)
    last = latest_checkpoint(folder.checkpoints)
    if last is None:
        raise ConfigError(f"{folder.checkpoints}: expected a checkpoint, got none")
    system = _built_system(config)
    restore_weights(last, system)
    return system, config


def describe_run(config: Config) -> str:
    """Returns the lines that tell where the results of a run are."""
    folder = RunFolder(Path(config.output))
    return "\n".join(
        (
            f"model       {folder.export} (SavedModel, encoder.tflite; checked)",
            f"pictures    {folder.pictures}",
            f"TensorBoard tensorboard --logdir {folder.logs}",
            f"checkpoints {folder.checkpoints} (go on with --resume)",
        )
    )


def _check_records(config: Config) -> None:
    read: Callable[..., tf.data.Dataset] = read_records
    if isinstance(config, FMLConfig):
        read = partial(read_persons, frames=config.model.frames)
    for key, patterns in config.record_patterns.items():
        try:
            if patterns and next(iter(read(patterns, config.model.image_size)), None) is None:
                raise ValueError(f"expected faces, got empty files: {', '.join(patterns)}")
        except (ValueError, tf.errors.InvalidArgumentError, tf.errors.DataLossError) as error:
            reason = error.message if isinstance(error, tf.errors.OpError) else error
            raise ConfigError(f"{key}: {reason}") from None


def _check_output(folder: RunFolder, resume: bool) -> None:
    """Says in time why the folder cannot be used."""
    if not resume and latest_checkpoint(folder.checkpoints):
        raise ConfigError(
            f"output: expected a new folder, got {folder.root}, which holds a run: "
            "add --resume to go on, or choose another output=..."
        )
    folder.root.mkdir(parents=True, exist_ok=True)


def _built_system(config: Config) -> FaceSystem:
    system = build_system(config)
    system(np.zeros((1, system.image_size, system.image_size, 3), np.float32), training=False)
    return system


def _compiled_system(config: Config) -> FaceSystem:
    system = _built_system(config)
    system.compile(optimizer=system.make_optimizer(config))
    try:
        system.optimizer.build(system.trainable_variables)
    except ValueError as error:  # a multiplier for a part that the code does not have
        raise ConfigError(f"optimizer: {error}") from None
    return system


def _exported_system(system: FaceSystem, config: Config) -> FaceSystem:
    """A float32 system outside any strategy that has learned the same, with the exported mesh."""
    face_model = config.face_model.model_copy(update={"detail": config.face_model.exported})
    copy = _built_system(config.model_copy(update={"face_model": face_model}))
    for target, source in zip(copy.learned_variables, system.learned_variables, strict=True):
        target.assign(tf.convert_to_tensor(source))
    return copy


def _fit(
    system: FaceSystem,
    config: Config,
    folder: RunFolder,
    done: int,
    history: History,
    chief: bool,
    more_callbacks: Sequence[keras.callbacks.Callback],
) -> History:
    """Trains what is left of the stages after `done` epochs of the run."""
    training = config.training
    stages = [stage for stage in system.stages(config, folder.root, chief) if done < stage.end]
    if not stages:
        return history
    sizes = config.data, training.batch_size, config.seed
    validation = system.validation_batches(*sizes)
    if validation is not None:  # the same faces after every epoch
        validation = share_batches(_kept(validation.take(training.validation_steps)))
    checkpoint = RunCheckpoint(
        folder.checkpoints, training.checkpoint_every_epochs, history, chief=chief
    )
    callbacks: list[keras.callbacks.Callback] = [checkpoint]
    if chief:
        shown = next(iter(validation or system.training_batches(*sizes)))[0]
        shown = tf.reshape(shown, [-1, *shown.shape[-3:]])[:SHOWN_FACES]  # persons' pictures singly
        callbacks += [
            keras.callbacks.TensorBoard(str(folder.logs), write_graph=False),
            FacePictures(
                shown.numpy(),
                folder.logs / "pictures",
                folder.pictures,
                training.image_every_epochs,
                stages[-1].end,
            ),
        ]
    for stage in stages:
        batches = stage.make_batches((done - stage.first) * training.steps_per_epoch)
        system.fit(
            share_batches(batches),
            epochs=stage.end,
            initial_epoch=done,
            steps_per_epoch=training.steps_per_epoch,
            validation_data=validation,
            callbacks=[*more_callbacks, *callbacks],
            shuffle=False,  # the dataset is what it is
        )
        done = stage.end
    return checkpoint.history


def _kept(batches: tf.data.Dataset) -> tf.data.Dataset:
    """The batches, in memory; TensorFlow may take a cache that was read in part for a whole one."""
    kept = batches.cache()
    for _ in kept:
        pass
    return kept


@contextmanager
def _precision(mixed: bool) -> Iterator[None]:
    """Computes in float16 where it is safe, with float32 weights, inside the context."""
    before = keras.config.dtype_policy()
    if mixed:
        keras.config.set_dtype_policy("mixed_float16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
