#!/bin/sh
# Runs the demo twice and compares bytes and times of everything outside the index. FEEDMILL names a program that is built already.
set -eu
cd "$(dirname "$0")/.."
feedmill=${FEEDMILL:-cargo run --quiet --locked --}
rm -rf data/demo
# Every file and folder with size, time and, for files, checksum.
state() {
    find data/demo -path data/demo/index -prune -o -path data/demo -o -printf '%p %y %s %T@\n' | sort
    find data/demo -path data/demo/index -prune -o -type f -print0 | sort -z | xargs -0 sha256sum
}
$feedmill --config config/demo.yaml poll
before=$(state)
test -n "$before"
$feedmill --config config/demo.yaml poll
after=$(state)
if [ "$before" != "$after" ]; then
    echo "the second run of the demo touched files outside the index" >&2
    exit 1
fi
echo "the second run of the demo touched nothing outside the index"
