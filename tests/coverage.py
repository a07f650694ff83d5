"""Lines that the tests run, by module: `python3 tests/coverage.py REPORT`, from `cargo llvm-cov report --json --summary-only`.

Exits with 1 when a module that decides what is kept is below 90 %."""
import collections
import json
import sys

LEAST = 90
WATCHED = ("read", "normalize", "identity", "plan", "post", "archive", "index", "fetch")


def modules(report):
    """Lines run and lines there are, by module."""
    lines = collections.defaultdict(lambda: [0, 0])
    for file in report["data"][0]["files"]:
        module = file["filename"].rsplit("/src/", 1)[1].split("/")[0].removesuffix(".rs")
        lines[module][0] += file["summary"]["lines"]["covered"]
        lines[module][1] += file["summary"]["lines"]["count"]
    return lines


def main():
    low = []
    for module, (run, all_lines) in sorted(modules(json.load(open(sys.argv[1]))).items()):
        share = 100 * run / all_lines
        is_low = module in WATCHED and share < LEAST
        low += [module] * is_low
        print(f"{module:12} {share:6.1f} %  {run:5} of {all_lines:5}{'  too little' if is_low else ''}")
    sys.exit(f"below {LEAST} %: {', '.join(low)}" if low else 0)


main()
