#include "read_plan.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "base/sizes.h"
#include "cuda_rig.h"
#include "reference.h"
#include "test.h"

namespace snapshard::test {

namespace {

// What nothing was copied over.
constexpr std::byte kUntouched{0xA5};

}  // namespace

void ReadPlanBuilder::add_file(const std::string& name, uint64_t bytes) {
  plan_.input.paths.push_back(name);
  write_whole(folder_.at(name), random_.bytes(bytes));
  file_bytes_ = bytes;
  offset_ = 0;
}

uint32_t ReadPlanBuilder::add_target(SourceKind kind) {
  plan_.target_kinds.push_back(kind);
  plan_.target_bytes.push_back(0);
  return static_cast<uint32_t>(plan_.target_bytes.size() - 1);
}

void ReadPlanBuilder::skip_to(uint64_t offset) { offset_ = std::min(std::max(offset_, offset), file_bytes_); }

void ReadPlanBuilder::add_chunk(uint64_t bytes) {
  plan_.input.chunk_file.push_back(static_cast<uint32_t>(plan_.input.paths.size() - 1));
  plan_.input.chunk_offset.push_back(offset_);
  plan_.input.chunk_bytes.push_back(static_cast<uint32_t>(bytes));
  plan_.input.chunk_copies.push_back(0);
  offset_ += bytes;
}

void ReadPlanBuilder::add_copy(uint64_t from, uint64_t bytes, uint32_t target, uint64_t to) {
  plan_.input.copy_from.push_back(static_cast<uint32_t>(from));
  plan_.input.copy_bytes.push_back(static_cast<uint32_t>(bytes));
  plan_.input.copy_target.push_back(target);
  plan_.input.copy_to.push_back(to);
  ++plan_.input.chunk_copies.back();
  plan_.target_bytes[target] = std::max(plan_.target_bytes[target], to + bytes);
}

void ReadPlanBuilder::add_run(uint64_t bytes, uint32_t target, uint64_t to) {
  bytes = std::min(bytes, left());
  to = std::max(to, plan_.target_bytes[target]);
  while (bytes > 0) {
    const uint64_t part = std::min(bytes, kChunkBytes);
    add_chunk(part);
    add_copy(0, part, target, to);
    to += part;
    bytes -= part;
  }
}

void ReadPlanBuilder::add_scattered(uint64_t bytes) {
  bytes = std::min({bytes, left(), kChunkBytes});
  if (bytes == 0) return;
  add_chunk(bytes);
  const uint64_t stride = random_.between(1, bytes);
  const uint64_t part = random_.between(1, stride);
  const auto target = static_cast<uint32_t>(random_.up_to(plan_.target_bytes.size() - 1));
  for (uint64_t from = 0, count = 0; from + part <= bytes && count < 2000; from += stride, ++count) {
    const uint64_t gap = random_.one_in(3) ? random_.up_to(50) : 0;
    add_copy(from, part, target, plan_.target_bytes[target] + gap);
  }
}

void ReadPlanBuilder::add_hashed_only(uint64_t bytes) {
  bytes = std::min({bytes, left(), kChunkBytes});
  if (bytes > 0) add_chunk(bytes);
}

void ReadPlanBuilder::allocate(size_t index) {
  Target target;
  target.kind = plan_.target_kinds[index];
  target.bytes = plan_.target_bytes[index] + random_.up_to(100) + 1;
  if (target.kind == SourceKind::kLease) {
    target.lease = std::make_shared<Lease>();
    CHECK_OK(Mapping::create(target.bytes, target.lease->memory));
    target.data = target.lease->memory.data();
  } else if (target.kind == SourceKind::kCuda) {
    target.cuda =
        device_memory(static_cast<int>(random_.up_to(static_cast<uint64_t>(cuda_device_count()) - 1)), target.bytes);
  } else {
    plan_.buffers.push_back(std::make_shared<std::vector<std::byte>>(target.bytes));
    target.data = plan_.buffers.back()->data();
  }
  std::fill_n(bytes_in(target), target.bytes, kUntouched);
  plan_.input.targets.push_back(target);
}

std::byte* bytes_in(const Target& target) {
  return target.kind == SourceKind::kCuda ? bytes_of(*target.cuda) : target.data;
}

ReadPlan ReadPlanBuilder::finish() {
  for (size_t target = 0; target < plan_.target_bytes.size(); ++target) allocate(target);
  return std::move(plan_);
}

ReadPlan random_read(Random& random, const TemporaryDirectory& folder, const std::vector<SourceKind>& kinds) {
  ReadPlanBuilder builder(random, folder);
  const uint64_t targets = random.between(1, 6);
  for (uint64_t target = 0; target < targets; ++target) builder.add_target(random.of(kinds));
  const uint64_t files = random.between(1, 4);
  for (uint64_t file = 0; file < files; ++file) {
    builder.add_file("read-" + std::to_string(file), random.near(4096, 9 * kMiB));
    while (builder.left() > 0) {
      const uint64_t kind = random.up_to(9);
      if (random.one_in(3)) builder.skip_to(round_up(builder.offset(), 4096) + 4096 * random.up_to(40));
      if (random.one_in(6)) builder.skip_to(builder.offset() + random.up_to(3 * kMiB));
      const auto target = static_cast<uint32_t>(random.up_to(targets - 1));
      if (kind < 3) {
        builder.add_run(random.near(4096, 5 * kMiB) + 1, target, random.one_in(3) ? random.up_to(9000) : 0);
      } else if (kind < 6) {
        for (int i = 0; i < 30; ++i) builder.add_run(random.between(1, 6000), target);
      } else if (kind < 8) {
        builder.add_scattered(random.between(1, kMiB));
      } else {
        builder.add_hashed_only(random.between(1, kMiB));
      }
    }
  }
  return builder.finish();
}

ReadExpectation expectation_of(const ReadPlan& plan, const TemporaryDirectory& folder) {
  ReadExpectation expected;
  for (const Target& target : plan.input.targets) expected.targets.emplace_back(target.bytes, kUntouched);
  std::map<uint32_t, std::vector<std::byte>> files;
  size_t copy = 0;
  for (size_t chunk = 0; chunk < plan.input.chunk_file.size(); ++chunk) {
    const uint32_t file = plan.input.chunk_file[chunk];
    if (files.count(file) == 0) files[file] = read_whole(folder.at(plan.input.paths[file]));
    const std::byte* bytes = files[file].data() + plan.input.chunk_offset[chunk];
    expected.digests.push_back(reference_digest(bytes, plan.input.chunk_bytes[chunk]));
    expected.chunk_bytes += plan.input.chunk_bytes[chunk];
    for (uint32_t i = 0; i < plan.input.chunk_copies[chunk]; ++i, ++copy) {
      std::memcpy(expected.targets[plan.input.copy_target[copy]].data() + plan.input.copy_to[copy],
                  bytes + plan.input.copy_from[copy], plan.input.copy_bytes[copy]);
    }
  }
  return expected;
}

}  // namespace snapshard::test
