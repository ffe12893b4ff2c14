#!/usr/bin/env bash
# The whole study: a comparison for each data set, into OUT (results/ beside this file). What is there
# already is not made again.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
triflow=${TRIFLOW:-triflow}
out=${OUT:-$here/results}
for data in two_moons eight_gaussians checkerboard pinwheel swiss_roll; do
  "$triflow" compare --config "$here/study.yaml" --set "data.type=$data" --out "$out/$data" "$@"
done
"$triflow" compare --config "$here/digits.yaml" --out "$out/digits" "$@"
