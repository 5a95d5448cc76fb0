// What a read asks for is refused, fails with a status, or puts exactly the bytes of the files into its targets, and
// touches nothing else.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "../files.h"
#include "../read_rig.h"
#include "../reference.h"
#include "../test.h"
#include "base/sizes.h"
#include "fuzz.h"
#include "plans.h"

using snapshard::EngineChoice;
using snapshard::kMiB;
using snapshard::Lease;
using snapshard::Mapping;
using snapshard::ReadInput;
using snapshard::ReadLayout;
using snapshard::SourceKind;
using snapshard::Staging;
using snapshard::Status;
using snapshard::Target;
using snapshard::test::fuzz_folder;
using snapshard::test::FuzzInput;
using snapshard::test::options_of;
using snapshard::test::ReadPlan;
using snapshard::test::Rig;
using snapshard::test::RunningRead;
using snapshard::test::write_whole;

namespace {

constexpr std::byte kUntouched{0xA5};

struct World {
  Rig rig{fuzz_folder()};
  std::shared_ptr<Staging> staging = rig.staging(options_of(EngineChoice::kThreads, true, 2, 2 * kMiB));
  // What each name holds; nothing that can be read without following a link where it is none of them.
  std::map<std::string, std::vector<std::byte>> files;

  World() {
    snapshard::test::Random random(1);
    for (const uint64_t bytes : {uint64_t{0}, uint64_t{1}, uint64_t{4096}, uint64_t{100'000}, kMiB + 17, 5 * kMiB}) {
      const std::string name = "file-" + std::to_string(bytes);
      files[name] = random.bytes(bytes);
      write_whole(rig.folder().at(name), files[name]);
    }
    write_whole(fuzz_folder() + "/secret", random.bytes(5 * kMiB));
    std::filesystem::create_symlink("../secret", rig.folder().at("link"));
    std::filesystem::create_directory(rig.folder().at("directory"));
    CHECK_EQUAL(::mkfifo(rig.folder().at("pipe").c_str(), 0600), 0);
  }
};

World& world() {
  static World made;
  return made;
}

const std::vector<std::string>& names() {
  static const std::vector<std::string> kNames = {"file-0",
                                                  "file-1",
                                                  "file-4096",
                                                  "file-100000",
                                                  "file-1048593",
                                                  "file-5242880",
                                                  "file-5242880",
                                                  "file-1048593",
                                                  "file-100000",
                                                  "not there",
                                                  "link",
                                                  "directory",
                                                  "pipe",
                                                  "../secret",
                                                  "/proc/self/status",
                                                  ""};
  return kNames;
}

void add_targets(FuzzInput& input, ReadPlan& plan) {
  static const std::vector<uint64_t> kLengths = {0,    1,    100,    4096,    5000,     70'000,
                                                 4096, 5000, 70'000, 600'000, kMiB + 1, 3 * kMiB};
  for (size_t count = input.up_to(3); count > 0; --count) {
    Target target;
    target.kind = static_cast<SourceKind>(input.up_to(2));
    target.bytes = input.of(kLengths);
    if (target.kind == SourceKind::kLease) {
      target.lease = std::make_shared<Lease>();
      CHECK_OK(Mapping::create(std::max<size_t>(target.bytes, 1), target.lease->memory));
      target.data = target.lease->memory.data();
    } else {
      plan.buffers.push_back(std::make_shared<std::vector<std::byte>>(target.bytes));
      target.data = plan.buffers.back()->data();
    }
    std::fill_n(target.data, target.bytes, kUntouched);
    plan.input.targets.push_back(target);
  }
}

// Whether every chunk lies in a file that can be read.
bool all_there(const ReadInput& read) {
  const auto& files = world().files;
  for (size_t chunk = 0; chunk < read.chunk_file.size(); ++chunk) {
    const auto file = files.find(read.paths[read.chunk_file[chunk]]);
    if (file == files.end() || read.chunk_offset[chunk] + read.chunk_bytes[chunk] > file->second.size()) return false;
  }
  return true;
}

// What is in the targets afterwards; where two copies meet, either may be last.
struct Expected {
  std::vector<std::vector<std::byte>> bytes;
  bool overlaps = false;
};

Expected expected_of(const ReadInput& read) {
  Expected expected;
  std::vector<std::vector<bool>> written;
  for (const Target& target : read.targets) {
    expected.bytes.emplace_back(target.bytes, kUntouched);
    written.emplace_back(target.bytes, false);
  }
  size_t copy = 0;
  for (size_t chunk = 0; chunk < read.chunk_file.size(); ++chunk) {
    const std::byte* from = world().files[read.paths[read.chunk_file[chunk]]].data() + read.chunk_offset[chunk];
    for (uint32_t i = 0; i < read.chunk_copies[chunk]; ++i, ++copy) {
      const uint64_t to = read.copy_to[copy];
      std::memcpy(expected.bytes[read.copy_target[copy]].data() + to, from + read.copy_from[copy],
                  read.copy_bytes[copy]);
      auto& taken = written[read.copy_target[copy]];
      const auto begin = taken.begin() + static_cast<ptrdiff_t>(to);
      const auto end = begin + static_cast<ptrdiff_t>(read.copy_bytes[copy]);
      expected.overlaps = expected.overlaps || std::find(begin, end, true) != end;
      std::fill(begin, end, true);
    }
  }
  return expected;
}

void check_read(const RunningRead& running, const ReadInput& read, bool hash) {
  CHECK_OK(running.outcome().status);
  const Expected expected = expected_of(read);
  if (expected.overlaps) return;
  for (size_t target = 0; target < read.targets.size(); ++target) {
    CHECK(std::equal(expected.bytes[target].begin(), expected.bytes[target].end(), read.targets[target].data));
  }
  CHECK_EQUAL(running.outcome().digests.size(), hash ? read.chunk_file.size() : 0);
  for (size_t chunk = 0; chunk < running.outcome().digests.size(); ++chunk) {
    const std::byte* bytes = world().files[read.paths[read.chunk_file[chunk]]].data() + read.chunk_offset[chunk];
    CHECK(running.outcome().digests[chunk] == snapshard::test::reference_digest(bytes, read.chunk_bytes[chunk]));
  }
}

}  // namespace

FUZZ {
  ReadPlan plan;
  for (size_t path = input.up_to(3); path > 0; --path) plan.input.paths.push_back(input.of(names()));
  add_targets(input, plan);
  fuzz_chunks(
      input, [](FuzzInput& from) { return from.one_in(4) ? from.number() : from.number() % 5000; }, plan.input);
  for (size_t edits = input.one_in(4) ? 1 + input.up_to(1) : 0; edits > 0; --edits) edit(input, plan.input);
  for (uint64_t& offset : plan.input.chunk_offset) offset &= (uint64_t{1} << 53U) - 1;
  const ReadInput asked = plan.input;
  const snapshard::ReadOptions options{!input.one_in(4), false};
  const bool aborted = input.one_in(32);
  ReadLayout layout;
  const Status status = ReadLayout::create(plan.input, layout);
  CHECK_EQUAL(status.ok(), is_sound(asked));
  if (!status.ok()) return;
  const RunningRead running = start_read(world().rig, world().staging, std::move(plan), options);
  if (aborted) running.abort();
  if (!all_there(asked)) {
    CHECK(!running.outcome().status.ok());
  } else if (!aborted || running.outcome().status.ok()) {
    check_read(running, asked, options.hash);
  }
  snapshard::test::check_pool(*world().staging);
}
