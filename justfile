# `just` lists what can be done.

default:
    @just --list

# Everything CI checks, in its order.
check: format clippy test deny docs demo-twice

format:
    cargo fmt --check

clippy:
    cargo clippy --all-targets --locked -- -D warnings

test:
    cargo test --locked

# Licences, duplicates, sources; advisories too, where the database can be fetched.
deny:
    if cargo deny fetch db 2>/dev/null; then cargo deny check; else echo "advisories not checked: no way to their database"; cargo deny check bans licenses sources; fi

docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked --document-private-items

# The 48 real histories of ../shared, state by state, against their truth.
histories:
    cargo test --locked --test main histories -- --nocapture

# With FEEDMILL_DIFFERENCES="wellformed/rss" or "date" each difference of that folder or field is shown.
#
# The test feeds of ../shared, compared with what Python's feedparser reads in them.
corpus:
    test -x target/feedparser/bin/pip || python3 -m venv target/feedparser
    target/feedparser/bin/pip install --quiet --disable-pip-version-check feedparser==6.0.14
    target/feedparser/bin/python tests/corpus/oracle.py "${FEEDMILL_CORPORA:-../shared/corpora}" > target/oracle.jsonl
    FEEDMILL_ORACLE=target/oracle.jsonl cargo test --locked --test main corpus:: -- --nocapture

# Every call to disk and index fails in every way, and the power goes at every call (about an hour in a debug build).
torture:
    FEEDMILL_TORTURE=1 cargo test --locked --test main torture:: -- --nocapture

# The real binary is killed so many times while its feeds change. FEEDMILL_SEED takes the seed that a failure printed.
kill-loop kills="500":
    FEEDMILL_KILLS={{kills}} cargo test --locked --test main kill:: -- --nocapture

# Months of a daemon with everything that goes wrong, on a paused clock. FEEDMILL_SEED plays the one that a failure printed.
months seeds="1000":
    FEEDMILL_SEEDS={{seeds}} cargo test --release --locked --test main a_month_loses_nothing -- --nocapture

# Needs cargo-llvm-cov, and llvm-cov and llvm-profdata of the compiler's LLVM (rustc -vV), from `rustup component add llvm-tools` or
# by LLVM_COV and LLVM_PROFDATA. Some tests run as another user, who writes there, too.
#
# Which lines the tests run, by module; fails where those that decide what is kept are below 90 %.
coverage:
    mkdir -p target/llvm-cov-target && chmod a+rwx target/llvm-cov-target
    cargo llvm-cov --no-report --locked
    cargo llvm-cov report --json --summary-only --output-path target/coverage.json
    python3 tests/coverage.py target/coverage.json

fuzz_targets := "config decode header html post read salvage url"
fuzz_limits := "-max_len=16384 -timeout=60 -rss_limit_mb=3000"

# Each fuzz target for a minute, from the seeds. Needs cargo-fuzz; RUSTC_BOOTSTRAP lets the stable compiler take its flags.
fuzz-smoke seconds="60":
    cd fuzz && for target in {{fuzz_targets}}; do mkdir -p corpus/$target && \
        RUSTC_BOOTSTRAP=1 cargo fuzz run -s none $target corpus/$target seeds/$target -- \
        -max_total_time={{seconds}} {{fuzz_limits}} || exit 1; done

# The same on every core, for so many seconds each; what is found in one run is where the next begins.
fuzz seconds="600":
    cd fuzz && for target in {{fuzz_targets}}; do mkdir -p corpus/$target && \
        RUSTC_BOOTSTRAP=1 cargo fuzz run -s none $target corpus/$target seeds/$target -- \
        -max_total_time={{seconds}} {{fuzz_limits}} -fork={{num_cpus()}} || exit 1; done

# The demo: feeds from data/samples, no network.
demo:
    cargo run --locked -- --config config/demo.yaml poll

# The demo twice: the second run must touch nothing outside the index.
demo-twice:
    sh tests/demo_twice.sh

# The whole against a floor of our own: cold, warm and changed polls, compared with the truth. docs/performance.md explains it.
bench feeds="1000" rounds="5":
    cargo bench --locked --bench whole -- rounds --feeds {{feeds}} --rounds {{rounds}}

# What single parts cost.
bench-parts:
    cargo bench --locked --bench parts --bench read

# Every figure of docs/performance.md anew, with its tables and its plot. Takes an hour or two on a machine that does nothing else.
bench-series:
    rm -f docs/performance/*.csv docs/performance/machine.json
    cargo bench --locked --bench whole -- machine docs/performance/machine.json
    cargo bench --locked --bench whole -- rounds --rounds 7 --records 1000000 --out docs/performance/rounds.csv
    cargo bench --locked --bench whole -- latency --out docs/performance/latency.csv
    cargo bench --locked --bench whole -- clone --out docs/performance/clone.csv
    cargo bench --locked --bench whole -- serving --out docs/performance/serving.csv
    cargo bench --locked --bench whole -- sizes --out docs/performance/sizes.csv
    cargo bench --locked --bench whole -- index --out docs/performance/index.csv
    cargo bench --locked --bench whole -- topics --out docs/performance/topics.csv
    python3 docs/performance/plot.py
