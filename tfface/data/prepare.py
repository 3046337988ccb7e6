"""`python -m tfface.data.prepare PHOTOS... --output DIR`: photos into training records.

Exit status: 0 if every photo gave a face; 3 if some were rejected (listed in DIR/rejects.csv, the
others are written); 2 for bad arguments or an output folder that cannot be written, with one line
on standard error. The same command goes on where a killed run stopped.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from tqdm import tqdm

from tfface.command_line import fail, make_parser, whole_number
from tfface.data.person_frames import find_sources
from tfface.data.photo_faces import FaceSettings, Photo
from tfface.data.photos import PhotoError, iter_inputs
from tfface.data.preparation import PreparationError, prepare_records

_PROGRAM = "tfface.data.prepare"
_PHOTOS_PER_SHARD = 256


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.frames and (options.faces or options.person_from):
        parser.error("--faces, --person-from: --frames knows who is who: one person a folder")
    try:
        settings = _settings(options)
        photos = find_photos(options.photos, options.match_regex, options.exclude_regex)
        if settings.frames:
            photos = find_sources(photos)
        shards = options.shards or -(-len(photos) // _PHOTOS_PER_SHARD)
        with tqdm(total=len(photos), unit="photo", desc="prepare") as bar:
            manifest = prepare_records(
                photos,
                options.output,
                settings,
                shards=shards,
                jobs=options.jobs,
                on_photo=lambda: bar.update(),
            )
    except (PhotoError, PreparationError, FileNotFoundError) as error:
        return fail(_PROGRAM, error)
    except BrokenProcessPool:
        return fail(_PROGRAM, RuntimeError("a worker died (out of memory?); try fewer --jobs"))
    except KeyboardInterrupt:
        print(f"{_PROGRAM}: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    rejected = sum(manifest["rejects"].values())
    what = "sets of pictures of {} videos and folders" if settings.frames else "faces of {} photos"
    print(f"{manifest['faces']} {what.format(manifest['photos'])} in {options.output}")
    if rejected:
        kinds = ", ".join(f"{count} {kind}" for kind, count in manifest["rejects"].items())
        table = Path(options.output) / "rejects.csv"
        print(f"{_PROGRAM}: {rejected} rejected ({kinds}), see {table}", file=sys.stderr)
        return 3
    return 0


def find_photos(paths: Sequence[str], match: str | None, exclude: str | None) -> list[Photo]:
    """The photos that paths stand for, named by folder and path below it, sorted by name.

    Args:
        paths: photos, or folders of photos.
        match: a regular expression that names must contain, or None.
        exclude: a regular expression that names must not contain, or None.

    Raises:
        PhotoError: a path without photos, or no photo left.
    """
    photos = {}
    for argument in map(Path, paths):
        root = (argument if argument.is_dir() else argument.parent).absolute()
        for path in iter_inputs([argument]):
            name = (Path(root.name) / path.absolute().relative_to(root)).as_posix()
            if (match is None or re.search(match, name)) and not (
                exclude is not None and re.search(exclude, name)
            ):
                photos[path.absolute()] = Photo(path, name)
    if not photos:
        raise PhotoError(f"{' '.join(paths)}: no photo has a name that the expressions admit")
    return sorted(photos.values(), key=lambda photo: (photo.name, photo.path))


def _settings(options: argparse.Namespace) -> FaceSettings:
    return FaceSettings(
        image_size=options.image_size,
        faces=options.faces or FaceSettings.faces,
        min_face=options.min_face,
        min_confidence=options.min_confidence,
        person_from=options.person_from or FaceSettings.person_from,
        encoding=options.encoding,
        frames=options.frames,
    )


def _parser() -> argparse.ArgumentParser:
    default = FaceSettings()
    description = "Find the faces of photos and write them as TFRecord files to train on."
    parser = make_parser(_PROGRAM, description, __doc__)
    add = parser.add_argument
    add("photos", nargs="+", metavar="PHOTOS", help="photos, and folders of photos")
    add("--output", required=True, metavar="DIR", help="folder for records and manifest.json")
    add("--image-size", type=_image_size, default=default.image_size, help="pixels of a crop")
    add("--shards", type=whole_number, help=f"number of files (one per {_PHOTOS_PER_SHARD} photos)")
    add("--jobs", type=whole_number, default=os.cpu_count() or 1, help="parallel processes")
    add("--faces", choices=("largest", "all"), help="of each photo (default: largest)")
    add("--min-face", type=float, default=default.min_face, help="pixels; smaller ones rejected")
    add("--min-confidence", type=float, default=default.min_confidence, help="of the landmarks")
    add(
        "--person-from",
        choices=("stem", "folder", "none"),
        help="what names the person: the file's name (default), its folder's, or nothing",
    )
    add(
        "--frames",
        type=whole_number,
        metavar="M",
        help="records of M pictures of one person each, of videos and of folders of photos",
    )
    add("--encoding", choices=("jpeg", "png"), default=default.encoding, help="of the pictures")
    add("--match-regex", type=_expression, help="use photos whose folder/name contains this")
    add("--exclude-regex", type=_expression, help="leave out photos whose name contains this")
    return parser


def _image_size(text: str) -> int:
    size = whole_number(text)
    if size < 16 or size % 4:
        raise argparse.ArgumentTypeError(f"expected a multiple of 4 from 16 up, got {text}")
    return size


def _expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"not a regular expression: {text!r} ({error})") from None
    return text


if __name__ == "__main__":
    sys.exit(main())
