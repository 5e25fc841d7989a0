.PHONY: run test

# The web server of examples/node-app, built and kept running until Ctrl-C: curl localhost:4000
run:
	cargo run --quiet --package longshore -- up -f examples/node-app/my-app.yaml

test:
	cargo test --workspace
