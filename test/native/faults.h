// What the tests of failing transfers share.
#pragma once

#include "rig.h"
#include "test.h"

namespace snapshard::test {

// One file of one slice.
inline Plan plan_of(Rig& rig, uint64_t bytes, SourceKind kind) {
  static Random random(1);
  PlanBuilder builder(random, rig.folder());
  builder.add_file(4096);
  builder.add_slice(bytes, kind);
  return builder.finish();
}

inline void check_failed(const Running& running, Failure kind, int error = 0) {
  const Status& status = running.outcome().status;
  if (status.kind() != kind || status.error() != error) {
    fail(__FILE__, __LINE__, "it ended with: " + status.message());
  }
}

// The staging works as if nothing had been.
inline void check_usable(Rig& rig, const std::shared_ptr<Staging>& staging) {
  check_pool(*staging);
  rig.run(staging, plan_of(rig, 5 * kMiB + 3, SourceKind::kBuffer));
  check_pool(*staging);
}

// With each engine, direct and buffered.
inline void for_each_way(void (*body)(EngineChoice, bool)) {
  static void (*current)(EngineChoice, bool);
  current = body;
  with_no_descriptor_lost([] {
    for (const bool direct : {true, false}) {
      current(EngineChoice::kThreads, direct);
      current(EngineChoice::kAuto, direct);
    }
  });
}

}  // namespace snapshard::test
