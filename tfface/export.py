"""`python -m tfface.export RUN --output DIR`: a SavedModel of a run's last checkpoint.

With `--face-model FILE.npz`, of a run of FML: the face model that it has learned, which other runs
take as `face_model.path`.

Exit status: 0 when the exported model has been checked; 2 with one line on stderr for a folder that
is not a run, has no checkpoint, or cannot be written.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tfface.command_line import fail, load_tensorflow_quietly, make_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = make_parser("tfface.export", "Export the last checkpoint of a run.", __doc__)
    parser.add_argument("run", type=Path, help="the output folder of a training run")
    parser.add_argument("--output", type=Path, metavar="DIR", help="the folder to write")
    parser.add_argument("--face-model", type=Path, metavar="FILE", help="of fml: a .npz to write")
    options = parser.parse_args(arguments)
    if not (options.output or options.face_model):
        parser.error("expected --output, --face-model or both")
    load_tensorflow_quietly()
    from tfface.training.run import USER_ERRORS, export_face_model, export_run

    try:
        if options.output:
            export_run(options.run, options.output)
            print(f"{options.output}: SavedModel, encoder.tflite and metadata.json, checked")
        if options.face_model:
            export_face_model(options.run, options.face_model)
            print(f"{options.face_model}: a face model for face_model.path")
    except USER_ERRORS as error:
        return fail("tfface.export", error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
