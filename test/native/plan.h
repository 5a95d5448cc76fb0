// Random transfers, and what must come of them, computed without the code under test.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "files.h"
#include "random.h"
#include "transfer/layout.h"
#include "transfer/source.h"
#include "transfer/transfer.h"

namespace snapshard::test {

// One transfer to be made, and the files that it must leave.
struct Plan {
  LayoutInput input;
  std::vector<Source> sources;
  std::vector<std::vector<std::byte>> files;
  // Memory of the sources, for as long as the transfer reads it.
  std::vector<std::shared_ptr<std::vector<std::byte>>> buffers;
};

// Adds files, slices and segments with random bytes.
class PlanBuilder {
 public:
  // Files for `kPath` and `kDescriptor` sources are made in `folder`.
  PlanBuilder(Random& random, const TemporaryDirectory& folder) : random_(random), folder_(folder) {}

  void add_file(size_t header_bytes);
  // In one segment of a source of its own, which starts at `source_offset` of it. Device memory is of a random device,
  // or of `device`.
  void add_slice(uint64_t bytes, SourceKind kind, uint64_t source_offset = 0, int device = -1);
  // In several segments of any of these kinds.
  void add_mixed_slice(uint64_t bytes, const std::vector<SourceKind>& kinds);
  void add_empty_slice();
  // The memory or path of the source that was added last.
  [[nodiscard]] Source& last_source() { return plan_.sources.back(); }

  Plan finish() { return std::move(plan_); }

 private:
  void add_segment(uint64_t bytes, SourceKind kind, uint64_t source_offset, int device = -1);
  Source make_source(SourceKind kind, const std::vector<std::byte>& bytes, int device);

  Random& random_;
  const TemporaryDirectory& folder_;
  Plan plan_;
};

inline const std::vector<SourceKind> kHostKinds = {SourceKind::kBuffer, SourceKind::kShared, SourceKind::kLease,
                                                   SourceKind::kPath, SourceKind::kDescriptor};
// With device memory, where the double of the driver is there.
const std::vector<SourceKind>& all_kinds();

// A few files of a few slices, of sizes next to every boundary, about `bytes_max` in all.
Plan random_plan(Random& random, const TemporaryDirectory& folder, const std::vector<SourceKind>& kinds,
                 uint64_t bytes_max);
// One file, which has room for blocks in place: aligned leases, and others that are not.
Plan lease_plan(Random& random, const TemporaryDirectory& folder, uint64_t bytes_max);

// What is needed to judge a transfer once its plan has been handed over.
struct Expectation {
  std::vector<std::vector<std::byte>> files;
  std::vector<size_t> header_bytes;
  std::vector<uint32_t> file_slices;
  std::vector<uint64_t> slice_bytes;
};
Expectation expectation_of(const Plan& plan);

// Compares bytes and digests.
void check_outcome(const Expectation& expected, const TransferOutcome& outcome, const std::vector<std::string>& paths);

}  // namespace snapshard::test
