"""Many photos into a folder of records: parallel, resumable, the same bytes every time.

The folder holds `part-00000-of-00005.tfrecord` and so on, `rejects.csv` (source, kind, reason) and,
when all is done, `manifest.json`. Photo i goes to shard i mod N. Until the manifest is written,
`progress/` keeps what was asked for and the result of each finished shard, so that the same command
goes on where a killed run stopped.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import io
import json
import multiprocessing
import os
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import tfface
from tfface.command_line import load_tensorflow_quietly
from tfface.data.crop import CROP_RULE
from tfface.data.detection import FaceDetector
from tfface.data.face_mesh import FaceMesh
from tfface.data.face_records import FaceRecord
from tfface.data.person_frames import Frames, person_frames
from tfface.data.photo_faces import FaceSettings, Photo, Reject, photo_faces
from tfface.data.tflite import network_path
from tfface.files import write_text

Result = tuple[Sequence[FaceRecord | Frames], list[Reject]]
_FORMAT = 1  # Of the records and the manifest.
_NONE = object()


class PreparationError(RuntimeError):
    """The output cannot be written, or is not what was asked for; the message is one line."""


def prepare_records(
    photos: list[Photo],
    output: str | Path,
    settings: FaceSettings,
    *,
    shards: int,
    jobs: int = 1,
    on_photo: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """Write the records of photos' faces to a folder.

    Args:
        photos: the photos; their order decides which shard holds which.
        output: the folder, made if missing.
        settings: which faces, and how.
        shards: the number of files.
        jobs: processes; 1 works in this one.
        on_photo: called for every photo done, now or in an earlier run.

    Returns:
        The manifest: counts, settings, versions and the checksum of each file.

    Raises:
        PreparationError: the folder cannot be written, holds records of other photos or settings,
            or a worker died.
    """
    output = Path(output)
    asked = {
        "format": _FORMAT,
        "tfface": tfface.__version__,
        "crop_rule": CROP_RULE,
        "settings": asdict(settings),
        "shards": shards,
        "photos": len(photos),
        "photos_sha256": _photos_digest(photos),
    }
    try:
        finished = _begin(output, asked)
        if finished is not None:
            for _ in photos:
                on_photo()
            return finished
        network_path(FaceMesh.FILE)  # Fails here rather than in every worker.
        with _mapper(settings, jobs) as run:
            for index in range(shards):
                _make_shard(output, index, shards, photos[index::shards], run, on_photo)
        return _finish(output, asked)
    except OSError as error:
        reason = error.strerror or str(error).removeprefix(f"{output}: ")
        where = error.filename or output
        raise PreparationError(f"{where}: cannot write: {reason}") from None


def _begin(output: Path, asked: dict[str, Any]) -> dict[str, Any] | None:
    """Make or check the folder; the manifest if everything in it is done already."""
    output.mkdir(parents=True, exist_ok=True)
    manifest, progress = output / "manifest.json", output / "progress"
    known = manifest if manifest.exists() else progress / "asked.json"
    if known.exists():
        before = _read_json(known)
        for key, value in asked.items():
            if before.get(key) != value:
                raise PreparationError(
                    f"{output}: holds records made with another {key} "
                    f"({_difference(before.get(key), value)}); choose another folder or remove it"
                )
    elif any(path != progress for path in output.iterdir()):
        raise PreparationError(f"{output}: not empty, and not a folder of records")
    if manifest.exists():
        shutil.rmtree(progress, ignore_errors=True)
        return before
    progress.mkdir(exist_ok=True)
    write_text(progress / "asked.json", _json(asked))
    return None


def _make_shard(
    output: Path,
    index: int,
    shards: int,
    photos: list[Photo],
    run: Callable[[list[Photo]], Iterator[Result]],
    on_photo: Callable[[], object],
) -> None:
    """Write one shard and its report, unless an earlier run did."""
    name = f"part-{index:05d}-of-{shards:05d}.tfrecord"
    report = output / "progress" / f"{index:05d}.json"
    if report.exists() and (output / name).exists():
        for _ in photos:
            on_photo()
        return
    records: list[FaceRecord | Frames] = []
    rejects: list[Reject] = []
    for found, rejected in run(photos):
        records += found
        rejects += rejected
        on_photo()
    load_tensorflow_quietly()  # Here, for workers need no TensorFlow.
    from tfface.data.person_records import encode_person
    from tfface.data.records import encode_record, write_serialized

    encoded = (encode_person(r) if isinstance(r, tuple) else encode_record(r) for r in records)
    write_serialized(output / name, encoded)
    content = (output / name).read_bytes()
    summary = {
        "file": name,
        "faces": len(records),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "rejects": [asdict(reject) for reject in rejects],
    }
    write_text(report, _json(summary))


def _finish(output: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Gather the shards' reports into `rejects.csv` and `manifest.json`."""
    progress = output / "progress"
    reports = [_read_json(progress / f"{index:05d}.json") for index in range(asked["shards"])]
    rejects = sorted(
        (reject for report in reports for reject in report.pop("rejects")),
        key=lambda reject: (reject["source"], reject["reason"]),
    )
    table = io.StringIO()
    writer = csv.DictWriter(table, ["source", "kind", "reason"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rejects)
    write_text(output / "rejects.csv", table.getvalue())
    manifest = {
        **asked,
        "faces": sum(report["faces"] for report in reports),
        "rejects": dict(sorted(Counter(reject["kind"] for reject in rejects).items())),
        "files": reports,
    }
    write_text(output / "manifest.json", _json(manifest))
    shutil.rmtree(progress, ignore_errors=True)
    return manifest


@contextmanager
def _mapper(settings: FaceSettings, jobs: int) -> Iterator[Callable[[list[Photo]], Any]]:
    """A function that maps photos to results, in order, in this process or in `jobs` others."""
    if jobs == 1:
        detector = functools.cache(lambda: FaceDetector(settings.min_score))
        yield lambda photos: (_find(photo, detector(), settings) for photo in photos)
        return
    context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork.
    pool = ProcessPoolExecutor(jobs, context, _start_worker, (settings,))
    try:
        yield lambda photos: pool.map(_work, photos, chunksize=4)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_worker: dict[str, Any] = {}  # A worker process's own detector and settings.


def _start_worker(settings: FaceSettings) -> None:
    """Make the process's detector; end with the process that started it, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent says what an interruption means.
    parent = multiprocessing.parent_process()
    if parent is not None:
        sentinel = parent.sentinel
        threading.Thread(target=lambda: (wait([sentinel]), os._exit(1)), daemon=True).start()
    _worker.update(detector=FaceDetector(settings.min_score), settings=settings)


def _work(photo: Photo) -> Result:
    return _find(photo, _worker["detector"], _worker["settings"])


def _find(photo: Photo, detector: FaceDetector, settings: FaceSettings) -> Result:
    if settings.frames:
        return person_frames(photo, detector, settings)
    return photo_faces(photo, detector, settings)


def _photos_digest(photos: Sequence[Photo]) -> str:
    """Changes with the photos' names, order and sizes in bytes; empty without photos."""
    if not photos:
        return ""
    digest = hashlib.sha256()
    for photo in photos:
        # The size of a folder is the file system's affair.
        size = photo.path.stat().st_size if photo.path.is_file() else -1
        digest.update(f"{photo.name}\0{size}\0{_photos_digest(photo.members)}".encode())
    return digest.hexdigest()


def _difference(before: Any, now: Any) -> str:
    """What two values differ in, short."""
    if isinstance(before, dict) and isinstance(now, dict):
        key = next(k for k in [*now, *before] if before.get(k, _NONE) != now.get(k, _NONE))
        return f"{key} {before.get(key, 'unset')} instead of {now.get(key, 'unset')}"
    return f"{before} instead of {now}"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise PreparationError(f"{path}: not valid JSON ({error})") from None
