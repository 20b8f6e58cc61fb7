# Two commands do everything: `make lab` opens the course, `make test` proves that it works.
# Without make, the README gives the same as plain lines.

PYTHON ?= $(if $(filter Windows_NT,$(OS)),py,python3)
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
# In a container everybody is root, and Jupyter must be told that this is meant.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

# What a laptop without AVX-512 computes with, so that no test or chapter depends on the processor it was written on.
AVX2 := ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 MKL_ENABLE_INSTRUCTIONS=AVX2
# A file of tests, or a notebook, at a time on each core.
PARALLEL := -n auto --dist loadfile

.PHONY: lab test fast notebooks figures refute data format clean
.DEFAULT_GOAL := lab

lab: $(VENV)/course
	$(BIN)/python -m jupyter lab $(AS_ROOT) chapters/00_start_here.ipynb

test: $(VENV)/course-and-tests
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m pytest $(PARALLEL) -rs tests
	$(AVX2) $(BIN)/python -m pytest -q -m processor tests
	$(BIN)/python -m pytest $(PARALLEL) --nbval chapters solutions

# For work in between: the quick tests only, in under a minute.
fast: $(VENV)/course-and-tests
	$(BIN)/python -m pytest $(PARALLEL) -q -m fast tests

# Execute all notebooks and store them in their normal form.
notebooks: $(VENV)/course-and-tests
	$(BIN)/python tools/notebooks.py

# Every figure of every chapter as SVG and PNG in build/figures, for slides.
figures: $(VENV)/course-and-tests
	$(BIN)/python tools/figures.py

# Run the chapters with untrained weights in place of the shipped ones, and list the printed lines that stay the same.
refute: $(VENV)/course-and-tests
	$(BIN)/python tools/refute.py

# Build the data sets anew; the files come out byte for byte the same.
data: $(VENV)/course
	$(BIN)/python datasets/folk_melodies/build.py

# Train a shipped model again, on one core: make train-mel_2bar. What was cut off goes on where it was.
train-%: $(VENV)/course
	$(BIN)/python tools/pretrain.py $*

format: $(VENV)/course-and-tests
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache

# A file in the virtual environment marks what is installed; it is made anew when the dependencies change.
$(VENV)/course: pyproject.toml constraints.txt
	"$(PYTHON)" -c "import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else 'The course needs Python 3.11, 3.12 or 3.13, and this is ' + sys.version.split()[0] + '. Try: make PYTHON=python3.12')"
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install -c constraints.txt -e ".[score]"
	$(BIN)/python -c "open('$@', 'w').close()"

$(VENV)/course-and-tests: $(VENV)/course
	$(BIN)/python -m pip install -c constraints.txt -e ".[test]"
	$(BIN)/python -c "open('$@', 'w').close()"
