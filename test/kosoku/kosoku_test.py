"""RFC 6455 and RFC 7692 by the Autobahn cases, which the package kosoku from PyPI runs on Python 3.

By default groups 1 to 7 and 10 (12 s). `--groups 9` are large messages, 12 and 13 compression, which is on for these two and, with
`--compression`, for others; each takes minutes. Without PyPI, and not installed before: skipped, status 77."""

import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

VERSION = "0.1.0"
FINE = {"OK", "NON-STRICT", "INFORMATIONAL"}
CASES = {"1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37, "10": 1,  # as many as must have run
         "9": 54, "12": 90, "13": 126}
BY_DEFAULT = "1,2,3,4,5,6,7,10"
COMPRESSED = {"12", "13"}


def skip(why):
    print(f"\n*** SKIPPED: the WebSocket conformance cases did not run: {why} ***\n", file=sys.stderr)
    sys.exit(77)


def install(venv):
    program = pathlib.Path(venv, "bin/kosoku")
    if program.exists():
        return program
    for command in ([sys.executable, "-m", "venv", venv],
                    [f"{venv}/bin/pip", "install", "--quiet", "--timeout", "10", "--retries", "1", f"kosoku=={VERSION}"]):
        ran = subprocess.run(command, capture_output=True, text=True)
        if ran.returncode != 0:
            skip((ran.stderr or ran.stdout).strip().splitlines()[-1])
    return program


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("echo", help="the program kosoku_echo")
    parser.add_argument("--venv", default="build/kosoku")
    parser.add_argument("--into", help="where the report goes; by default nowhere")
    parser.add_argument("--groups", default=BY_DEFAULT, help="for example 9,12,13")
    parser.add_argument("--compression", action="store_true", help="agree on permessage-deflate in every group")
    options = parser.parse_args()
    program = install(options.venv)
    groups = options.groups.split(",")

    with tempfile.TemporaryDirectory() as temporary:
        report = os.path.join(options.into or temporary, "kosoku-report")
        switches = ["--compression"] if options.compression or COMPRESSED & set(groups) else []
        echo = subprocess.Popen([options.echo, *switches], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            port = echo.stdout.readline().strip()
            left_out = [word for group in range(1, 14) if str(group) not in groups for word in ("-x", f"{group}.*")]
            subprocess.run([str(program), "-m", "fuzzingclient", *left_out, "-o", report, f"127.0.0.1:{port}"],
                           stdout=subprocess.DEVNULL)
            echo.stdin.close()
            ended = echo.wait(timeout=20)
        finally:
            echo.kill()
        results = next(iter(json.loads(pathlib.Path(report, "index.json").read_text()).values()))

    bad = {case: (row["behavior"], row["behaviorClose"]) for case, row in results.items()
           if not {row["behavior"], row["behaviorClose"]} <= FINE}
    ran = collections.Counter(case.split(".")[0] for case in results)
    print(f"{len(results)} cases:", dict(collections.Counter(row["behavior"] for row in results.values())))
    for case, what in sorted(bad.items()):
        print(case, *what)
    missing = {group: (ran[group], CASES[group]) for group in groups if group in CASES and ran[group] != CASES[group]}
    if missing:
        print("not as many cases as there are:", missing)
    if ended != 0:
        print("the echo program ended with", ended)
    sys.exit(1 if bad or missing or ended != 0 or not results else 0)


if __name__ == "__main__":
    main()
