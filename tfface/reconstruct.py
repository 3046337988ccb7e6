"""`python -m tfface.reconstruct INPUT... --output DIR [--model PATH]`: photos in, 3D faces out.

An input is a photo, a folder (its photos and videos, those of its subfolders too) or a video. Every
face is written to `DIR/<stem>/`, the second face of a photo to `DIR/<stem>-2/`, a face of frame 123
of a video to `DIR/<stem>/frame000123/`. Where several inputs have one stem, or a number is taken,
the next free number is used; `image.path` in reconstruction.json says which photo it was. Each
folder appears whole, by rename, and replaces an earlier reconstruction of the same name. A video
also gets `DIR/<stem>/overlay.mp4`: its frames with the faces drawn over them. With `--together`,
which FML does unasked, all photos show one person, and so does each video: the largest face of each
photo and frame, one shape for all. With `--refine opt` codes that the network regresses are fitted
to the photo, and `--refine detail` also adds wrinkles (high-fidelity MoFA, section 9).

    reconstruction.json  coefficients, pose, camera, landmarks, error (pixels of the input)
    mesh.obj, mesh.glb   identity and expression without pose, mm, vertex colours = albedo; neutral
                         where a system estimates no expression (fitted_code has what is drawn)
    overlay.png          the face drawn over the input, at its size
    views.png            input, overlay, geometry, albedo, shading, frontal, three-quarter
    depth.npy            float32 mm along the viewing axis, at the input's size, 0 where no face is
    mesh_detail.obj,     with `--refine detail`, or where a system finds finer geometry: the face in
    mesh_detail.glb      the photo, with wrinkles, mm in the space of mesh.obj, vertex colours = the
                         photo
    depth_detail.npy,    likewise: as depth.npy and normals.png, where the face is shown
    normals_detail.png
    detail.png           the photo, the coarse and the finer geometry side by side
    normals.png          camera-space normals as 255 (n + 1) / 2, black where no face is

Exit status: 0 if every input gave a face; 3 if some had none or could not be read or written, each
named on stderr, with the others done; 2 for bad arguments, a bad model, or an output folder that
cannot be written.
"""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import sys
import tempfile
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

import tfface
from tfface.command_line import fail, load_tensorflow_quietly, make_parser
from tfface.config import CONFIGS

if TYPE_CHECKING:
    from tfface.reconstruction import FaceReconstruction
    from tfface.reconstructor import Reconstructor

NO_FACE = 3


def reconstruct(
    image: np.ndarray | str | os.PathLike[str],
    model: str | os.PathLike[str] | None = None,
    refine: str | None = None,
) -> list[FaceReconstruction]:
    """Reconstructs every face of a photo.

    Args:
        image: The file of a photo, or `(H, W, 3)` RGB: uint8, or floating in [0, 1].
        model: Folder of an exported model; None takes the MoFA model that ships with tfface.
            The model is loaded once and kept.
        refine: `opt` fits what the network regresses to the photo (Gauss-Newton); `detail` adds
            wrinkles to that.

    Returns:
        The faces, the largest first; empty if there is none.

    Raises:
        PhotoError: if the file is not a photo.
        ModelError: if the folder is not an exported model, or its codes cannot be refined.
        ValueError: if the array is of another kind, or there is no such refinement.

    Example:
        >>> for number, face in enumerate(tfface.reconstruct("photo.jpg"), start=1):
        ...     print(face.landmarks_68.shape, face.photometric_error)
        ...     face.save(f"results/photo-{number}")
    """
    from tfface.reconstructor import load_reconstructor

    return load_reconstructor(_model_folder(model))(*_photo(image), refine)


def reconstruct_together(
    images: Sequence[np.ndarray | str | os.PathLike[str]],
    model: str | os.PathLike[str] | None = None,
) -> list[FaceReconstruction | None]:
    """Reconstructs one person from several photos: the largest face of each.

    Args:
        images: As of `reconstruct`.
        model: Folder of an exported model; None takes the identity regression that ships.

    Returns:
        A face for each photo, all of the same shape and reflectance; None where there is none.

    Raises:
        ModelError: also if the model's system sees one photo at a time.
        PhotoError, ValueError: as `reconstruct`.
    """
    from tfface.reconstructor import load_reconstructor

    reconstructor = load_reconstructor(_model_folder(model, "identity_regression"))
    photos = [_photo(image) for image in images]
    return list(reconstructor.together(*zip(*photos, strict=True))) if photos else []


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    description = "Reconstruct the 3D faces of photos and videos."
    parser = make_parser("tfface.reconstruct", description, __doc__)
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="a photo, folder or video")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="created if new")
    parser.add_argument("--model", type=Path, metavar="PATH", help="an exported model")
    parser.add_argument("--system", choices=CONFIGS, default="mofa", help="which shipped model")
    parser.add_argument(
        "--together", action=argparse.BooleanOptionalAction, help="all photos show one person"
    )
    parser.add_argument(
        "--refine",
        choices=("opt", "detail"),
        help="fit what the network sees to the photo (Gauss-Newton); add wrinkles as well",
    )
    options = parser.parse_args(arguments)
    try:
        folder = _model_folder(options.model, options.system)
    except OSError as error:
        return fail("tfface.reconstruct", error)
    load_tensorflow_quietly()
    from tfface.exported_model import ModelError
    from tfface.reconstructor import load_reconstructor

    try:
        reconstructor = load_reconstructor(folder)
        _check_output(options.output)
    except (ModelError, OSError) as error:
        return fail("tfface.reconstruct", error)
    try:
        together = options.together
        if together is None:
            together = reconstructor.model.system == "fml"
        if together:
            reconstructor.model.require_together()
            if options.refine:
                raise ModelError("--refine: one photo at a time; use it with --no-together")
        if options.refine:
            reconstructor.refinement  # noqa: B018 - before any photo
        run = _Run(reconstructor, options.output, together, options.refine)
        return run.process(options.inputs)
    except ModelError as error:
        return fail("tfface.reconstruct", error)
    except KeyboardInterrupt:
        print("tfface.reconstruct: stopped; what was written is whole", file=sys.stderr)
        return 130


class _Run:
    """One call of the command line: names results, reports failures, goes on.

    Args:
        reconstructor: Of the model.
        output: The folder of all results.
        together: Whether all photos show one person, and each video.
        refine: See `Reconstructor`.
    """

    def __init__(
        self, reconstructor: Reconstructor, output: Path, together: bool, refine: str | None
    ) -> None:
        self.reconstructor, self.output, self.together = reconstructor, output, together
        self.refine = refine
        self.failed = False
        self.taken: set[Path] = set()

    def process(self, inputs: Sequence[str]) -> int:
        from tfface.data.photos import is_video

        files = list(self._expand(inputs))
        # The first photo of a stem gets its name, also where another's second face wants it.
        self.reserved = {self.output / path.stem: path for path in reversed(files)}
        if self.together:
            self._process_person([path for path in files if not is_video(path)])
            files = [path for path in files if is_video(path)]
        for path in tqdm(files, unit="file", disable=len(files) < 2):
            self._process_file(path)
        return NO_FACE if self.failed else 0

    def _expand(self, inputs: Sequence[str]) -> Iterator[Path]:
        from tfface.data.photos import PhotoError, iter_inputs

        for path in inputs:
            try:
                yield from iter_inputs([path])
            except PhotoError as error:
                self._fail(error)

    def _process_person(self, files: Sequence[Path]) -> None:
        """Reconstructs and writes the one person of all photos."""
        from tfface.data.photos import PhotoError

        photos = _Photos([path for path in files if self._is_readable(path)])
        faces = self.reconstructor.together(photos, map(os.fspath, photos.paths))
        try:
            for path, face in zip(photos.paths, faces, strict=True):
                if face is None:
                    self._fail(f"{path}: no face found")
                    continue
                try:
                    tqdm.write(str(face.save(self._free_name(self.output / path.stem, path))))
                except OSError as error:
                    self._fail(f"{path}: cannot write to {self.output}: {error.strerror or error}")
        except PhotoError as error:  # gone since it was looked at
            self._fail(error)

    def _is_readable(self, path: Path) -> bool:
        from tfface.data.photos import PhotoError, read_photo

        try:
            read_photo(path)
        except PhotoError as error:
            self._fail(error)
            return False
        return True

    def _process_file(self, path: Path) -> None:
        from tfface.data.photos import PhotoError, is_video, read_photo

        try:
            if is_video(path):
                self._process_video(path)
            elif not self._process_image(read_photo(path), path, self.output, path.stem):
                self._fail(f"{path}: no face found")
        except (PhotoError, MemoryError) as error:
            self._fail(error if isinstance(error, PhotoError) else f"{path}: out of memory")
        except OSError as error:
            reason = error.strerror or error
            self._fail(f"{path}: cannot write to {self.output}: {reason}")

    def _process_image(self, image: np.ndarray, path: Path, parent: Path, stem: str) -> int:
        """Reconstructs and writes the faces of a picture; returns how many there were."""
        faces = self.reconstructor(image, os.fspath(path), self.refine)
        for face in faces:
            folder = face.save(self._free_name(parent / stem, path))
            tqdm.write(str(folder))
        return len(faces)

    def _process_video(self, path: Path) -> None:
        from tfface.data.photos import PhotoError
        from tfface.data.video import VideoWriter, frame_rate
        from tfface.visualization.overlay import draw_overlay

        parent = self._free_name(self.output / path.stem, path)
        before = set(parent.glob("frame[0-9]*")) if parent.is_dir() else set()
        found = 0
        with VideoWriter(parent / "overlay.mp4", frame_rate(path)) as overlay:
            for number, (frame, faces) in enumerate(self._see(_Frames(path))):
                for face in faces:
                    folder = face.save(self._free_name(parent / f"frame{number:06d}", path))
                    tqdm.write(str(folder))
                    frame = draw_overlay(frame, face.posed())
                found += len(faces)
                overlay.write(frame)
            if not found:
                raise PhotoError(f"{path}: no face found in any frame")
        for stale in before - self.taken:  # frames of an earlier, longer video
            if (stale / "reconstruction.json").is_file():
                shutil.rmtree(stale)

    def _see(self, frames: _Frames) -> Iterator[tuple[np.ndarray, list[FaceReconstruction]]]:
        """The frames of a video and their faces."""
        name = os.fspath(frames.path)
        if self.together:
            person = self.reconstructor.together(frames, repeat(name))
            for frame, face in zip(frames, person, strict=False):
                yield frame, [face] if face else []
        else:
            for frame in frames:
                yield frame, self.reconstructor(frame, name, self.refine)

    def _free_name(self, wanted: Path, path: Path) -> Path:
        """The wanted folder, or with the next number that no other result of this run has."""
        number, name = 1, wanted
        while name in self.taken or self.reserved.get(name, path) != path:
            number += 1
            name = wanted.with_name(f"{wanted.name}-{number}")
        self.taken.add(name)
        return name

    def _fail(self, error: object) -> None:
        self.failed = True
        tqdm.write(f"tfface.reconstruct: {' '.join(str(error).split())}", file=sys.stderr)


@dataclass(frozen=True)
class _Photos:
    """Of files, one in memory at a time, as often as they are asked for."""

    paths: Sequence[Path]

    def __iter__(self) -> Iterator[np.ndarray]:
        from tfface.data.photos import read_photo

        return map(read_photo, self.paths)


@dataclass(frozen=True)
class _Frames:
    """Those of a video, as often as they are asked for."""

    path: Path

    def __iter__(self) -> Iterator[np.ndarray]:
        from tfface.data.video import video_frames

        for _, frame in tqdm(video_frames(self.path), self.path.name, unit="frame", leave=False):
            yield frame


def _model_folder(model: str | os.PathLike[str] | None, system: str = "mofa") -> Path:
    return tfface.shipped_model_path(system) if model is None else Path(model).resolve()


def _check_output(folder: Path) -> None:
    """Creates the output folder and tries to write in it.

    Raises:
        OSError: if that does not work; the message names the folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        reason = "exists and is not a folder" if folder.is_file() else error.strerror
        raise OSError(f"--output {folder}: {reason}") from None


def _photo(image: np.ndarray | str | os.PathLike[str]) -> tuple[np.ndarray, str]:
    """The pixels, uint8, and the name of the file."""
    from tfface.data.photos import read_photo

    if isinstance(image, (str, os.PathLike)):
        return read_photo(Path(image)), os.fspath(image)
    return _as_uint8(np.asarray(image)), ""


def _as_uint8(image: np.ndarray) -> np.ndarray:
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image: expected shape (H, W, 3), got {image.shape}")
    if image.dtype == np.uint8:
        return image
    if not np.issubdtype(image.dtype, np.floating):
        raise ValueError(f"image: expected uint8 or floating values, got {image.dtype}")
    if not (image.min(initial=0) >= 0 and image.max(initial=0) <= 1):
        low, high = image.min(initial=0), image.max(initial=0)
        raise ValueError(f"image: expected floating values in [0, 1], got {low:g} to {high:g}")
    return np.round(255 * image).astype(np.uint8)


class _CallableModule(types.ModuleType):
    """Lets `tfface.reconstruct(image)` work although this module carries the same name."""

    @functools.wraps(reconstruct)
    def __call__(self, *args: Any, **options: Any) -> list[FaceReconstruction]:
        return reconstruct(*args, **options)


sys.modules[__name__].__class__ = _CallableModule

if __name__ == "__main__":
    sys.exit(main())
