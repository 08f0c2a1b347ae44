# The front door. `make` alone lists what there is.
PYTHON ?= python3
BIN := .venv/bin
UV_VERSION := 0.13.9
OULAD := $(if $(DULY_OULAD_DIR),$(DULY_OULAD_DIR),$(wildcard ../shared/data/oulad))
SOURCES := contracts chassis services cli deploy tests benchmarks

.DEFAULT_GOAL := help
.PHONY: help setup check test test-fast faults faults-release peers bench demo up contracts golden pictures

##@ Begin
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.synced ## Install everything into .venv, and fetch Kafka's jars once into your cache
	@$(BIN)/python -m duly_local.fetch

.venv/.synced: uv.lock pyproject.toml $(wildcard */pyproject.toml services/*/pyproject.toml deploy/local/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Duly needs Python 3.11 or later: make setup PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv sync --frozen --quiet
	@touch $@

##@ See it
demo: setup ## Play a generated organisation over a few weeks, in under a minute
	@$(BIN)/duly demo

up: setup ## Run PostgreSQL, Kafka, an inbox and every service here, until Ctrl-C
	@$(BIN)/duly up

##@ Change it
check: setup ## Lint, types, boundaries, schemas, docs
	$(BIN)/uv lock --check --quiet
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m duly_contracts.schema --check
	$(BIN)/python -m duly_cli.pages --check docs
	$(BIN)/python -m reminders.policy --check policies/reminders.yaml
	$(BIN)/python -m messenger.plan_file --check policies/channels.yaml
	$(BIN)/pytest -q tests/architecture tests/contracts

JOBS ?= 3
test: check ## Everything: check, then unit, integration, replay, faults, in JOBS (3) workers (DULY_OULAD_DIR adds the real folder)
	$(BIN)/pytest -q tests -m "not peer" --ignore tests/architecture --ignore tests/contracts \
		-n $(JOBS) --dist loadfile --no-loadscope-reorder

test-fast: setup ## What needs no server
	$(BIN)/pytest -q tests -m "not connected and not campaign and not peer"

peers: setup ## Speak with independent programs, fetched once into your cache: emulate, mitmproxy; and the machine's Postfix
	$(BIN)/python -m tests.peers.install
	$(BIN)/pytest -q tests/peers tests/compliance -m peer

faults: setup ## Kill a replay ten times, then services, PostgreSQL and the broker under them; check with code that shares nothing
	$(BIN)/python -m tests.faults.campaign
	$(BIN)/python -m tests.faults.live

faults-release: setup ## The same up to the release counts, for MINUTES (120); writes the table of docs/reliability.md
	$(BIN)/python -m tests.faults.live --release --minutes $(or $(MINUTES),120)

bench: setup ## Measure, as ratios in one run
	$(BIN)/python -m benchmarks

contracts: setup ## Write the schemas of new events, never a released one's, and the pages of docs/ made from code
	$(BIN)/python -m duly_contracts.schema --write
	$(BIN)/python -m duly_cli.pages --write docs

golden: setup ## Record the golden mails again; read the diff as prose
	DULY_GOLDEN=1 $(BIN)/pytest -q tests/unit/messenger

CHROMIUM ?= chromium
CHROMIUM_ALONE := --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
	--disable-component-update --disable-sync --hide-scrollbars

pictures: setup ## Take the pictures of the mails in docs/ again; needs Chromium (CHROMIUM=path)
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && for name in en-GB de; do \
		$(BIN)/duly preview deadline-reminder --sample --locale $$name --at 2026-03-17T08:00:00Z --out $$folder > $$folder/said 2>&1 && \
		timeout 120 $(CHROMIUM) $(CHROMIUM_ALONE) --user-data-dir=$$folder/profile --window-size=640,620 \
			--screenshot=docs/pictures/deadline-reminder-$${name%%-*}.png file://$$folder/deadline-reminder-$$name.html 2> $$folder/said \
		|| { cat $$folder/said; exit 1; }; \
	done
