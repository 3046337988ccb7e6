"""`python -m tfface.evaluate --config FILE [key=value ...]`: systems on test sets, by all measures.

The keys are those of the YAML file; the classes of `tfface.config.evaluation` document them. Writes
to `output`:

    report.md            a table for each test set: a row for each system, means of all measures
    results.json         the same numbers, by name
    results.csv          the errors of each picture
    curves_SET.png       cumulative curves
    worst.html, worst/   the worst results of each system, with pictures
    errors/              what a call that was stopped goes on from
    configuration.yaml   what was asked; systems and sets can be added later
    models.json          digests of the models

A call reports what it asks for. One with models that have changed is refused: choose another
`output`.

Exit status: 0 when all is measured; 2 with one line on stderr for a mistake in the configuration or
the output folder, or with one for each picture that could not be read or measured, which the report
leaves out and the next call tries again; 130 when interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tfface.command_line import fail, load_tensorflow_quietly, make_parser
from tfface.config import ConfigError, load_evaluation_config


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    description = "Measure face systems on test sets."
    parser = make_parser("tfface.evaluate", description, __doc__)
    parser.add_argument("--config", required=True, help="a file such as configs/evaluation.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as workers=2")
    options = parser.parse_intermixed_args(arguments)
    try:
        config = load_evaluation_config(options.config, options.overrides)
    except ConfigError as error:
        return fail("tfface.evaluate", error)
    load_tensorflow_quietly()
    from tfface.evaluation.report import write_report
    from tfface.evaluation.run import evaluate

    try:
        found, failed = evaluate(config)
        print(write_report(config, found))
    except (ConfigError, OSError) as error:
        return fail("tfface.evaluate", error)
    except KeyboardInterrupt:
        print("tfface.evaluate: stopped; the same call goes on", file=sys.stderr)
        return 130
    return 2 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
