"""What the command lines share: their parser, a quiet TensorFlow, and errors of one line."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


def load_tensorflow_quietly() -> None:
    """Imports TensorFlow without the lines about drivers and CPU features that it prints.

    They come before its log level counts, so that stderr itself is turned away meanwhile. What
    the user sets in TF_CPP_MIN_LOG_LEVEL shows everything again, also that SavedModels with a
    renderer cannot be differentiated.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    logging.getLogger("absl").setLevel(logging.ERROR)
    with no_stderr():
        import tensorflow

        tensorflow.config.list_physical_devices()


def make_parser(program: str, description: str, details: str | None) -> argparse.ArgumentParser:
    """The parser of `python -m PROGRAM`: one line for a mistake, and its exit statuses in --help.

    Args:
        program: The module, such as `tfface.train`.
        description: What it does, a sentence.
        details: The docstring of the module; what follows its first paragraph ends the help.
    """
    return _Parser(
        prog=f"python -m {program}",
        description=description,
        epilog=(details or "").partition("\n\n")[2],
        formatter_class=_Help,
    )


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str | None:
        unset = action.default in (None, False)  # says nothing
        return action.help if unset else super()._get_help_string(action)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        program = self.prog.removeprefix("python -m ")
        self.exit(2, f"{program}: {message} (--help lists the options)\n")


def whole_number(text: str) -> int:
    """Type of an argument: a whole number from 1 up."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up, got {text!r}")
    return int(text)


def fail(program: str, error: BaseException) -> int:
    """Tells an error in one line on stderr; returns the exit status 2."""
    message = " ".join(str(error).split()) or type(error).__name__
    print(f"{program}: {message}", file=sys.stderr)
    return 2


@contextmanager
def no_stderr() -> Iterator[None]:
    """Turns away what native code prints to stderr inside the context."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
