# The lab's part of a Makefile: `include tests/lab/lab.mk`.
lab := $(dir $(lastword $(MAKEFILE_LIST)))

.PHONY: lab-install lab-up lab-down lab-status lab-reset lab-check lab-lint

lab-install lab-up lab-down lab-status lab-reset: lab-%:
	$(lab)lab $*

# What the lab promises, tried out against the lab.
lab-check: lab-up
	$(lab)check

lab-lint:
	shellcheck $(lab)lab $(lab)check $(lab)sshd $(lab)skopeo $(lab)sbom-scanner/scan
