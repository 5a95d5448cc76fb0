#!/usr/bin/env bash
# Checks the format of all C++ (clang-format) and analyses what the build compiles (clang-tidy), after
# `npm run build:native`, whose compile_commands.json it reads. With --fix-format it rewrites the format instead.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in clang-format clang-tidy; do
  if ! command -v "$tool" >/dev/null; then
    echo "native/lint.sh needs $tool: apt-get install -y clang-format clang-tidy" >&2
    exit 1
  fi
done
if [[ ! -f build/compile_commands.json ]]; then
  echo 'native/lint.sh reads build/compile_commands.json: run `npm run build:native` first' >&2
  exit 1
fi

mapfile -t all_files < <(find native test/native bench -name '*.cc' -o -name '*.h' | sort)
if [[ "${1:-}" == --fix-format ]]; then
  clang-format -i "${all_files[@]}"
  exit 0
fi
clang-format --dry-run -Werror "${all_files[@]}"

# The build is g++'s: flags that clang does not know are no finding.
mapfile -t compiled_files < <(node -e '
  const entries = JSON.parse(require("fs").readFileSync("build/compile_commands.json", "utf8"));
  const own = entries.map((entry) => entry.file).filter((file) => !file.includes("node_modules"));
  console.log([...new Set(own)].join("\n"));')
printf '%s\0' "${compiled_files[@]}" |
  xargs -0 -n 1 -P "$(nproc)" clang-tidy -p build --quiet --extra-arg=-Wno-unknown-warning-option 2> >(
    grep -v -E 'warnings? generated|Suppressed .* warnings|Use -header-filter' >&2 || true
  )
echo "clang-format: ${#all_files[@]} files; clang-tidy: ${#compiled_files[@]} files; no complaint"
