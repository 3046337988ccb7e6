"""`python -m tfface.export RUN --output DIR`: a SavedModel of a run's last checkpoint.

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
    parser.add_argument("--output", type=Path, required=True, help="the folder to write")
    options = parser.parse_args(arguments)
    load_tensorflow_quietly()
    from tfface.training.run import USER_ERRORS, export_run

    try:
        export_run(options.run, options.output)
    except USER_ERRORS as error:
        return fail("tfface.export", error)
    print(f"{options.output}: SavedModel, encoder.tflite and metadata.json, checked")
    return 0


if __name__ == "__main__":
    sys.exit(main())
