"""`python -m tfface.train --config FILE [key=value ...] [--resume]`: trains and exports a system.

The keys are those of the YAML file; the classes of `tfface.config` document them.

Exit status: 0 when the exported model has been checked; 2 with one line on stderr for a mistake in
the configuration, the data or the output folder; 130 when interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tfface.command_line import fail, load_tensorflow_quietly, make_parser
from tfface.config import ConfigError, load_config


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = make_parser("tfface.train", "Train a face system and export it.", __doc__)
    parser.add_argument("--config", required=True, help="a file such as configs/mofa.yaml")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="such as training.batch_size=8"
    )
    options = parser.parse_intermixed_args(arguments)
    try:
        config = load_config(options.config, options.overrides)
    except ConfigError as error:
        return fail("tfface.train", error)
    # Here, so that a mistake in the configuration is told before TensorFlow has loaded.
    load_tensorflow_quietly()
    from tfface.training.run import USER_ERRORS, describe_run, train

    try:
        train(config, resume=options.resume)
    except USER_ERRORS as error:
        return fail("tfface.train", error)
    except KeyboardInterrupt:
        print(f"tfface.train: stopped; --resume goes on ({config.output})", file=sys.stderr)
        return 130
    print(describe_run(config))
    return 0


if __name__ == "__main__":
    sys.exit(main())
