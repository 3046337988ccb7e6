"""Self-supervised bootstrapping: drawn faces that move towards unlabelled photos.

InverseFaceNet (Kim et al. 2018): regress the codes of the photos with the present network; draw new
codes around them; render these, a corpus with true labels whose distribution is nearer to that of
the photos; train on it; repeat. The labels are always exact, only the distribution moves.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfface.code import CodeLayout
from tfface.config import ConfigError, InverseFaceNetConfig
from tfface.data.code_samplers import CodeNeighbourhood, CodeSampler, FaceSampler, MixedSampler
from tfface.data.records import read_records
from tfface.data.training_data import training_batches
from tfface.files import write_by_rename
from tfface.systems.base import Stage
from tfface.systems.code_regressor import CodeRegressor

_BATCH = 64  # photos that are regressed together
_LOGGED = 2048  # codes in a histogram
_MODES = 4  # that have a histogram of their own


class Bootstrapping:
    """The rounds of a run.

    Round n writes the codes of the photos at its beginning to `rounds/round-0n.npz`: a run that is
    resumed inside the round draws the same corpus again. TensorBoard shows the photos' codes and
    the corpus of each round as histograms, step 0 the corpus before.

    Args:
        system: Is being trained.
        config: Of the run.
        folder: Of the run.
        chief: False on workers that write nothing.
    """

    def __init__(
        self, system: CodeRegressor, config: InverseFaceNetConfig, folder: Path, chief: bool
    ) -> None:
        self.system, self.config, self.settings = system, config, config.bootstrapping
        self.folder, self.chief = folder, chief
        self.initial = FaceSampler(system.morphable_model, system.decoder, config.data.synthetic)

    def stages(self) -> Iterator[Stage]:
        """The rounds, after the `training.epochs` of the first stage."""
        settings = self.settings
        for number in range(1, settings.rounds + 1):
            first = self.config.training.epochs + (number - 1) * settings.epochs
            yield Stage(first, first + settings.epochs, partial(self._batches, number))

    def _batches(self, number: int, first_step: int) -> tf.data.Dataset:
        """The corpus of a round, from a step of the round on."""
        file = self.folder / "rounds" / f"round-{number:02d}.npz"
        begun = file.exists()  # and logged
        codes = self._read_codes(file) if first_step else self._predict_codes(file)
        sampler: CodeSampler = CodeNeighbourhood(
            codes, self.system.layout, self.system.focal_length, self.settings.noise
        )
        if self.settings.kept:
            sampler = MixedSampler(self.initial, sampler, self.settings.kept)
        corpus = {"corpus": self.settings.faces, "records": []}
        synthetic = self.config.data.synthetic.model_copy(update=corpus)
        data = self.config.data.model_copy(update={"synthetic": synthetic, "records": []})
        seed = self.config.seed + 10_007 * number
        if self.chief and not begun:
            if number == 1:
                before = self._codes_of(self.initial, self.config.seed)
                self._log(0, {"corpus": before})
            self._log(number, {"photos": codes, "corpus": self._codes_of(sampler, seed)})
        return training_batches(
            data, self.system.morphable_model, self.system.decoder,
            self.config.training.batch_size, seed, first_step, sampler,
        )  # fmt: skip

    def _read_codes(self, file: Path) -> np.ndarray:
        """The codes of the photos when the round began, `[M, N]`."""
        try:
            with np.load(file, allow_pickle=False) as saved:
                return saved["codes"]
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ConfigError(f"{file}: expected the codes of an earlier epoch: {error}") from None

    def _predict_codes(self, file: Path) -> np.ndarray:
        """Those of the present network, which a file keeps."""
        photos = read_records(self.settings.records, self.system.image_size)
        images = photos.map(lambda photo: photo["image"]).batch(_BATCH).prefetch(2)
        codes = np.concatenate([self._regress(batch).numpy() for batch in images])
        if self.chief:
            file.parent.mkdir(exist_ok=True)
            write_by_rename(file, partial(_save, codes=codes))
        return codes

    @tf.function(reduce_retracing=True)
    def _regress(self, images: tf.Tensor) -> tf.Tensor:
        return self.system.encoder(images, training=False)

    def _codes_of(self, sampler: CodeSampler, seed: int) -> np.ndarray:
        return sampler.draw(_LOGGED, tf.constant([seed, 0], tf.int64)).numpy()

    def _log(self, number: int, codes: dict[str, np.ndarray]) -> None:
        writer = tf.summary.create_file_writer(str(self.folder / "logs" / "rounds"))
        with writer.as_default(step=number):
            for whose, values in codes.items():
                for name, numbers in histograms(values, self.system.layout).items():
                    tf.summary.histogram(f"{name}/{whose}", numbers)
        writer.close()


def histograms(codes: np.ndarray, layout: CodeLayout) -> dict[str, np.ndarray]:
    """What is shown of `[M, N]` codes: name -> `[M, ...]` numbers of one kind.

    Of identity, expression and albedo all coefficients together and each of the first modes; of
    the other parts the components, rotations in degrees, of light the ambient one of each channel
    and, white, those that change along x, y and z.
    """
    parts = {name: codes[:, part.slice] for name, part in layout.parts.items()}
    shown = {name: parts[name] for name in ("identity", "expression", "albedo")}
    for name in list(shown):
        modes = parts[name][:, :_MODES].T
        shown |= {f"{name}_mode_{i}": mode for i, mode in enumerate(modes, start=1)}
    components = {
        "rotation": ("x", "y", "z"),
        "translation": ("x", "y", "z"),
        "illumination": ("red", "green", "blue"),
    }
    for name, names in components.items():
        unit = 180 / np.pi if name == "rotation" else 1.0
        shown |= {f"{name}_{n}": unit * parts[name][:, i] for i, n in enumerate(names)}
    light = parts["illumination"].reshape(len(codes), -1, 3).mean(axis=-1)
    return shown | {f"illumination_{axis}": light[:, i] for i, axis in enumerate("yzx", start=1)}


def _save(path: Path, codes: np.ndarray) -> None:
    with path.open("wb") as file:
        np.savez(file, codes=codes)
