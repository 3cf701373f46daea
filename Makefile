# The stages of Maskmill, in order. `make` alone runs the embedded demo from nothing to a scorecard.
CONFIG ?= configs/demo.yaml
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
STAGES := demo check align folds train infer ensemble submit scorecard

# What the user gives is text: make must not expand a `$` in it, nor the shell run anything of it.
# As variables of := it is exported and inserted as it is; a line break would end the command line.
GIVEN := CONFIG DATA SET JOBS DEVICES MODEL FOLD SCORE LABEL
define newline


endef
$(foreach name,$(GIVEN),$(eval override $(name) := $$(subst $$(newline), ,$$(value $(name)))))
quoted = '$(subst ','\'',$(1))'
option = $(if $($(2)),--$(1)=$(call quoted,$($(2))))
ARGUMENTS = --config=$(call quoted,$(CONFIG)) $(call option,data,DATA) $(call option,set,SET) \
            $(call option,jobs,JOBS) $(call option,devices,DEVICES)
MEMBER = $(call option,model,MODEL) $(call option,fold,FOLD)
RUN = $(BIN)/python -m pipeline

.DEFAULT_GOAL := all
.NOTPARALLEL:
.PHONY: all $(STAGES) plan borders verify leaderboard help test test-slow gpu lint encoders bench clean clean-all environment

all: $(STAMP)            ## every stage in order; without CONFIG= the embedded demo
	@$(RUN) all $(ARGUMENTS)

demo: $(STAMP)           ## draw the embedded competition
check: $(STAMP)          ## what the data is, and what is wrong with it
align: $(STAMP)          ## bring references onto their images (experiments that have them)
folds: $(STAMP)          ## split the training images: folds/<name>.csv
train: $(STAMP)          ## train every (model, fold); MODEL= and FOLD= choose
infer: $(STAMP)          ## predict out-of-fold and test maps; MODEL= and FOLD= choose
ensemble: $(STAMP)       ## choose weights, thresholds and post-processing
submit: $(STAMP)         ## write submissions/<name>/<label>.csv
scorecard: $(STAMP)      ## what it is all worth: table and report.html
demo check align folds ensemble submit scorecard:
	@$(RUN) $@ $(ARGUMENTS)
train infer:
	@$(RUN) $@ $(ARGUMENTS) $(MEMBER)

plan: $(STAMP)           ## bytes, files and hours of every stage, before any is run
	@$(RUN) $@ $(ARGUMENTS)

borders: $(STAMP)        ## how predicted borders lie to those of the masks, in pixels; MODEL= chooses
	@$(RUN) $@ $(ARGUMENTS) $(call option,model,MODEL)

verify: $(STAMP)         ## read every stored map; damaged ones are named and made again by infer
	@$(RUN) $@ $(ARGUMENTS)

leaderboard: $(STAMP)    ## record what the competition gave: SCORE=0.9961 [LABEL=3fa91c02]
	@$(RUN) leaderboard $(ARGUMENTS) --score=$(call quoted,$(SCORE)) $(call option,label,LABEL)

environment: $(STAMP)    ## build .venv from requirements.txt
$(STAMP): requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11) and "Maskmill needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

test: $(STAMP) lint      ## the tests
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile

test-slow: $(STAMP)      ## the tests that take minutes
	$(BIN)/python -m pytest -m slow

gpu: $(STAMP)            ## the tests and benchmarks that need a GPU (at most 6 minutes)
	$(BIN)/python -m pytest -m gpu tests/gpu
	$(BIN)/python -m benchmarks.gpu

lint: $(STAMP)           ## format, lint and types
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy

.PHONY: docs
docs: $(STAMP)           ## make the page and the schema of all keys, and the site of docs/
	$(BIN)/python -m pipeline.config.reference docs
	$(BIN)/mkdocs build --strict --quiet

encoders: $(STAMP)       ## check all encoders of timm in all decoders: benchmarks/encoders.md (an hour or two)
	$(BIN)/python -m benchmarks.encoders --rows runs/encoders.jsonl

bench: $(STAMP)          ## the figures of benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

clean: $(STAMP)          ## remove what the stages made of CONFIG's experiment (not data, folds, submissions)
	@$(RUN) clean $(ARGUMENTS)

clean-all:               ## remove all runs and the drawn demo data
	rm -rf runs data/demo data/demo_reference

help:                    ## this list
	@echo "make [target] [CONFIG=configs/x.yaml] [DATA=/where] [SET='train.epochs=2 …'] [JOBS=n]"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '  %-12s %s\n' "$$name" "$$text"; done
