# Two commands do everything on a fresh machine: `make run` and `make test`.
.PHONY: run test check crds release bench-build bench-run help

help:
	@echo 'make run       build Longshore and see it build, push and run an app on this machine'
	@echo 'make test      set up the real components that the tests need, and run all tests'
	@echo 'make check     format, clippy, cargo deny, the CRDs and the shell scripts'
	@echo 'make crds      write the CRD YAML anew from the types'
	@echo 'make release   the optimized binary, target/release/longshore'
	@echo 'make bench-build   builds with Longshore, buildx and Compose, timed side by side'
	@echo 'make bench-run     containers with Longshore, Compose and a bare loop of calls, timed side by side'
	@echo 'make lab-up    start the lab, to play with; make lab-down ends it'

include tests/lab/lab.mk

run:
	scripts/run

test:
	scripts/test

check:
	scripts/check

crds:
	cargo run --quiet --locked --package longshore-crds --bin write-crds -- crds

bench-build:
	scripts/bench-build

bench-run:
	scripts/bench-run

release:
	cargo build --release --locked
