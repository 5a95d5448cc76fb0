#include <errno.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include "base/sanitizers.h"
#include "base/sizes.h"
#include "memory/block_pool.h"
#include "memory/mapping.h"
#include "memory/own_memory.h"
#include "random.h"
#include "test.h"

using snapshard::BlockPool;
using snapshard::kMiB;
using snapshard::Mapping;
using snapshard::memory_reader;
using snapshard::MemoryReader;
using snapshard::read_own_memory;
using snapshard::test::Random;

namespace {

constexpr size_t kPage = 4096;

// Memory that a test can pull away.
struct Pages {
  explicit Pages(size_t count) : bytes(count * kPage) {
    void* start = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(start != MAP_FAILED);
    data = static_cast<std::byte*>(start);
  }
  ~Pages() { ::munmap(data, bytes); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  size_t bytes;
  std::byte* data;
};

void skip_without_reader() {
  if (memory_reader() == MemoryReader::kJavaScriptThread)
    throw snapshard::test::Skipped("the kernel refuses both ways");
}

}  // namespace

TEST(mapping_is_zeroed_aligned_and_writable) {
  for (const size_t bytes : {size_t{1}, size_t{4095}, size_t{4096}, size_t{5 * kMiB + 1}}) {
    Mapping mapping;
    CHECK_OK(Mapping::create(bytes, mapping));
    CHECK_OK(mapping.prefault());
    CHECK_EQUAL(mapping.bytes(), bytes);
    CHECK_EQUAL(reinterpret_cast<uintptr_t>(mapping.data()) % (2 * kMiB), 0U);
    CHECK(std::all_of(mapping.data(), mapping.data() + bytes, [](std::byte byte) { return byte == std::byte{}; }));
    std::fill_n(mapping.data(), bytes, std::byte{1});
  }
}

TEST(mapping_moves) {
  Mapping first;
  CHECK_OK(Mapping::create(kMiB, first));
  std::byte* data = first.data();
  Mapping second = std::move(first);
  CHECK(second.data() == data && first.data() == nullptr);
  Mapping third;
  CHECK_OK(Mapping::create(kMiB, third));
  third = std::move(second);
  CHECK(third.data() == data && third.bytes() == kMiB);
}

// What is pinned for a device would be copied for each child process.
TEST(mapping_is_not_for_child_processes) {
  Mapping mapping;
  CHECK_OK(Mapping::create(5 * kMiB, mapping));
  CHECK_OK(mapping.prefault());
  std::ifstream areas("/proc/self/smaps");
  const auto address = reinterpret_cast<uintptr_t>(mapping.data());
  bool inside = false;
  for (std::string line; std::getline(areas, line);) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    if (std::sscanf(line.c_str(), "%zx-%zx ", &begin, &end) == 2) inside = begin <= address && address < end;
    if (inside && line.starts_with("VmFlags:")) {
      CHECK(line.find(" dc") != std::string::npos);
      return;
    }
  }
  CHECK(false);
}

TEST(memory_that_nobody_has_is_refused) {
  Mapping mapping;
  CHECK_EQUAL(Mapping::create(0, mapping).error(), ENOMEM);
  CHECK_EQUAL(Mapping::create(size_t{1} << 62, mapping).error(), ENOMEM);
  // Faulting it in would end the process, or another one.
  CHECK_EQUAL(Mapping::create(size_t{1} << 45, mapping).error(), ENOMEM);
}

TEST(pool_gives_each_block_once_and_takes_all_or_none) {
  constexpr size_t kCount = 5;
  BlockPool pool;
  CHECK_OK(BlockPool::create(kCount * kMiB, kMiB, pool));
  CHECK_EQUAL(pool.block_bytes(), kMiB);
  std::byte* blocks[kCount + 1];
  CHECK(!pool.try_take(kCount + 1, blocks));
  CHECK(pool.try_take(kCount, blocks));
  CHECK(std::set<std::byte*>(blocks, blocks + kCount).size() == kCount);
  for (size_t i = 0; i < kCount; ++i) {
    CHECK(blocks[i] >= pool.memory().data() && blocks[i] + kMiB <= pool.memory().data() + kCount * kMiB);
    CHECK_EQUAL(static_cast<size_t>(blocks[i] - pool.memory().data()) % kMiB, 0U);
  }
  CHECK(pool.try_take(0, blocks));
  pool.give_back(blocks[0]);
  CHECK(!pool.try_take(2, blocks));
  CHECK(pool.try_take(1, blocks));
}

#if defined(__SANITIZE_ADDRESS__)
// Who uses a block that is nobody's is found, also where the kernel does it.
TEST(pool_poisons_what_is_given_back) {
  BlockPool pool;
  CHECK_OK(BlockPool::create(2 * kMiB, kMiB, pool));
  std::byte* blocks[2];
  CHECK(pool.try_take(2, blocks));
  pool.give_back(blocks[1]);
  CHECK(__asan_region_is_poisoned(blocks[0], kMiB) == nullptr);
  CHECK(__asan_region_is_poisoned(blocks[1], 1) == blocks[1]);
  CHECK(__asan_region_is_poisoned(blocks[1] + kMiB - 1, 1) != nullptr);
  CHECK(pool.try_take(1, blocks + 1));
  CHECK(__asan_region_is_poisoned(blocks[1], kMiB) == nullptr);
}
#endif

TEST(pool_from_many_threads) {
  // Sanitizers look at a whole block each time.
  constexpr size_t kBlock = 4 * kPage;
  BlockPool pool;
  CHECK_OK(BlockPool::create(4 * kBlock, kBlock, pool));
  std::atomic<int> clashes{0};
  const auto work = [&pool, &clashes](std::byte mark) {
    for (int round = 0; round < 2000; ++round) {
      std::byte* blocks[2];
      if (!pool.try_take(2, blocks)) continue;
      for (std::byte* block : blocks) *block = mark;
      for (std::byte* block : blocks) clashes += *block != mark;
      for (std::byte* block : blocks) pool.give_back(block);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 1; i <= 3; ++i) threads.emplace_back(work, static_cast<std::byte>(i));
  for (std::thread& thread : threads) thread.join();
  CHECK_EQUAL(clashes.load(), 0);
  std::byte* blocks[4];
  CHECK(pool.try_take(4, blocks));
}

TEST(own_memory_is_copied) {
  skip_without_reader();
  Random random(1);
  const std::vector<std::byte> source = random.bytes(kMiB);
  for (const size_t bytes : {size_t{1}, size_t{4096}, size_t{4097}, source.size()}) {
    std::vector<std::byte> copy(bytes);
    CHECK_EQUAL(read_own_memory(copy.data(), source.data(), bytes), 0);
    CHECK(std::equal(copy.begin(), copy.end(), source.begin()));
  }
}

TEST(memory_that_is_gone_is_an_error_and_no_signal) {
  skip_without_reader();
  Pages pages(8);
  std::vector<std::byte> copy(pages.bytes);
  CHECK(::munmap(pages.data + 4 * kPage, kPage) == 0);
  CHECK_EQUAL(read_own_memory(copy.data(), pages.data + 4 * kPage, 1), EFAULT);
  CHECK_EQUAL(read_own_memory(copy.data(), pages.data, pages.bytes), EFAULT);
  CHECK_EQUAL(read_own_memory(copy.data(), pages.data + 3 * kPage, kPage + 1), EFAULT);
  CHECK_EQUAL(read_own_memory(copy.data(), pages.data + 3 * kPage, kPage), 0);
}

TEST(memory_pulled_away_while_it_is_read) {
  skip_without_reader();
  Pages pages(256);
  std::atomic<bool> end{false};
  std::thread puller([&] {
    while (!end) {
      ::mmap(pages.data, pages.bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
      ::mmap(pages.data, pages.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    }
  });
  std::vector<std::byte> copy(pages.bytes);
  bool expected = true;
  for (int round = 0; round < 500; ++round) {
    const int error = read_own_memory(copy.data(), pages.data, pages.bytes);
    expected = expected && (error == 0 || error == EFAULT);
  }
  end = true;
  puller.join();
  CHECK(expected);
}
