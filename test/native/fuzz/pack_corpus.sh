#!/usr/bin/env bash
# pack_corpus.sh TARGET FOLDER…: what of the inputs in the folders, and of the corpus, each adds to the coverage of a
# target becomes its corpus, one input a line, in hexadecimal digits. After the class `fuzz` of the soak has built it.
set -euo pipefail
target=$1
shift
repository=$(cd "$(dirname "$0")/../../.." && pwd)
corpus=$repository/test/native/fuzz/corpus/$target.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/known" "$work/merged"
if [[ -f $corpus ]]; then
  while read -r line; do xxd -r -p <<<"$line" >"$work/known/$(md5sum <<<"$line" | cut -c1-32)"; done <"$corpus"
fi
"$repository/build-fuzz/test/native/fuzz/${target}_fuzz" -merge=1 -max_len=256 "$work/merged" "$work/known" "$@" 2>/dev/null
mkdir -p "$(dirname "$corpus")"
for input in "$work"/merged/*; do xxd -p -c 0 "$input"; done | awk '{ print length, $0 }' | sort -n | cut -d' ' -f2 >"$corpus"
echo "$target: $(wc -l <"$corpus") inputs, $(wc -c <"$corpus") bytes"
