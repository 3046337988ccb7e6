"""`python -m tfface.data.synthesize --config FILE [key=value ...] --output DIR`: a corpus on disk.

Draws faces from the face model as the configuration's `data.synthetic` and `data.augmentation` say,
and writes them with their truth as TFRecord files (`tfface.data.corpus` describes these). Train on
them with `data.synthetic.records=[DIR]`.

Exit status: 0 when the corpus is whole; 2 with one line on stderr for a mistake in the
configuration or a folder that cannot be written; 130 when interrupted. The same command goes on
where a killed run stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from tfface.command_line import fail, load_tensorflow_quietly, make_parser, whole_number
from tfface.config import ConfigError, load_config
from tfface.data.face_records import MAPS

_PROGRAM = "tfface.data.synthesize"
_FACES_PER_SHARD = 1024
_WARM_UP = 256  # faces: what the pipeline holds when the first is written, and more


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    options = _parser().parse_intermixed_args(arguments)
    # Where a training would write, which wants one, as YAML.
    output = f"output={json.dumps(str(options.output))}"
    try:
        config = load_config(options.config, [*options.overrides, output])
    except ConfigError as error:
        return fail(_PROGRAM, error)
    # Here, so that a mistake in the configuration is told before TensorFlow has loaded.
    load_tensorflow_quietly()
    from tfface.data.corpus import CorpusError, write_corpus
    from tfface.data.photos import PhotoError
    from tfface.morphable.load import configured_face_model
    from tfface.morphable.model import FaceModelError

    shards = options.shards or -(-options.faces // _FACES_PER_SHARD)
    times: list[float] = []

    def on_face(number: int) -> None:
        bar.update(number - bar.n)
        times.append(time.perf_counter())

    try:
        with tqdm(total=options.faces, unit="face", desc="synthesize") as bar:
            write_corpus(
                options.output,
                config,
                configured_face_model(config.face_model),
                options.faces,
                shards,
                options.map or (),
                options.encoding,
                on_face,
            )
    except (ConfigError, CorpusError, FaceModelError, PhotoError, OSError) as error:
        return fail(_PROGRAM, error)
    except KeyboardInterrupt:
        print(f"{_PROGRAM}: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    print(f"{options.faces} faces in {options.output}{rate(times)}")
    return 0


def rate(times: Sequence[float]) -> str:
    """How fast faces were drawn, as a part of a sentence; nothing if they were too few to tell.

    Args:
        times: Seconds, when each was written; many are drawn before the first can be.
    """
    measured = times[_WARM_UP:]
    if len(measured) < _WARM_UP:
        return ""
    return f", {(len(measured) - 1) / (measured[-1] - measured[0]):.0f} a second"


def _parser() -> argparse.ArgumentParser:
    description = "Draw faces with their truth and write them as TFRecord files to train on."
    parser = make_parser(_PROGRAM, description, __doc__)
    add = parser.add_argument
    add("--config", required=True, help="a file such as configs/inverse_facenet.yaml")
    add("--output", type=Path, required=True, metavar="DIR", help="folder of the corpus")
    add("--faces", type=whole_number, default=_FACES_PER_SHARD, help="how many to draw")
    add("--shards", type=whole_number, help=f"number of files (one per {_FACES_PER_SHARD} faces)")
    add("--map", action="append", choices=MAPS, help="also store it; may be repeated")
    add("--encoding", choices=("jpeg", "png"), default="jpeg", help="of the pictures")
    add("overrides", nargs="*", metavar="key=value", help="such as data.synthetic.hair=0.5")
    return parser


if __name__ == "__main__":
    sys.exit(main())
