#!/bin/sh
# The same seeds give the same histories, down to the last byte, in two runs of the program at two places in memory.
set -eu
first=$("$1" --seeds 5 --seed 1000 | sed 's/.*hash \([0-9a-f]*\).*/\1/')
second=$(SOMETHING_TO_MOVE_THE_STACK=$(seq 1 500 | tr '\n' ' ') "$1" --seeds 5 --seed 1000 | sed 's/.*hash \([0-9a-f]*\).*/\1/')
echo "$first $second"
[ -n "$first" ] && [ "$first" = "$second" ]
