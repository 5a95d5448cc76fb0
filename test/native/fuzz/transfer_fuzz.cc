// What a save asks for is refused, fails with a status, or puts exactly the bytes of its sources into its files.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "../plan.h"
#include "../rig.h"
#include "../test.h"
#include "base/sizes.h"
#include "fuzz.h"
#include "plans.h"
#include "transfer/source_ranges.h"

using snapshard::Failure;
using snapshard::kMiB;
using snapshard::Layout;
using snapshard::LayoutInput;
using snapshard::Lease;
using snapshard::Mapping;
using snapshard::Source;
using snapshard::SourceKind;
using snapshard::Staging;
using snapshard::Status;
using snapshard::UniqueFd;
using snapshard::test::check_outcome;
using snapshard::test::expectation_of;
using snapshard::test::fuzz_folder;
using snapshard::test::FuzzInput;
using snapshard::test::options_of;
using snapshard::test::Plan;
using snapshard::test::Rig;
using snapshard::test::Running;
using snapshard::test::write_whole;

namespace {

constexpr uint64_t kBytesMax = 6 * kMiB;
constexpr uint64_t kLongestBytes = 4 * kMiB;

// Bytes of one length, of no other's beginning, in memory of that length, in a lease and in a file: made once.
struct Held {
  std::vector<std::byte> bytes;
  std::shared_ptr<Lease> lease = std::make_shared<Lease>();
  std::string path;
};

const Held& held(uint64_t length) {
  static std::map<uint64_t, Held> all;
  Held& made = all[length];
  if (!made.path.empty()) return made;
  snapshard::test::Random random(length);
  made.bytes = random.bytes(length);
  CHECK_OK(Mapping::create(std::max<size_t>(length, 1), made.lease->memory));
  std::copy(made.bytes.begin(), made.bytes.end(), made.lease->memory.data());
  made.path = fuzz_folder() + "/source-" + std::to_string(length);
  write_whole(made.path, made.bytes);
  return made;
}

// A source, and what it holds.
struct Contents {
  Source source;
  const std::vector<std::byte>& bytes;
};

Contents make_source(FuzzInput& input, uint64_t length) {
  const Held& from = held(length);
  Contents made{{}, from.bytes};
  made.source.kind = static_cast<SourceKind>(input.up_to(4));
  made.source.bytes = length;
  made.source.data = from.bytes.data();
  if (made.source.kind == SourceKind::kLease) {
    made.source.lease = from.lease;
    made.source.data = from.lease->memory.data();
  } else if (made.source.kind == SourceKind::kPath) {
    made.source.path = input.one_in(16) ? fuzz_folder() + "/not there" : from.path;
  } else if (made.source.kind == SourceKind::kDescriptor) {
    made.source.path = from.path;
    made.source.fd = UniqueFd(::open(from.path.c_str(), O_RDONLY | O_CLOEXEC));
  }
  return made;
}

// The first is the longest, so that most slices have one that is long enough.
std::vector<Contents> make_sources(FuzzInput& input) {
  static const std::vector<uint64_t> kLengths = {0, 1, 100, 4096, 5000, 70'000, kMiB, kMiB + 1};
  std::vector<Contents> made;
  made.push_back(make_source(input, kLongestBytes));
  for (size_t count = input.up_to(3); count > 0; --count) made.push_back(make_source(input, input.of(kLengths)));
  return made;
}

// Moves segments that their sources are too short for.
void fit_segments(const std::vector<Contents>& sources, LayoutInput& layout) {
  for (size_t segment = 0; segment < layout.segment_bytes.size(); ++segment) {
    const uint64_t bytes = layout.segment_bytes[segment];
    uint32_t& source = layout.segment_source[segment];
    if (bytes > sources[source].bytes.size()) source = 0;
    if (bytes <= sources[source].bytes.size()) {
      layout.segment_offset[segment] %= sources[source].bytes.size() - bytes + 1;
    }
  }
}

// The files that must come of it; false where a source ends too early, or is not there.
bool expect_files(Plan& plan, const std::vector<Contents>& sources) {
  size_t slice = 0;
  size_t segment = 0;
  for (size_t file = 0; file < plan.input.headers.size(); ++file) {
    plan.files.push_back(plan.input.headers[file]);
    uint64_t end = plan.files.back().size();
    for (uint32_t i = 0; i < plan.input.file_slices[file]; ++i) end += plan.input.slice_bytes[slice++];
    for (; plan.files.back().size() < end; ++segment) {
      const Contents& from = sources[plan.input.segment_source[segment]];
      const uint64_t offset = plan.input.segment_offset[segment];
      const uint64_t bytes = plan.input.segment_bytes[segment];
      if (bytes > from.bytes.size() || offset > from.bytes.size() - bytes || from.source.path.ends_with("not there")) {
        return false;
      }
      const auto begin = from.bytes.begin() + static_cast<ptrdiff_t>(offset);
      plan.files.back().insert(plan.files.back().end(), begin, begin + static_cast<ptrdiff_t>(bytes));
    }
  }
  return true;
}

struct World {
  Rig rig{fuzz_folder()};
  std::vector<std::shared_ptr<Staging>> stagings;

  World() {
    using snapshard::EngineChoice;
    for (const uint64_t block_bytes : {kMiB, 2 * kMiB}) {
      stagings.push_back(rig.staging(options_of(EngineChoice::kThreads, true, 2, block_bytes)));
    }
  }
};

void carry_out(FuzzInput& input, Plan plan, bool complete) {
  static World world;
  const auto& staging = input.of(world.stagings);
  const bool in_place = input.one_in(2);
  const bool aborted = input.one_in(32);
  const size_t files = plan.input.headers.size();
  plan.files.resize(files);
  const Running running = world.rig.start(staging, std::move(plan), in_place);
  if (aborted) running.abort();
  world.rig.open(running);
  const Status& status = running.outcome().status;
  if (complete && !aborted) {
    running.check();
  } else if (aborted) {
    CHECK(status.ok() ? complete : status.kind() != Failure::kNone);
  } else {
    CHECK(status.kind() == Failure::kSourceChanged || status.kind() == Failure::kSystem);
  }
  world.rig.remove_files(running);
  snapshard::test::check_pool(*staging);
}

}  // namespace

FUZZ {
  Plan plan;
  std::vector<Contents> contents = make_sources(input);
  plan.input = fuzzed_layout(input, contents.size(), [](FuzzInput& from) {
    return from.one_in(8) ? from.number() % kLongestBytes : from.number() % 10'000;
  });
  if (!input.one_in(8)) fit_segments(contents, plan.input);
  for (size_t edits = input.one_in(4) ? 1 + input.up_to(1) : 0; edits > 0; --edits) edit(input, plan.input);
  for (size_t i = 0; i < contents.size(); ++i) plan.sources.push_back(std::move(contents[i].source));
  for (size_t i = 0; i < contents.size(); ++i) contents[i].source.path = plan.sources[i].path;
  Layout layout;
  if (!Layout::create(plan.input, kMiB, layout).ok()) return CHECK(!is_sound(plan.input));
  if (layout.total_bytes() > kBytesMax || !check_source_ranges(layout, plan.sources).ok()) return;
  const bool complete = expect_files(plan, contents);
  carry_out(input, std::move(plan), complete);
}
