// Random reads, and what must come of them, computed from the files themselves with none of the code under test.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "files.h"
#include "random.h"
#include "transfer/read.h"
#include "transfer/read_layout.h"

namespace snapshard::test {

// A read to be made. Memory of the targets belongs to the plan: it outlives the read.
struct ReadPlan {
  ReadInput input;
  std::vector<uint64_t> target_bytes;
  std::vector<SourceKind> target_kinds;
  std::vector<std::shared_ptr<std::vector<std::byte>>> buffers;
};

// Chunks of files with random bytes, each file in turn, and their copies.
class ReadPlanBuilder {
 public:
  ReadPlanBuilder(Random& random, const TemporaryDirectory& folder) : random_(random), folder_(folder) {}

  void add_file(const std::string& name, uint64_t bytes);
  uint32_t add_target(SourceKind kind);
  // The next chunk begins there, or at the next byte that is free if that is later.
  void skip_to(uint64_t offset);
  [[nodiscard]] uint64_t offset() const { return offset_; }
  [[nodiscard]] uint64_t left() const { return file_bytes_ - offset_; }
  // Cut into chunks that go whole and in order to one place, from `to` on (or what is free behind it).
  void add_run(uint64_t bytes, uint32_t target, uint64_t to = 0);
  // A chunk of which parts go to random targets.
  void add_scattered(uint64_t bytes);
  void add_hashed_only(uint64_t bytes);

  // Allocates the targets.
  ReadPlan finish();

 private:
  void add_chunk(uint64_t bytes);
  void add_copy(uint64_t from, uint64_t bytes, uint32_t target, uint64_t to);
  void allocate(size_t target);

  Random& random_;
  const TemporaryDirectory& folder_;
  ReadPlan plan_;
  uint64_t file_bytes_ = 0;
  uint64_t offset_ = 0;
};

// Where the CPU finds them, of device memory too.
std::byte* bytes_in(const Target& target);

// A few files, of chunks small and large, aligned and not, next to each other and apart.
ReadPlan random_read(Random& random, const TemporaryDirectory& folder, const std::vector<SourceKind>& kinds);

// What each target holds, and each digest, when all of it has been read. Before the read.
struct ReadExpectation {
  std::vector<std::vector<std::byte>> targets;
  std::vector<Digest> digests;
  uint64_t chunk_bytes = 0;
};
ReadExpectation expectation_of(const ReadPlan& plan, const TemporaryDirectory& folder);

}  // namespace snapshard::test
