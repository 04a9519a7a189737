# Everything a newcomer needs: `make help`. Debian and a Rust toolchain are enough; what else a
# target needs is installed by tests/ensure-tools.sh, which says so, or says what to do.

.POSIX:
.PHONY: help demo test bench soak lint doc

CARGO = cargo
# Most tests wait for a server more than they compute.
TEST_THREADS = 8
SOAK_SECONDS = 600
SOAK_ROWS = 20000

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile

demo: ## seal, kill, resume and verify on an embedded database, in a minute
	@tests/ensure-tools.sh cc
	$(CARGO) run --release --locked -- demo

test: ## all tests, against a PostgreSQL of their own (or PHISEAL_TEST_DATABASE_URL)
	@tests/ensure-tools.sh cc postgres
	RUST_TEST_THREADS=$(TEST_THREADS) $(CARGO) test --locked

bench: ## what sealing costs, by criterion
	@tests/ensure-tools.sh cc
	$(CARGO) bench --locked

soak: ## kills, faults, writers for SOAK_SECONDS while keys are rotated; SOAK_ROWS a table of each schema
	@tests/ensure-tools.sh cc postgres
	PHISEAL_SOAK_SECONDS=$(SOAK_SECONDS) $(CARGO) test --release --locked --test it -- crash faulty live rotate --nocapture
	PHISEAL_SOAK_ROWS=$(SOAK_ROWS) $(CARGO) test --release --locked --test it -- demo::sets goes_up_from_every_version --include-ignored --nocapture

lint: ## format and clippy, warnings denied
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --locked -- -D warnings

doc: ## the library's documentation, in target/doc
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --locked
