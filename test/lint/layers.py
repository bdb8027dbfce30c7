"""The direction of includes: a folder includes only what stands above it in the map (ARCHITECTURE.md)."""
import pathlib
import re
import sys

ORDER = ["base", "net", "model", "wire", "ports", "fold", "delivery", "account", "gateway", "api", "engine", "server", "cli"]
CLIENT = {"base", "net", "model", "wire", "ports"}
NO_LOCKS = {"fold", "delivery", "account", "gateway", "model", "wire"}
root = pathlib.Path(__file__).parents[2]
bad = []

for path in [*root.glob("src/**/*.h"), *root.glob("src/**/*.cc"), *root.glob("client/cpp/*.h"), *root.glob("client/cpp/*.cc")]:
    test = path.name.endswith(("_test.cc", "_for_test.h"))
    parts = path.relative_to(root).parts
    room = "client" if parts[0] == "client" else parts[1]
    text = path.read_text()
    for include in re.findall(r'#include "([^"]+)"', text):
        target = "client" if include.startswith("client/") else include.split("/")[0]
        if target == room or target == "test":
            continue
        if room == "client":
            allowed = target in CLIENT
        elif target == "client":
            allowed = room == "cli"
        elif target == "engine":
            allowed = room == "server" or test
        elif room == "engine":
            allowed = ORDER.index(target) <= ORDER.index("ports")
        else:
            allowed = ORDER.index(target) < ORDER.index(room)
        if not allowed:
            bad.append(f"{path.relative_to(root)} includes {include}")
    if room in NO_LOCKS and not test and re.search(r"std::(mutex|shared_mutex)|base/mutex.h", text):
        bad.append(f"{path.relative_to(root)} locks; cross a shard by posting moved values")

print("\n".join(bad) if bad else "layers: every include points upwards")
sys.exit(1 if bad else 0)
