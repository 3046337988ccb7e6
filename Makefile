# `make quickstart` and `make test` set up all that they need: Python 3.11+, make and a registry.
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed-tfface
PHOTO := quickstart/astronaut.png
TRAINED := quickstart/run
# One thread a worker: two workers on two cores, and sums that are the same in every run.
WORKERS ?= 2
# The tests of a file or class stay together: their fixtures are costly.
PARALLEL := -n $(WORKERS) --dist loadscope

.PHONY: venv quickstart lint test test-quick

venv: $(STAMP)

$(STAMP): requirements.lock pyproject.toml setup.py
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --disable-pip-version-check -q --no-deps -r requirements.lock
	$(RUN) -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
	touch $@

quickstart: $(PHOTO)
	$(RUN) -m tfface.train --config configs/mofa_quickstart.yaml output=$(TRAINED) --resume
	$(RUN) -m tfface.reconstruct $(PHOTO) --model $(TRAINED)/export --output quickstart/trained_now
	$(RUN) -m tfface.reconstruct $(PHOTO) --output quickstart/shipped
	@echo
	@echo "Open these:"
	@echo "  quickstart/trained_now/astronaut/views.png  the photo and its face, by the model just trained"
	@echo "  quickstart/shipped/astronaut/views.png      the same by the model that ships, trained longer"
	@echo "  quickstart/shipped/astronaut/mesh.glb       the face in 3D, for any viewer of glTF"
	@echo "  $(TRAINED)/pictures                     how the faces looked after every epoch"
	@echo "and look into the training with: $(VENV)/bin/tensorboard --logdir $(TRAINED)/logs"

# A public-domain photo that the package scikit-image carries.
$(PHOTO): | venv
	mkdir -p quickstart
	cp "$$($(RUN) -c 'import skimage; print(skimage.data_dir)')/astronaut.png" $@

lint: venv
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

test-quick: venv
	$(RUN) -m pytest $(PARALLEL) -m "not slow"

# In three parts: TensorFlow keeps some of every training, and new processes begin with none.
test: lint
	$(RUN) -m pytest $(PARALLEL) tests/systems
	$(RUN) -m pytest $(PARALLEL) tests/tools
	$(RUN) -m pytest $(PARALLEL) tests --ignore=tests/systems --ignore=tests/tools
