# The stages of Maskmill, in order. `make` alone runs the embedded demo from nothing to a scorecard.
CONFIG ?= configs/demo.yaml
PYTHON ?= python3
VENV ?= .venv
STAGES := demo check align folds train infer ensemble submit scorecard

# Where Python may write no bytecode, each process compiles all that it imports: seconds each.
unexport PYTHONDONTWRITEBYTECODE

# What the user gives is text: make must not expand a `$` in it, nor the shell run anything of it.
# As variables of := it is exported and inserted as it is; a line break would end the command line.
GIVEN := CONFIG DATA SET JOBS DEVICES CLUSTER MODEL FOLD SCORE LABEL VENV COMPETITION OWNER HOURS EXPECTED HALF IMAGES OUT PROBABILITIES OVERLAY FORMAT NAME SEED
define newline


endef
# Some systems put the machine's name into NAME or that of the cluster into CLUSTER, and some scripts a
# number into SEED: only what stands on the command line is meant.
$(foreach name,NAME SEED CLUSTER,$(if $(filter-out command line,$(origin $(name))),$(eval $(name) :=)))
$(foreach name,$(GIVEN),$(eval override $(name) := $$(subst $$(newline), ,$$(value $(name)))))
quoted = '$(subst ','\'',$(1))'
option = $(if $($(2)),--$(1)=$(call quoted,$($(2))))
ARGUMENTS = --config=$(call quoted,$(CONFIG)) $(call option,data,DATA) $(call option,set,SET) \
            $(call option,jobs,JOBS) $(call option,devices,DEVICES)
ON_CLUSTER = $(call option,cluster,CLUSTER)
MEMBER = $(call option,model,MODEL) $(call option,fold,FOLD)

# VENV=/where is an environment that is there already; VENV= (nothing) is the active one, whose
# python is on the PATH. Only .venv is built, and brought up to date, by make.
BIN := $(if $(VENV),$(VENV)/bin)
STAMP :=
ifeq ($(VENV),.venv)
STAMP := .venv/.installed
endif
program = $(call quoted,$(if $(BIN),$(BIN)/)$(1))
RUN = $(call program,python) -m pipeline

.DEFAULT_GOAL := all
ifneq ($(MAKECMDGOALS),lint default-tests)
.NOTPARALLEL:
endif
.PHONY: all $(STAGES) download upload cluster init plan borders verify leaderboard predict export bundle help test default-tests test-slow gpu lint encoders bench clean clean-all environment

all: $(STAMP)            ## every stage in order; without CONFIG= the built-in demo
	@$(RUN) all $(ARGUMENTS) $(ON_CLUSTER)

init: $(STAMP)           ## look at a folder of data and write configs/<NAME>.yaml: DATA=/folder [NAME=mine]
	@$(RUN) init $(call option,data,DATA) $(call option,name,NAME)

download: $(STAMP)       ## fetch the data of a Kaggle competition: COMPETITION=slug [DATA=data/slug]
	@$(RUN) download $(call option,competition,COMPETITION) $(call option,data,DATA)

demo: $(STAMP)           ## draw the built-in demo competition
check: $(STAMP)          ## inspect the data and list its problems
align: $(STAMP)          ## align references with their images (only with data.reference)
folds: $(STAMP)          ## split the training images: folds/<name>.csv
train: $(STAMP)          ## train every (model, fold, seed); MODEL= and FOLD= choose
infer: $(STAMP)          ## predict out-of-fold and test maps; MODEL= and FOLD= choose
ensemble: $(STAMP)       ## choose weights, thresholds and post-processing
submit: $(STAMP)         ## write submissions/<name>/<label>.csv
scorecard: $(STAMP)      ## show all scores: table and report.html
demo check align folds ensemble submit scorecard:
	@$(RUN) $@ $(ARGUMENTS) $(ON_CLUSTER)
train infer:
	@$(RUN) $@ $(ARGUMENTS) $(ON_CLUSTER) $(MEMBER)

cluster: $(STAMP)        ## start the workers of CLUSTER=cluster.yaml, or describe those of tcp://host:8786
	@$(RUN) $@ $(ARGUMENTS) $(ON_CLUSTER)

plan: $(STAMP)           ## forecast disk space, files and time of every stage
	@$(RUN) $@ $(ARGUMENTS)

borders: $(STAMP)        ## measure the offset of predicted boundaries from mask boundaries; MODEL= chooses
	@$(RUN) $@ $(ARGUMENTS) $(call option,model,MODEL)

verify: $(STAMP)         ## read every stored map and list damaged ones; infer regenerates them
	@$(RUN) $@ $(ARGUMENTS)

leaderboard: $(STAMP)    ## record a leaderboard score: SCORE=0.9961 [LABEL=3fa91c02]
	@$(RUN) leaderboard $(ARGUMENTS) --score=$(call quoted,$(SCORE)) $(call option,label,LABEL)

upload: $(STAMP)         ## send a submission to Kaggle and record its score: COMPETITION=slug [LABEL=3fa91c02]
	@$(RUN) upload $(ARGUMENTS) $(call option,competition,COMPETITION) $(call option,label,LABEL)

predict: $(STAMP)        ## predict masks of new images: IMAGES='new/*.jpg' [OUT=masks] [PROBABILITIES=1] [OVERLAY=1]
	@$(RUN) predict $(ARGUMENTS) $(call option,images,IMAGES) $(call option,out,OUT) $(if $(PROBABILITIES),--probabilities) $(if $(OVERLAY),--overlay)

export: $(STAMP)         ## export a model for other programs: MODEL=unet [FOLD=0|all] [SEED=0] FORMAT=onnx|torchscript|state_dict [OUT=]
	@$(RUN) export $(ARGUMENTS) $(MEMBER) $(call option,seed,SEED) $(call option,format,FORMAT) $(call option,out,OUT)

bundle: $(STAMP)         ## pack a finished run for a code competition: COMPETITION=slug OWNER=you [OUT=bundle] [HOURS=8.5] [EXPECTED=images] [HALF=1]
	@$(RUN) bundle $(ARGUMENTS) $(call option,competition,COMPETITION) $(call option,owner,OWNER) $(call option,out,OUT) $(call option,hours,HOURS) $(call option,expected,EXPECTED) $(if $(HALF),--half)

# pip unpacks and compiles on one core, and tests compile as well. These large parts are imported
# seldom or never.
UNUSED := /(tests?|testing|pip|uv|setuptools|_inductor|_vendor|debugpy|mypy|mypyc|lexers|algorithms|physics|blosc2|sr|transformers|quantization|fontTools|IPython|aiohttp|tornado|jedi|distutils|experimental|combinatorics)/
# uv installs the same set on all cores, but knows nothing of pip's settings beyond the index.
environment: $(STAMP)    ## build .venv from requirements.txt
.venv/.installed: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11) and "Maskmill needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv .venv
	index="$${PIP_INDEX_URL:-$$(.venv/bin/python -m pip config get global.index-url 2>/dev/null)}"; \
	export UV_CACHE_DIR=.venv/.cache $${index:+UV_DEFAULT_INDEX="$$index"}; \
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile uv && \
	.venv/bin/uv pip install --quiet --python .venv/bin/python -r requirements.txt || \
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements.txt
	rm -rf .venv/.cache
	.venv/bin/python -m compileall -qq -j 0 -x '$(UNUSED)' .venv/lib || true
	@touch $@

test: $(STAMP)           ## the tests, and beside them format, lint and types
	+@$(MAKE) --no-print-directory -j 2 lint default-tests

default-tests: $(STAMP)
	$(call program,python) -m pytest -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

test-slow: $(STAMP)      ## the tests that take minutes
	$(call program,python) -m pytest -m slow --timeout 5400 -n 4 --dist load

gpu: $(STAMP)            ## the tests and benchmarks that need a GPU (at most 6 minutes)
	$(call program,python) -m pytest -m gpu tests/gpu
	$(call program,python) -m benchmarks.gpu

lint: $(STAMP)           ## format, lint and types
	$(call program,ruff) format --check --quiet .
	$(call program,ruff) check --quiet .
	$(call program,mypy)

.PHONY: docs
docs: $(STAMP)           ## generate the page and the schema of all keys, and build the site of docs/
	$(BIN)/python -m pipeline.config.reference docs
	$(BIN)/mkdocs build --strict --quiet

encoders: $(STAMP)       ## check all encoders of timm in all decoders: benchmarks/encoders.md (an hour or two)
	$(call program,python) -m benchmarks.encoders --rows runs/encoders.jsonl

bench: $(STAMP)          ## the figures of benchmarks/RESULTS.md
	$(call program,python) -m benchmarks

clean: $(STAMP)          ## remove the run folder of CONFIG's experiment (not data, folds, submissions)
	@$(RUN) clean $(ARGUMENTS)

clean-all:               ## remove all runs and the drawn demo data
	rm -rf runs data/demo data/demo_reference

help:                    ## this list
	@echo "make [target] [CONFIG=configs/x.yaml] [DATA=/where] [SET='train.epochs=2 …'] [JOBS=n] [CLUSTER=…]"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '  %-12s %s\n' "$$name" "$$text"; done
