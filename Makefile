# Two commands do all the set-up: `make demo` runs the main job, `make test` passes the tests.
PYTHON ?= python3
BIN := .venv/bin
DATA ?= .data
# What the contracts must not break: the commit before this one, or BASE=main on a branch.
BASE ?= HEAD~1
# Made beside the old one and then put in its place, so that nobody imports half of it.
GEN := protos/.gen
PROTOS := $(shell find protos/colonnade protos/buf -name '*.proto' | sort)

.PHONY: demo seed-demo run test e2e check fmt lint types imports proto proto-check buf bench soak lock clean help

help: ## Shows this list.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/run.stamp: requirements.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python tools/link.py
	@touch $@

.venv/dev.stamp: requirements-dev.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python tools/link.py
	@touch $@ .venv/run.stamp

demo: .venv/run.stamp ## The main job on a sample library. PHOTOS=dir takes yours; EXIT=1 ends afterwards.
	@$(BIN)/python -m demo --data $(DATA)/demo $(if $(PHOTOS),--photos "$(PHOTOS)") $(if $(EXIT),--exit)

seed-demo: .venv/run.stamp ## A persona, pillars and a decided run, in $(DATA)/demo or at ADDRESS=host:port; safe to repeat.
	@$(BIN)/python -m demo.seed --data $(DATA)/demo $(if $(ADDRESS),--address "$(ADDRESS)")

run: .venv/run.stamp ## Starts the suite alone, on $(DATA)/suite.
	@$(BIN)/python -m services --target=all --data $(DATA)/suite

test: .venv/dev.stamp ## The tests: rules, contracts, and every part on real engines.
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not processes" $(ARGS)

e2e: .venv/dev.stamp ## Whole suites as processes: the main job in two shapes, kills, security, the demo.
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m processes $(ARGS)

bench: .venv/dev.stamp ## Benchmarks, each beside its bare limit; prints the tables of docs/benchmarks.md.
	@$(BIN)/python -m tests.bench $(ARGS)

soak: .venv/dev.stamp ## Sends 10,000 mixed images to the embedding service; fails if its memory grows.
	@$(BIN)/python -m tests.soak $(ARGS)

check: lint types imports buf proto-check ## Formatter, linter, types, import rules, contracts.

fmt: .venv/dev.stamp ## Formats code and contracts.
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix . && $(BIN)/buf format -w --path protos/colonnade

lint: .venv/dev.stamp
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: .venv/dev.stamp
	@$(BIN)/mypy

imports: .venv/dev.stamp
	@$(BIN)/lint-imports

buf: .venv/dev.stamp
	@$(BIN)/buf lint && $(BIN)/buf format -d --exit-code --path protos/colonnade
	@if git rev-parse --verify -q $(BASE):protos/colonnade >/dev/null; then $(BIN)/buf breaking --against '.git#ref=$(BASE)'; fi

proto: .venv/dev.stamp ## Generates code from the contracts.
	@rm -rf $(GEN) && mkdir -p $(GEN)
	@$(BIN)/python -m grpc_tools.protoc -Iprotos \
	  --plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy --plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc \
	  --python_out=$(GEN) --mypy_out=quiet:$(GEN) $(PROTOS)
	@$(BIN)/python -m grpc_tools.protoc -Iprotos \
	  --plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc \
	  --grpc_python_out=$(GEN) --mypy_grpc_out=quiet,only_async:$(GEN) $(wildcard protos/colonnade/*/v1/*_service.proto)
	@$(BIN)/python -m grpc_tools.protoc -Iprotos --include_imports --include_source_info \
	  --descriptor_set_out=$(GEN)/colonnade/descriptors.binpb $(wildcard protos/colonnade/*/v1/*_service.proto)
	@find $(GEN) -type d -not -path $(GEN) -exec touch {}/__init__.py \;
	@rm -rf protos/gen && mv $(GEN) protos/gen

proto-check: proto ## Fails if the committed generated code is not what the contracts give.
	@git diff --exit-code --stat -- protos/gen && test -z "$$(git ls-files --others --exclude-standard protos/gen)"

lock: ## Pins the dependencies anew.
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra local --extra demo -o requirements.txt pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --all-extras -o requirements-dev.txt pyproject.toml

clean: ## Removes what was built; keeps data.
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
