# How layers, and the function that runs steps, get packages and byte code. `sam build` copies a folder to build it, and
# follows the link to this file in it.
# Wheels are Lambda's, for Python LAYER_PYTHON. The local stack empties LAYER_PLATFORM and gets those of its own python3.
LAYER_PYTHON ?= 3.13
LAYER_PLATFORM ?= --platform manylinux_2_34_x86_64 --platform manylinux_2_28_x86_64 \
    --platform manylinux2014_x86_64 --implementation cp --python-version $(LAYER_PYTHON)

# The Python at hand that is the one which will read the layer; nothing if there is none.
IS_READER := import sys; sys.exit("%d.%d" % sys.version_info[:2] != "$(LAYER_PYTHON)")
READER := $(shell for python in python$(LAYER_PYTHON) python3; do \
    if $$python -c '$(IS_READER)' 2>/dev/null; then echo $$python; break; fi; done)

# install(folder): the packages of the lock.
define install
python3 -m pip install --quiet --quiet --disable-pip-version-check --no-deps --no-compile --only-binary=:all: \
    $(LAYER_PLATFORM) --require-hashes --requirement requirements.lock --target $(1)
rm -rf $(1)/bin $(1)/share
endef

# compile(folder, its place in Lambda): Lambda cannot keep byte code between cold starts, so it is shipped. It is the same
# wherever and whenever it is built, and is not compared with the sources, whose times a zip rounds. The warning goes to
# stdout, because `sam build` shows what `make` writes there, and its stderr only when it fails.
define compile
$(if $(READER),$(READER) -m compileall -q --invalidation-mode unchecked-hash -s "$(ARTIFACTS_DIR)" -p $(2) $(1),$(warn))
endef
define warn
@echo
@echo "WARNING: $@ has no byte code, so that every cold start compiles it and takes three times as long."
@echo "         Lambda reads it with Python $(LAYER_PYTHON), and here is $$(python3 -V)."
@echo "         Put a python$(LAYER_PYTHON) on the PATH and build anew: sam build --no-cached"
@echo
endef
