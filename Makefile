# Everything a newcomer needs: `make help`. Debian and Rust from rustup are enough. tests/ensure-tools.sh installs
# what else a target needs and says so, or says what to do.

.POSIX:
.PHONY: help demo test dist bench bench-live bench-growth bench-compare soak lint doc

CARGO = cargo
# Most tests wait for a server more than they compute.
TEST_THREADS = 8
# `dev` builds packages of a larger and slower program, in seconds after `make demo`.
DIST_PROFILE = packaged
SOAK_SECONDS = 600
FUZZ_SECONDS = 60
SOAK_ROWS = 20000
# Servers of other major versions that `make soak` runs on, and where they are kept.
OTHER_VERSIONS = 13 18
SERVERS = $(CURDIR)/target/servers
# Two runs of `make bench`: one saved before, and the last.
OLD = docs/benchmarks/compare.json
NEW = target/bench/compare.json

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

demo: ## seal, kill, resume and verify on an embedded database, in a minute
	@tests/ensure-tools.sh cargo cc
	$(CARGO) run --locked -- demo

test: ## all tests, against a PostgreSQL of their own (or PHISEAL_TEST_DATABASE_URL)
	@tests/ensure-tools.sh cargo cc postgres
	RUST_TEST_THREADS=$(TEST_THREADS) $(CARGO) test --locked

dist: ## packages, in target/dist: an archive, a .deb, a container image; packaging/try.sh tries them
	@tests/ensure-tools.sh cargo cc
	packaging/build.sh $(DIST_PROFILE)

bench: ## phiseal beside the alternatives: an hour of measuring, and docs/BENCHMARKS.md from it
	@tests/ensure-tools.sh cargo cc postgres
	$(CARGO) bench --locked --bench seal --bench batch --bench pipeline --bench rotate --bench network
	$(CARGO) bench --locked --bench compare

bench-growth: ## how cost grows with rows, lanes, columns and the size of values; 30 GB of disk
	@tests/ensure-tools.sh cargo cc postgres
	PHISEAL_BENCH=growth $(CARGO) bench --locked --bench compare

bench-live: ## what an application feels of phiseal at 20, 40 and 60 % of the machine: half an hour
	@tests/ensure-tools.sh cargo cc postgres
	$(CARGO) bench --locked --bench live

bench-compare: ## two saved runs, OLD and NEW: fails where a ratio lost a tenth
	$(CARGO) bench --locked --bench compare -- regress $(OLD) $(NEW)

soak: ## kills, faults, writers and random DDL for SOAK_SECONDS while keys are rotated; SOAK_ROWS a table of each schema; fuzzing; a pooler; other servers
	@tests/ensure-tools.sh cargo cc c++ postgres
	fuzz/run $(FUZZ_SECONDS)
	PHISEAL_SOAK_SECONDS=$(SOAK_SECONDS) $(CARGO) test --release --locked --test it -- crash faulty finalize live rotate --nocapture
	PHISEAL_DDL_SECONDS=$(SOAK_SECONDS) $(CARGO) test --release --locked --test it -- ddl:: --nocapture
	PHISEAL_SOAK_ROWS=$(SOAK_ROWS) $(CARGO) test --release --locked --test it -- demo::sets odd::names goes_up_from_every_version step_by_step --include-ignored --nocapture
	@tests/ensure-tools.sh pgbouncer
	$(CARGO) test --release --locked --test it -- pooler:: --include-ignored --nocapture
	tests/other-servers.sh $(SERVERS) $(OTHER_VERSIONS)
	for version in $(OTHER_VERSIONS); do PATH="$(SERVERS)/$$version/bin:$$PATH" RUST_TEST_THREADS=$(TEST_THREADS) \
	    $(CARGO) test --release --locked --test it -- guard:: faulty:: rows:: backfill:: rotate:: verify \
	    crash::a_server_that_crashes_and_comes_back_is_waited_for || exit 1; done

lint: ## format and clippy, warnings denied
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --locked -- -D warnings

doc: ## the library's documentation, in target/doc
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --locked
