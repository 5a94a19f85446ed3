#!/bin/sh
# The tests of the example, in a container: what is tested is what this folder holds. Needs docker. Arguments are words, of
# which a test's path must contain one; `oauth2` unless given. The last line is N passed, N failed.
set -eu
cd "$(dirname "$0")/../.."
docker build --target test -t signet-oauth2-test:local -f examples/oauth2/Dockerfile .
[ $# -gt 0 ] || set -- oauth2
exec docker run --rm --init --network none signet-oauth2-test:local node build/test/support/run-tests.js "$@"
