#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <future>
#include <thread>

#include "base/sizes.h"
#include "base/unique_fd.h"
#include "cuda_driver.h"
#include "device/cuda_lane.h"
#include "device/cuda_memory.h"
#include "test.h"

using snapshard::CudaCopy;
using snapshard::CudaDirection;
using snapshard::CudaIpcHandle;
using snapshard::CudaLane;
using snapshard::CudaMemory;
using snapshard::CudaOrder;
using snapshard::Failure;
using snapshard::kMiB;
using snapshard::Status;
using snapshard::UniqueFd;
using snapshard::test::call_driver;
using snapshard::test::fail_driver;
using snapshard::test::IpcBytes;
using snapshard::test::LeakCheck;
using snapshard::test::tally;
using snapshard::test::Trainer;

namespace {

constexpr std::chrono::seconds kLong(60);

// cuda_peer, which lies beside this program.
class Peer {
 public:
  Peer() {
    int orders[2];
    int answers[2];
    CHECK(::pipe2(orders, O_CLOEXEC) == 0 && ::pipe2(answers, O_CLOEXEC) == 0);
    const std::string program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "cuda_peer";
    process_ = ::fork();
    if (process_ == 0) {
      ::dup2(orders[0], STDIN_FILENO);
      ::dup2(answers[1], STDOUT_FILENO);
      ::execl(program.c_str(), program.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(orders[0]);
    ::close(answers[1]);
    orders_ = UniqueFd(orders[1]);
    answers_ = UniqueFd(answers[0]);
    memory = read_handle();
    ready_event = read_handle();
  }
  ~Peer() { end(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void end() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    process_ = 0;
  }

  std::string ask(const std::string& order) {
    const std::string line = order + "\n";
    CHECK(::write(orders_.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size()));
    return read_line();
  }

  CudaIpcHandle memory{};
  CudaIpcHandle ready_event{};

 private:
  std::string read_line() {
    std::string line;
    for (char letter = 0; ::read(answers_.get(), &letter, 1) == 1 && letter != '\n';) line += letter;
    return line;
  }
  CudaIpcHandle read_handle() {
    const std::string line = read_line();
    CudaIpcHandle handle{};
    CHECK_EQUAL(line.size(), 2 * handle.size());
    for (size_t i = 0; i < handle.size(); ++i) {
      handle[i] = static_cast<std::byte>(std::strtol(line.substr(2 * i, 2).c_str(), nullptr, 16));
    }
    return handle;
  }

  pid_t process_ = 0;
  UniqueFd orders_;
  UniqueFd answers_;
};

Status copy(CudaLane& lane, CudaDirection direction, const CudaCopy& one) {
  std::promise<Status> promise;
  lane.copy(direction, std::span(&one, 1), [&promise](Status status) { promise.set_value(std::move(status)); });
  return promise.get_future().get();
}

bool all_are(const std::vector<std::byte>& bytes, int value) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [value](std::byte byte) { return byte == static_cast<std::byte>(value); });
}

}  // namespace

TEST(memory_of_another_process_is_read_and_written_behind_its_event) {
  const LeakCheck leaks;
  {
    Peer peer;
    std::shared_ptr<CudaMemory> memory;
    CHECK_OK(CudaMemory::from_ipc(0, peer.memory, 0, kMiB, &peer.ready_event, memory));
    CHECK(memory->order.kind == CudaOrder::Kind::kIpcEvent);
    std::unique_ptr<CudaLane> lane;
    CHECK_OK(CudaLane::create(memory->device, lane));
    CHECK_OK(lane->wait_for(memory->order));
    std::vector<std::byte> bytes(kMiB);
    const auto address = reinterpret_cast<uint64_t>(bytes.data());
    auto copied = std::async(std::launch::async, [&] {
      return copy(*lane, CudaDirection::kToHost, {address, memory->pointer, kMiB});
    });
    CHECK(copied.wait_for(std::chrono::milliseconds(20)) == std::future_status::timeout);
    CHECK_EQUAL(peer.ask("release"), "0");
    CHECK_OK(copied.get());
    CHECK(all_are(bytes, 2));
    std::fill(bytes.begin(), bytes.end(), std::byte{3});
    CHECK_OK(copy(*lane, CudaDirection::kToDevice, {memory->pointer, address, kMiB}));
    CHECK_EQUAL(peer.ask("bytes"), std::to_string(kMiB));
    CHECK(lane->stop(kLong));
  }
  leaks.check();
}

TEST(a_handle_is_opened_once_and_closed_with_its_last_user) {
  const LeakCheck leaks;
  {
    Peer peer;
    const auto before = tally();
    std::vector<std::shared_ptr<CudaMemory>> memories(5);
    for (uint64_t i = 0; i < memories.size(); ++i) {
      CHECK_OK(CudaMemory::from_ipc(0, peer.memory, i * 4096, 4096, &peer.ready_event, memories[i]));
      CHECK_EQUAL(memories[i]->pointer, memories[0]->pointer + i * 4096);
      CHECK(memories[i]->order == memories[0]->order);
    }
    CHECK_EQUAL(tally().ipc_opens - before.ipc_opens, 2);
    CHECK_EQUAL(tally().ipc_memories, 1);
    const auto last = memories.back()->slice(1, 2);
    memories.clear();
    CHECK_EQUAL(tally().ipc_memories, 1);
  }
  leaks.check();
  Peer peer;
  std::shared_ptr<CudaMemory> again;
  CHECK_OK(CudaMemory::from_ipc(0, peer.memory, 0, kMiB, nullptr, again));
  again.reset();
  CHECK_OK(CudaMemory::from_ipc(0, peer.memory, 0, kMiB, nullptr, again));
  CHECK(again->order == CudaOrder{});
}

TEST(threads_open_and_close_one_handle) {
  const LeakCheck leaks;
  {
    Peer peer;
    std::atomic<int> failures{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int round = 0; round < 100; ++round) {
          std::shared_ptr<CudaMemory> memory;
          failures += CudaMemory::from_ipc(0, peer.memory, 0, 1, &peer.ready_event, memory).ok() ? 0 : 1;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK_EQUAL(failures.load(), 0);
  }
  leaks.check();
}

TEST(more_than_the_handle_names_is_refused) {
  const LeakCheck leaks;
  {
    Peer peer;
    std::shared_ptr<CudaMemory> memory;
    for (const auto& [offset, bytes] : {std::pair{uint64_t{0}, kMiB + 1},
                                        {kMiB, uint64_t{1}},
                                        {UINT64_MAX, uint64_t{1}},
                                        {uint64_t{1}, UINT64_MAX}}) {
      CHECK(CudaMemory::from_ipc(0, peer.memory, offset, bytes, nullptr, memory).kind() == Failure::kArgument);
      CHECK(memory == nullptr);
    }
  }
  leaks.check();
}

TEST(a_dead_peer_is_an_error_and_what_was_opened_stays) {
  const LeakCheck leaks;
  {
    Peer peer;
    std::shared_ptr<CudaMemory> opened;
    CHECK_OK(CudaMemory::from_ipc(0, peer.memory, 0, kMiB, nullptr, opened));
    std::unique_ptr<CudaLane> lane;
    CHECK_OK(CudaLane::create(opened->device, lane));
    peer.end();
    std::vector<std::byte> bytes(kMiB);
    CHECK_OK(copy(*lane, CudaDirection::kToHost, {reinterpret_cast<uint64_t>(bytes.data()), opened->pointer, kMiB}));
    CHECK(all_are(bytes, 1));
    CHECK(lane->stop(kLong));
    opened.reset();
    std::shared_ptr<CudaMemory> memory;
    const Status status = CudaMemory::from_ipc(0, peer.memory, 0, kMiB, nullptr, memory);
    CHECK(status.kind() == Failure::kCuda && memory == nullptr);
    CHECK_EQUAL(std::string(status.syscall()), "cuIpcOpenMemHandle");
    CHECK(CudaMemory::from_ipc(0, {}, 0, 1, nullptr, memory).kind() == Failure::kCuda);
  }
  leaks.check();
}

TEST(an_event_that_cannot_be_opened_closes_the_memory) {
  const LeakCheck leaks;
  {
    Peer peer;
    std::shared_ptr<CudaMemory> memory;
    fail_driver("cuIpcOpenEventHandle", 1, 205);
    const Status status = CudaMemory::from_ipc(0, peer.memory, 0, kMiB, &peer.ready_event, memory);
    fail_driver(nullptr, 0, 0);
    CHECK_EQUAL(std::string(status.error_name()), "CUDA_ERROR_MAP_FAILED");
    CHECK_EQUAL(tally().ipc_memories, 0);
  }
  leaks.check();
}

TEST(a_handle_of_this_process_says_what_to_do) {
  Trainer trainer;
  IpcBytes bytes{};
  call_driver("cuIpcGetMemHandle", &bytes, trainer.allocate(kMiB));
  CudaIpcHandle handle{};
  std::memcpy(handle.data(), bytes.bytes, handle.size());
  std::shared_ptr<CudaMemory> memory;
  const Status status = CudaMemory::from_ipc(0, handle, 0, kMiB, nullptr, memory);
  CHECK_EQUAL(std::string(status.error_name()), "CUDA_ERROR_INVALID_CONTEXT");
  CHECK(status.message().find("name the pointer") != std::string::npos);
}
