"""Synthetic corpora on disk: drawn faces with their truth, in TFRecord files.

A corpus is a folder of `part-00000-of-00008.tfrecord` and so on, and `manifest.json`, which says
what is in it: the seed, the distributions, the layout of the code. A record has the features of
`tfface.data.records` (so that everything that reads photos reads it) and

| feature | type | content |
|---|---|---|
| `code` | N floats | the true code; the manifest's `code_layout` names its parts |
| `depth` | bytes | optional: S x S little-endian float32, mm along the viewing axis, 0 = no face |
| `normals` | bytes | optional: PNG, camera-space normals as 255 (n + 1) / 2 |
| `mask` | bytes | optional: 8-bit PNG, 255 where the face model is |

The maps show the face model, without what hides it in the picture: hair, collars, occlusions. Face
i is a function of the manifest and i alone, and files appear whole: a killed run goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import tfface
from tfface.code import CodeLayout
from tfface.config import Config
from tfface.data.augmentation import Augmentation, augment_photometry
from tfface.data.backgrounds import background_files
from tfface.data.code_samplers import FaceSampler
from tfface.data.face_records import Encoding, FaceRecord
from tfface.data.records import (
    encode_record,
    parse_record,
    write_serialized,
)
from tfface.data.synthetic import painted_faces
from tfface.data.synthetic_rendering import FacePainter
from tfface.files import write_text
from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.model import MorphableModel

FORMAT = "tfface-corpus-1"
_JPEG_QUALITY = 95


class CorpusError(ValueError):
    """A corpus that cannot be written or read; the message is one line."""


def write_corpus(
    folder: str | Path,
    config: Config,
    model: MorphableModel,
    faces: int,
    shards: int = 1,
    maps: Sequence[str] = (),
    encoding: Encoding = "jpeg",
    on_face: Callable[[int], object] = lambda number: None,
) -> dict[str, Any]:
    """Draws a corpus, or the rest of one that a killed run left.

    Args:
        folder: Made if missing.
        config: `seed`, `model.image_size`, `model.focal_length`, `data.synthetic` and
            `data.augmentation` (its photometric part: noise, blur, JPEG, ...) are used.
        model: The face model.
        faces: How many.
        shards: Files; the first ones hold as many faces each, the last the rest.
        maps: Out of `depth`, `normals` and `mask`.
        encoding: Of the pictures.
        on_face: Called after every face with the number of faces so far.

    Returns:
        The manifest.

    Raises:
        ConfigError: as `FaceSampler`.
        CorpusError: the folder holds something else, or the distributions give no finite face.
        PhotoError: the folder of backgrounds holds no pictures.
        OSError: the folder cannot be written; what is there is whole.
    """
    folder = Path(folder)
    decoder = FaceDecoder.of_model(model, config.model.image_size, config.model.focal_length)
    settings = config.data.synthetic
    maps = sorted(set(maps))
    manifest = {
        "format": FORMAT,
        "tfface": tfface.__version__,  # another one may draw other pictures
        **_fits(model, decoder),
        "face_model_sha256": _model_digest(model),
        "faces": faces,
        "shards": shards,
        "seed": config.seed,
        "maps": maps,
        "encoding": encoding,
        "synthetic": settings.model_dump(mode="json", exclude={"corpus", "records"}),
        "backgrounds_sha256": settings.backgrounds and _folder_digest(settings.backgrounds),
        "augmentation": config.data.augmentation.model_dump(mode="json"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    _check_folder(folder, manifest)
    write_text(folder / "manifest.json", json.dumps(manifest, indent=1) + "\n")
    files, each = _files(folder, manifest), -(-faces // shards)
    done = next((i for i, file in enumerate(files) if not file.exists()), shards)
    first = min(done * each, faces)
    on_face(first)
    if done == shards:
        return manifest
    records = _drawn(config, model, decoder, range(first, faces), maps, encoding, on_face)
    for number in range(done, shards):
        count = min(each, faces - number * each)
        write_serialized(files[number], (next(records) for _ in range(count)))
    return manifest


def read_corpus(
    folders: Sequence[str | Path], model: MorphableModel, decoder: FaceDecoder
) -> tuple[tf.data.Dataset, int]:
    """The faces of a corpus, in order; of several, mixed.

    Args:
        folders: That `write_corpus` wrote.
        model: The face model, which must be that of the corpora.
        decoder: Its decoder; size and camera must be those of the corpora.

    Returns:
        A finite dataset like that of `synthetic_faces`, but of uint8 images, and its length.

    Raises:
        CorpusError: a folder is not a corpus, is half-written, or was drawn for something else.
    """
    corpora, counts = [], []
    for folder in map(Path, folders):
        manifest = _read_manifest(folder)
        for key, expected in _fits(model, decoder).items():
            if manifest.get(key) != expected:
                raise CorpusError(
                    f"{folder}: expected faces with {key} {expected}, got {manifest.get(key)}"
                )
        count = int(manifest["faces"])
        shards = _files(folder, manifest)
        shards = shards[: -(-count // -(-count // len(shards)))]  # those after them are empty
        there = sum(file.is_file() and file.stat().st_size > 0 for file in shards)
        if there < len(shards):
            raise CorpusError(
                f"{folder}: expected {len(shards)} files, got {there}: half-written; the command "
                "that began it goes on with it"
            )
        corpora.append(tf.data.TFRecordDataset([str(file) for file in shards]))
        counts.append(count)
    code = {"code": tf.io.FixedLenFeature([sum(decoder.code_sizes.values())], tf.float32)}

    def parse(serialized: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        record = parse_record(serialized, code)
        targets = {name: record[name] for name in ("landmarks", "confidence", "code")}
        size = decoder.image_size
        image = tf.io.decode_jpeg(record["image"], channels=3, dct_method="INTEGER_ACCURATE")
        image = tf.ensure_shape(image, [size, size, 3])
        return image, {**targets, "has_code": tf.ones([])}

    shares = [number / sum(counts) for number in counts]
    records = tf.data.Dataset.sample_from_datasets(corpora, shares, seed=0)
    faces = records.map(parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return faces, sum(counts)


def _fits(model: MorphableModel, decoder: FaceDecoder) -> dict[str, Any]:
    """What a corpus and the system that is trained on it must agree on."""
    layout = CodeLayout(decoder.code_sizes)
    return {
        "face_model": model.name,
        "code_layout": {p.name: [p.start, p.size] for p in layout.parts.values()},
        "image_size": decoder.image_size,
        "focal_length": decoder.focal_length,
    }


def _check_folder(folder: Path, manifest: dict[str, Any]) -> None:
    if not (folder / "manifest.json").exists():
        if any(not path.name.startswith(".") for path in folder.iterdir()):
            raise CorpusError(f"{folder}: expected a new folder or a corpus, got another one")
        return
    before, asked = (_flat(tree) for tree in (_read_manifest(folder), manifest))
    for key in sorted({*before, *asked}):
        if before.get(key) != asked.get(key):
            raise CorpusError(
                f"{folder}: holds a corpus with another {key}: expected {asked.get(key)}, got "
                f"{before.get(key)}; choose another folder"
            )


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested mapping with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        inside = _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else None
        flat |= {f"{prefix}{key}": value} if inside is None else inside
    return flat


def _model_digest(model: MorphableModel) -> str:
    """A hash of what is drawn: two face models, or two meshes of one, may share a name."""
    digest = hashlib.sha256()
    for name in ("mean", "identity", "expression", "albedo_mean", "albedo", "triangles"):
        digest.update(np.ascontiguousarray(getattr(model, name)).tobytes())
    return digest.hexdigest()


def _folder_digest(folder: str) -> str:
    """A hash of the names and sizes of the pictures in a folder."""
    files = [(path.name, path.stat().st_size) for path in background_files(folder)]
    return hashlib.sha256(repr(files).encode()).hexdigest()


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if (
            manifest["format"] != FORMAT
            or not int(manifest["shards"])
            or not int(manifest["faces"])
        ):
            raise ValueError(manifest["format"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise CorpusError(f"{path}: expected the manifest of a corpus, got: {error}") from None
    return manifest


def _files(folder: Path, manifest: dict[str, Any]) -> list[Path]:
    shards = int(manifest["shards"])
    return [folder / f"part-{i:05d}-of-{shards:05d}.tfrecord" for i in range(shards)]


def _drawn(
    config: Config,
    model: MorphableModel,
    decoder: FaceDecoder,
    numbers: range,
    maps: Sequence[str],
    encoding: Encoding,
    on_face: Callable[[int], object],
) -> Iterator[bytes]:
    """Serialised records of faces."""
    sampler = FaceSampler(model, decoder, config.data.synthetic)
    painter = FacePainter(model, decoder, config.data.synthetic)
    augmentation = Augmentation(**config.data.augmentation.model_dump())

    def paint(codes: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        painted = painter(codes, seed)
        face = painter.maps(codes) if maps else {}
        return {"code": codes, **painted, **{name: face[name] for name in maps}}

    def finish(number: tf.Tensor, face: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        example = augment_photometry(face, tf.stack([config.seed, number]), augmentation)
        pixels = tf.image.convert_image_dtype(example["image"], tf.uint8, saturate=True)
        if encoding == "jpeg":
            picture = tf.io.encode_jpeg(pixels, "rgb", _JPEG_QUALITY, chroma_downsampling=False)
        else:
            picture = tf.io.encode_png(pixels)
        return {**example, "image": picture}

    first = numbers.start
    faces = painted_faces(sampler, paint, config.seed, first).take(len(numbers)).enumerate(first)
    faces = faces.map(finish, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    size = decoder.image_size
    for number, face in enumerate(faces.prefetch(64).as_numpy_iterator(), first):
        if not np.isfinite(face["code"]).all():
            raise CorpusError(f"data.synthetic: face {number} has numbers that are not finite")
        record = FaceRecord(
            picture=face["image"],
            margin=1.0,
            landmarks=face["landmarks"],
            confidence=np.ones(68, np.float32),
            crop=np.array([0.0, 0.0, size, size], np.float32),
            source=f"drawn/{config.seed}/{number}",
            person="",
            source_size=(size, size),
        )
        on_face(number + 1)
        yield encode_record(record, {"code": face["code"], **_encoded(face, maps)})


def _encoded(face: dict[str, Any], maps: Sequence[str]) -> dict[str, bytes]:
    """The maps of a face as bytes."""
    encoded = {}
    if "depth" in maps:
        encoded["depth"] = face["depth"].astype("<f4").tobytes()
    if "normals" in maps:
        pixels = np.round(255 * (face["normals"] + 1) / 2).astype(np.uint8)
        encoded["normals"] = tf.io.encode_png(pixels).numpy()
    if "mask" in maps:
        encoded["mask"] = tf.io.encode_png(np.round(255 * face["mask"]).astype(np.uint8)).numpy()
    return encoded
