# The front door. `just` lists the recipes; anything with logic lives in crates/xtask.

set shell := ["bash", "-euo", "pipefail", "-c"]

# List the recipes.
default:
    @just --list

# Formatting, lints and API documentation, as CI runs them.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# All tests. Those that need SIPp or the corpus say so when they skip.
test *ARGS:
    cargo test --workspace {{ ARGS }}

# Write changed snapshots, then show them: read every line before committing.
snap:
    INSTA_UPDATE=always cargo test --workspace || true
    git diff -- '*.snap' '*.stderr'
    git status --short -- '*.snap' '*.stderr'

# Fuzz one target (a file in fuzz/fuzz_targets) for some seconds.
fuzz TARGET SECONDS="60":
    mkdir -p fuzz/target/found/{{ TARGET }} fuzz/corpus/{{ TARGET }}
    RUSTC_BOOTSTRAP=1 cargo fuzz run {{ TARGET }} fuzz/target/found/{{ TARGET }} fuzz/corpus/{{ TARGET }} -- \
        -max_total_time={{ SECONDS }} -rss_limit_mb=2048 -timeout=10 -dict=fuzz/sip.dict

# All measurements, beside SIPp where it is installed, into target/bench, in less than twenty minutes; `just bench --quick` takes a
# few, `just bench --publish` also renews docs/bench/result.json and chart.svg.
bench *ARGS:
    cargo xtask bench {{ ARGS }}

# The same scenarios by SIPp and by us, in all pairings.
diff-sipp:
    cargo test -p gossipper-cli --test differential -- --nocapture

# The documents made from tables, and the API documentation.
docs:
    cargo xtask docs
    UPDATE_DOCS=1 cargo test -p gossipper-cli --bins flags::help
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Licences, duplicate and banned crates, sources (needs cargo-deny).
deny:
    cargo fetch --locked
    cargo deny --offline check bans licenses sources

# Everything CI does, in its order.
ci:
    .ci/run
