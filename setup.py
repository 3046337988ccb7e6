"""The one thing pyproject.toml cannot say: `savedmodels/` is packaged as `tfface.savedmodels`."""

from setuptools import find_namespace_packages, setup

setup(
    packages=[*find_namespace_packages(include=["tfface", "tfface.*"]), "tfface.savedmodels"],
    package_dir={"tfface.savedmodels": "savedmodels"},
)
