#!/usr/bin/env bash
# Runs the add-on in Node under sanitizers: AddressSanitizer (with LeakSanitizer) and UndefinedBehaviorSanitizer, or
# ThreadSanitizer. The native tests need no Node: `ctest --test-dir build-asan` or `build-tsan`, the same build folders.
#
#   test/sanitize/run.sh address|thread                      most tests of the projects integration and faults
#   test/sanitize/run.sh address|thread VITEST_ARGUMENT…     vitest with these, such as --project integration restore_
#   test/sanitize/run.sh address|thread -- COMMAND…          a command, such as npm run soak -- --class misuse --trials 9
#   test/sanitize/run.sh address|thread --prove              finds planted faults, each by itself
#
# The add-on is built into build-asan or build-tsan (JOBS at a time), and stands in a copy of the tree there, where
# lib/binding.ts looks for it; `dist` is taken as it is. Node is a copy of the installed one that loads the sanitizer's
# runtime first, and so is each Node that a test starts; nothing else is touched, as LD_PRELOAD would touch it. A report
# about the add-on is a finding, also where no test failed. Needs g++ and Debian's patchelf.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD/test/sanitize

case "${1:-}" in
  address) build=$PWD/build-asan sanitizers=address,undefined library=libasan.so ;;
  thread) build=$PWD/build-tsan sanitizers=thread library=libtsan.so ;;
  *)
    echo 'usage: test/sanitize/run.sh address|thread [vitest arguments… | -- command… | --prove]' >&2
    exit 2
    ;;
esac
kind=$1
shift
tree=$build/tree
reports=$build/reports

build_targets() {
  cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSNAPSHARD_SANITIZE="$sanitizers" -DSNAPSHARD_TESTS=ON \
    -DCMAKE_JS_INC="$(node -p "require('node-api-headers').include_dir")" >/dev/null
  cmake --build "$build" --parallel "${JOBS:-$(nproc)}" --target "$@"
}

copy_node() {
  mkdir -p "$build/bin"
  cp -L --remove-destination "$(node -p process.execPath)" "$build/bin/node"
  patchelf --add-needed "$(readlink -f "$(g++ -print-file-name="$library")")" "$build/bin/node"
}

# What the tests themselves built stays.
copy_tree() {
  mkdir -p "$tree/build/Release"
  find "$tree" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
  cp -r package.json tsconfig*.json vitest.config.ts CMakeLists.txt README.md lib dist examples docs native test bench \
    "$tree"
  ln -s "$PWD/node_modules" "$tree/node_modules"
  cp "$build/Release/snapshard.node" "$tree/build/Release"
}

# Memory errors end the process by SIGABRT, which no test takes for an ending of its own. Races and leaks do not: which
# of them are ours, reports.mjs knows. Node is not instrumented: what it does by itself is no race of ours.
set_options() {
  local common=log_path=$reports/report
  export ASAN_OPTIONS=$common:abort_on_error=1:detect_stack_use_after_return=1:detect_leaks=1
  export LSAN_OPTIONS=exitcode=0:print_suppressions=0:suppressions=$here/leaks.supp
  export UBSAN_OPTIONS=$common:abort_on_error=1:print_stacktrace=1
  export TSAN_OPTIONS=$common:exitcode=0:atexit_sleep_ms=100:ignore_noninstrumented_modules=1
}

# Each fault must be found by itself, in an add-on that has nothing else.
prove() {
  local faults=(overflow use_after_free leak undefined) fault
  if [[ "$kind" == thread ]]; then faults=(race); fi
  build_targets planted
  for fault in "${faults[@]}"; do
    rm -rf "$reports" && mkdir -p "$reports"
    node -e "require('$build/planted/snapshard.node').$fault()" || true
    if node "$here/reports.mjs" "$reports" >/dev/null; then
      echo "planted, and not found: $fault" >&2
      exit 1
    fi
    echo "planted, and found: $fault"
  done
}

# Left out: what measures its own memory, what trains in JavaScript for minutes, what is about disks that the add-on does
# not see, a process without /proc or descriptors, which a sanitizer needs itself, and system calls refused by a library
# that is loaded before all others, which a sanitizer's runtime must be itself.
default_arguments=(--project integration --project faults --testNamePattern '^(?!.*(with no /proc|that are all taken|is not heard))'
  --exclude '**/integration/{restore_memory,restore_hostile,example}.test.ts'
  --exclude '**/integration/{tune,report}_*.test.ts' --exclude '**/faults/{power,soak_calls}.test.ts')

build_targets snapshard
copy_node
set_options
export PATH=$build/bin:$PATH
if [[ "${1:-}" == --prove ]]; then
  prove
  exit
fi
copy_tree
rm -rf "$reports" && mkdir -p "$reports"
status=0
cd "$tree"
if [[ "${1:-}" == -- ]]; then
  shift
  "$@" || status=$?
else
  if (($# == 0)); then set -- "${default_arguments[@]}"; fi
  node node_modules/vitest/vitest.mjs run "$@" || status=$?
fi
node "$here/reports.mjs" "$reports" || status=1
exit "$status"
