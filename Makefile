# Two commands do everything on a fresh Debian 12 with a Swift 6.3 toolchain: `make quickstart` and `make test`.

SWIFT ?= swift
CONFIGURATION ?= release

.PHONY: help quickstart demo test bench bench-scale bench-instructions fuzz build dependencies docs format lint clean

help:
	@echo 'make quickstart  build, start a control plane and a data plane, print what to try'
	@echo 'make demo        run the guide against such a pair on free ports and compare every answer'
	@echo 'make test        build and run all tests'
	@echo 'make bench       compare with nginx, HAProxy and Envoy in one run (about 10 minutes; ARGUMENTS=--only=plain,lua for less)'
	@echo 'make fuzz        run the fuzzers, an hour each (TARGET=name SECONDS=n for less)'
	@echo 'make build       build the program (.build/$(CONFIGURATION)/sluice)'
	@echo 'make docs        write the generated references under docs/'
	@echo 'make format      format the sources; make lint only says what would change'

dependencies:
	@scripts/install-dependencies

build: dependencies
	$(SWIFT) build -c $(CONFIGURATION) --product sluice

quickstart: build
	@exec .build/$(CONFIGURATION)/sluice quickstart

demo: build
	@scripts/demo .build/$(CONFIGURATION)/sluice

bench: build
	@Benchmarks/bench --program .build/$(CONFIGURATION)/sluice --write $(ARGUMENTS)

bench-scale: build
	@Benchmarks/scale --program .build/$(CONFIGURATION)/sluice --write $(ARGUMENTS)

bench-instructions: build
	@Benchmarks/instructions --program .build/$(CONFIGURATION)/sluice $(ARGUMENTS)

fuzz: dependencies
	@scripts/fuzz $(if $(TARGET),$(TARGET),"handler schema pdk condition http response") $(or $(SECONDS),3600)

test: dependencies
	scripts/test

docs: build
	@scripts/generate-docs .build/$(CONFIGURATION)/sluice

format:
	$(SWIFT) format --in-place --parallel --recursive Sources Tests Package.swift

lint:
	$(SWIFT) format lint --parallel --recursive Sources Tests Package.swift

clean:
	rm -rf .build quickstart-data
