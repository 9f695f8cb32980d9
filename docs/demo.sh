#!/bin/sh
# The main job from end to end. Run around it: reconciler sandbox -- sh docs/demo.sh
# Shows each command as typed, and fails where one does not exit as it should.
set -eu

run() {
    expected=$1
    shift
    printf '\n$ %s\n' "$*"
    status=0
    "$@" || status=$?
    if [ "$status" -ne "$expected" ]; then
        echo "error: that exited $status, not $expected" >&2
        exit 1
    fi
}

run 0 reconciler validate policies/acme
run 3 reconciler plan --exit-code policies/acme
run 0 reconciler apply policies/acme
run 0 reconciler plan --exit-code policies/acme
