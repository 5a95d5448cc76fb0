// Sources that are not what they were, or never were there.
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "faults.h"
#include "memory/own_memory.h"
#include "test.h"

using snapshard::EngineChoice;
using snapshard::Failure;
using snapshard::kMiB;
using snapshard::SourceKind;
using snapshard::UniqueFd;
using snapshard::test::check_failed;
using snapshard::test::check_usable;
using snapshard::test::for_each_way;
using snapshard::test::options_of;
using snapshard::test::Plan;
using snapshard::test::plan_of;
using snapshard::test::Rig;
using snapshard::test::Running;
using snapshard::test::Skipped;

namespace {

// What a user must not do while a transfer runs, and what this program does on purpose.
#if defined(__SANITIZE_THREAD__)
__attribute__((no_sanitize_thread, noinline))
#endif
void change(std::byte* data) {
  auto* value = reinterpret_cast<volatile unsigned char*>(data);
  *value = static_cast<unsigned char>(~*value);
}

void in_place_changes(EngineChoice engine, bool direct) {
  Rig rig;
  const auto staging = rig.staging(options_of(engine, direct, 2));
  for (const uint64_t at : {uint64_t{0}, 2 * kMiB + 17, 4 * kMiB - 1}) {
    Plan plan = plan_of(rig, 4 * kMiB, SourceKind::kLease);
    const auto lease = plan.sources[0].lease;
    const Running running = rig.start(staging, std::move(plan), true);
    while (running.transfer->staged_bytes() < 4 * kMiB + 4096) std::this_thread::yield();
    CHECK(!running.watch->was_staged());
    change(lease->memory.data() + at);
    rig.open(running);
    check_failed(running, Failure::kSourceChanged);
    CHECK(!running.watch->was_staged());
    check_usable(rig, staging);
  }
}

void file_sources_that_shrink(EngineChoice engine, bool direct) {
  Rig rig;
  const auto staging = rig.staging(options_of(engine, direct, 3));
  for (const SourceKind kind : {SourceKind::kPath, SourceKind::kDescriptor}) {
    for (const off_t left : {off_t{0}, off_t{3 * kMiB + 5}, off_t{6 * kMiB - 1}}) {
      Plan plan = plan_of(rig, 6 * kMiB, kind);
      CHECK(::truncate(plan.sources[0].path.c_str(), left) == 0);
      const Running running = rig.start(staging, std::move(plan));
      rig.open(running);
      check_failed(running, Failure::kSourceChanged);
      check_usable(rig, staging);
    }
  }
}

void file_sources_that_are_none(EngineChoice engine, bool direct) {
  Rig rig;
  const auto staging = rig.staging(options_of(engine, direct, 3));
  const std::string fifo = rig.folder().at("fifo");
  CHECK(::mkfifo(fifo.c_str(), 0600) == 0);
  const auto check_error = [&](const std::string& path, int error) {
    Plan plan = plan_of(rig, 3 * kMiB, SourceKind::kPath);
    plan.sources[0].path = path;
    const Running running = rig.start(staging, std::move(plan));
    check_failed(running, Failure::kSystem, error);
    check_usable(rig, staging);
  };
  check_error(rig.folder().at("missing"), ENOENT);
  check_error(rig.folder().path(), EISDIR);
  check_error(fifo, ESPIPE);
}

// Pages behind the end of a file fault as unmapped ones do, and no other mapping can take their place.
void memory_that_is_gone(EngineChoice engine, bool direct) {
  if (snapshard::memory_reader() == snapshard::MemoryReader::kJavaScriptThread) throw Skipped("no reader");
  constexpr size_t kBytes = 6 * kMiB;
  Rig rig;
  const auto staging = rig.staging(options_of(engine, direct, 2));
  for (const size_t left : {size_t{0}, size_t{1300} * 4096}) {
    Plan plan = plan_of(rig, kBytes, SourceKind::kBuffer);
    const UniqueFd file(::memfd_create("short", MFD_CLOEXEC));
    CHECK(::ftruncate(file.get(), static_cast<off_t>(left)) == 0);
    void* start = ::mmap(nullptr, kBytes, PROT_READ, MAP_SHARED, file.get(), 0);
    CHECK(start != MAP_FAILED);
    plan.sources[0].data = static_cast<std::byte*>(start);
    const Running running = rig.start(staging, std::move(plan));
    rig.open(running);
    check_failed(running, Failure::kSourceDetached);
    check_usable(rig, staging);
    ::munmap(start, kBytes);
  }
}

}  // namespace

TEST(sources_that_change_in_place) { for_each_way(in_place_changes); }
TEST(file_sources_shrink) { for_each_way(file_sources_that_shrink); }
TEST(file_sources_are_missing) { for_each_way(file_sources_that_are_none); }
TEST(memory_goes) { for_each_way(memory_that_is_gone); }
