#include "plan.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "base/sizes.h"
#include "cuda_rig.h"
#include "reference.h"
#include "test.h"

namespace snapshard::test {

const std::vector<SourceKind>& all_kinds() {
  static const std::vector<SourceKind> kKinds = [] {
    std::vector<SourceKind> all = kHostKinds;
    if (has_double()) all.insert(all.end(), {SourceKind::kCuda, SourceKind::kCuda});
    return all;
  }();
  return kKinds;
}

void PlanBuilder::add_file(size_t header_bytes) {
  plan_.input.headers.push_back(random_.bytes(header_bytes));
  plan_.input.file_slices.push_back(0);
  plan_.files.push_back(plan_.input.headers.back());
}

void PlanBuilder::add_empty_slice() {
  plan_.input.slice_bytes.push_back(0);
  ++plan_.input.file_slices.back();
}

void PlanBuilder::add_slice(uint64_t bytes, SourceKind kind, uint64_t source_offset, int device) {
  add_empty_slice();
  if (bytes == 0) return;
  plan_.input.slice_bytes.back() = bytes;
  add_segment(bytes, kind, source_offset, device);
}

void PlanBuilder::add_mixed_slice(uint64_t bytes, const std::vector<SourceKind>& kinds) {
  add_empty_slice();
  plan_.input.slice_bytes.back() = bytes;
  while (bytes > 0) {
    const uint64_t part = random_.one_in(2) ? bytes : random_.between(1, bytes);
    const uint64_t offset = random_.one_in(2) ? 0 : random_.near(4096, 3 * 4096);
    add_segment(part, random_.of(kinds), offset);
    bytes -= part;
  }
}

void PlanBuilder::add_segment(uint64_t bytes, SourceKind kind, uint64_t source_offset, int device) {
  const std::vector<std::byte> memory = random_.bytes(source_offset + bytes + random_.up_to(100));
  plan_.input.segment_bytes.push_back(bytes);
  plan_.input.segment_source.push_back(static_cast<uint32_t>(plan_.sources.size()));
  plan_.input.segment_offset.push_back(source_offset);
  const auto begin = memory.begin() + static_cast<ptrdiff_t>(source_offset);
  plan_.files.back().insert(plan_.files.back().end(), begin, begin + static_cast<ptrdiff_t>(bytes));
  plan_.sources.push_back(make_source(kind, memory, device));
}

Source PlanBuilder::make_source(SourceKind kind, const std::vector<std::byte>& bytes, int device) {
  Source source;
  source.kind = kind;
  source.bytes = bytes.size();
  if (kind == SourceKind::kLease) {
    source.lease = std::make_shared<Lease>();
    CHECK_OK(Mapping::create(bytes.size(), source.lease->memory));
    std::copy(bytes.begin(), bytes.end(), source.lease->memory.data());
    source.data = source.lease->memory.data();
  } else if (kind == SourceKind::kBuffer || kind == SourceKind::kShared) {
    plan_.buffers.push_back(std::make_shared<std::vector<std::byte>>(bytes));
    source.data = plan_.buffers.back()->data();
  } else if (kind == SourceKind::kCuda) {
    const int any_device = static_cast<int>(random_.up_to(static_cast<uint64_t>(cuda_device_count()) - 1));
    source.cuda = device_memory(device < 0 ? any_device : device, bytes);
  } else {
    source.path = folder_.at("source-" + std::to_string(random_.up_to(UINT64_MAX)));
    write_whole(source.path, bytes);
    if (kind == SourceKind::kDescriptor) source.fd = UniqueFd(::open(source.path.c_str(), O_RDONLY | O_CLOEXEC));
  }
  return source;
}

Plan random_plan(Random& random, const TemporaryDirectory& folder, const std::vector<SourceKind>& kinds,
                 uint64_t bytes_max) {
  PlanBuilder builder(random, folder);
  const uint64_t files = random.up_to(4);
  for (uint64_t file = 0; file < files; ++file) {
    builder.add_file(random.one_in(4) ? random.between(1, 3 * kMiB) : 4096 * random.between(1, 3));
    const uint64_t slices = random.up_to(6);
    for (uint64_t slice = 0; slice < slices; ++slice) {
      const uint64_t unit = random.of(std::vector<uint64_t>{1, 512, 4096, kChunkBytes, 2 * kChunkBytes});
      const uint64_t bytes = std::min(random.near(unit, 4 * unit), bytes_max / 8);
      builder.add_mixed_slice(random.one_in(6) ? 0 : bytes, kinds);
    }
  }
  return builder.finish();
}

Plan lease_plan(Random& random, const TemporaryDirectory& folder, uint64_t bytes_max) {
  PlanBuilder builder(random, folder);
  builder.add_file(random.one_in(4) ? 4096 * random.between(1, 600) : 4096);
  const uint64_t slices = random.between(1, 4);
  for (uint64_t slice = 0; slice < slices; ++slice) {
    const uint64_t bytes = random.near(4096, bytes_max / slices);
    if (random.one_in(3)) {
      builder.add_mixed_slice(bytes, all_kinds());
    } else {
      builder.add_slice(bytes, SourceKind::kLease, random.one_in(3) ? random.up_to(9000) : 4096 * random.up_to(2));
    }
  }
  return builder.finish();
}

Expectation expectation_of(const Plan& plan) {
  Expectation expected;
  expected.files = plan.files;
  for (const auto& header : plan.input.headers) expected.header_bytes.push_back(header.size());
  expected.file_slices = plan.input.file_slices;
  expected.slice_bytes = plan.input.slice_bytes;
  return expected;
}

namespace {

// The digests of one file, from its bytes as they are on disk.
void check_digests(const Expectation& expected, size_t file, const std::vector<std::byte>& bytes,
                   const TransferOutcome& outcome, size_t& slice, size_t& chunk) {
  std::vector<Digest> of_file = {reference_digest(bytes.data(), expected.header_bytes[file])};
  uint64_t offset = expected.header_bytes[file];
  for (uint32_t i = 0; i < expected.file_slices[file]; ++i, ++slice) {
    std::vector<Digest> of_slice;
    const uint64_t end = offset + expected.slice_bytes[slice];
    for (; offset < end; offset = std::min(offset + kChunkBytes, end)) {
      of_slice.push_back(reference_digest(bytes.data() + offset, std::min(kChunkBytes, end - offset)));
    }
    CHECK(outcome.slice_digests[slice] == reference_digest(of_slice));
    of_file.insert(of_file.end(), of_slice.begin(), of_slice.end());
  }
  for (const Digest& digest : of_file) CHECK(outcome.chunk_digests[chunk++] == digest);
  CHECK(outcome.file_digests[file] == reference_digest(of_file));
}

}  // namespace

void check_outcome(const Expectation& expected, const TransferOutcome& outcome, const std::vector<std::string>& paths) {
  CHECK_OK(outcome.status);
  CHECK_EQUAL(outcome.file_digests.size(), expected.files.size());
  CHECK_EQUAL(outcome.slice_digests.size(), expected.slice_bytes.size());
  size_t slice = 0;
  size_t chunk = 0;
  for (size_t file = 0; file < expected.files.size(); ++file) {
    const std::vector<std::byte> bytes = read_whole(paths[file]);
    CHECK_EQUAL(bytes.size(), expected.files[file].size());
    CHECK(bytes == expected.files[file]);
    check_digests(expected, file, bytes, outcome, slice, chunk);
  }
  CHECK_EQUAL(outcome.chunk_digests.size(), chunk);
}

}  // namespace snapshard::test
