#include "io/uring_engine.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <system_error>

#include "base/sanitizers.h"
#include "io/uring.h"

namespace snapshard {

namespace {

// More than one writer with the deepest queue keeps busy.
constexpr unsigned kEntries = 512;
constexpr unsigned kSlots = 1024;
// The kernel takes no fixed buffer above 1 GiB.
constexpr size_t kFixedBytesMax = size_t{1} << 30;
constexpr uint64_t kWakeTag = 0;

// The engine whose thread this is.
thread_local const UringEngine* engine_of_thread = nullptr;

void tell_sanitizers(const IoRequest& request) {
  if (request.operation == IoOperation::kRead) {
    kernel_writes(request.data, request.bytes);
  } else {
    kernel_reads(request.data, request.bytes);
  }
}

void pause_briefly() {
  const timespec pause{0, 1'000'000};
  ::nanosleep(&pause, nullptr);
}

}  // namespace

// Work for the ring's thread, which somebody waits for.
struct UringEngine::Command {
  enum class Kind { kStart, kRegister, kUnregister } kind = Kind::kStart;
  std::byte* data = nullptr;
  size_t bytes = 0;
  Status status;
  bool done = false;
  std::mutex mutex;
  std::condition_variable signal;

  void finish(Status result) {
    const std::lock_guard lock(mutex);
    status = std::move(result);
    done = true;
    signal.notify_all();
  }
};

UringEngine::UringEngine() : wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

UringEngine::~UringEngine() = default;

Status UringEngine::create(std::unique_ptr<UringEngine>& engine) {
  std::unique_ptr<UringEngine> made(new UringEngine());
  if (!made->wake_fd_.valid()) return Status::system(errno, "eventfd");
  Command started;
  try {
    made->worker_.start("snapshard-io", [raw = made.get(), &started] { raw->run(started); });
  } catch (const std::system_error&) {
    return Status::system(EAGAIN, "pthread_create");
  }
  {
    std::unique_lock lock(started.mutex);
    started.signal.wait(lock, [&started] { return started.done; });
  }
  if (!started.status.ok()) {
    (void)made->worker_.join_within(std::chrono::seconds(10));
    return started.status;
  }
  engine = std::move(made);
  return {};
}

void UringEngine::run(Command& started) {
  Uring ring;
  Status status = ring.create(kEntries);
  const bool usable = status.ok();
  if (usable) {
    engine_of_thread = this;
    ring_ = &ring;
    table_error_ = ring.register_buffer_table(kSlots);
    for (unsigned slot = kSlots; slot-- > 0;) free_slots_.push_back(slot);
  }
  started.finish(std::move(status));
  if (usable) loop(ring);
}

void UringEngine::loop(Uring& ring) {
  while (true) {
    const bool end = take_work();
    for (Command* command : taken_commands_) execute(ring, *command);
    taken_commands_.clear();
    if (end) return;
    arm_wake(ring);
    issue(ring);
    const int error = ring.submit_and_wait();
    if (error != 0 && error != EINTR) pause_briefly();
    ring.reap([this](uint64_t tag, int result) {
      if (tag == kWakeTag) {
        wake_armed_ = false;
        uint64_t wakes = 0;
        [[maybe_unused]] const ssize_t got = ::read(wake_fd_.get(), &wakes, sizeof(wakes));
        return;
      }
      --in_flight_;
      auto* request = reinterpret_cast<IoRequest*>(tag);
      tell_sanitizers(*request);
      request->listener->on_completed(*request, result);
    });
  }
}

// Moves what other threads left into this thread's own lists. Returns whether the engine has ended: nothing is under
// way, and nothing more will be taken.
bool UringEngine::take_work() {
  const std::lock_guard lock(mutex_);
  waiting_.append(submitted_);
  taken_commands_.swap(commands_);
  ended_ = stopping_ && waiting_.empty() && in_flight_ == 0;
  return ended_;
}

void UringEngine::execute(Uring& ring, Command& command) {
  Status status;
  if (command.kind == Command::Kind::kRegister) {
    const int error = add_fixed(ring, command.data, command.bytes);
    if (error != 0) status = Status::system(error, "io_uring_register");
  } else {
    remove_fixed(ring, command.data, command.bytes);
  }
  command.finish(std::move(status));
}

void UringEngine::arm_wake(Uring& ring) {
  if (wake_armed_) return;
  io_uring_sqe* entry = ring.next_entry();
  if (entry == nullptr) return;
  // Not a read: one that is still under way when this thread ends, the kernel does later, into memory that is gone.
  entry->opcode = IORING_OP_POLL_ADD;
  entry->fd = wake_fd_.get();
  entry->poll32_events = POLLIN;
  entry->user_data = kWakeTag;
  wake_armed_ = true;
}

void UringEngine::issue(Uring& ring) {
  // One entry stays free for the wake-up.
  while (!waiting_.empty() && in_flight_ < kEntries - 1) fill(ring, *waiting_.pop());
}

void UringEngine::fill(Uring& ring, IoRequest& request) {
  io_uring_sqe* entry = ring.next_entry();
  const bool read = request.operation == IoOperation::kRead;
  entry->opcode = read ? IORING_OP_READ : IORING_OP_WRITE;
  for (const Fixed& fixed : fixed_) {
    if (request.data >= fixed.data && request.data + request.bytes <= fixed.data + fixed.bytes) {
      entry->opcode = read ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED;
      entry->buf_index = static_cast<uint16_t>(fixed.slot);
      break;
    }
  }
  entry->fd = request.fd;
  entry->addr = reinterpret_cast<uint64_t>(request.data);
  entry->len = request.bytes;
  entry->off = request.offset;
  entry->user_data = reinterpret_cast<uint64_t>(&request);
  tell_sanitizers(request);
  ++in_flight_;
}

int UringEngine::add_fixed(Uring& ring, std::byte* data, size_t bytes) {
  if (table_error_ != 0) return table_error_;
  for (size_t offset = 0; offset < bytes; offset += kFixedBytesMax) {
    const size_t part = std::min(kFixedBytesMax, bytes - offset);
    const int error = free_slots_.empty() ? ENOBUFS : ring.set_buffer(free_slots_.back(), data + offset, part);
    if (error != 0) {
      remove_fixed(ring, data, bytes);
      return error;
    }
    fixed_.push_back({data + offset, part, free_slots_.back()});
    free_slots_.pop_back();
  }
  return 0;
}

void UringEngine::remove_fixed(Uring& ring, const std::byte* data, size_t bytes) {
  std::erase_if(fixed_, [&](const Fixed& fixed) {
    if (fixed.data < data || fixed.data >= data + bytes) return false;
    (void)ring.set_buffer(fixed.slot, nullptr, 0);
    free_slots_.push_back(fixed.slot);
    return true;
  });
}

void UringEngine::submit(IoRequest* request) {
  {
    std::unique_lock lock(mutex_);
    if (ended_) {
      lock.unlock();
      request->listener->on_completed(*request, -ECANCELED);
      return;
    }
    submitted_.push(request);
  }
  wake();
}

void UringEngine::wake() const {
  const uint64_t one = 1;
  // Never short and never blocking: the counter cannot overflow. Left out, it would be waited for in vain.
  while (::write(wake_fd_.get(), &one, sizeof(one)) < 0 && errno == EINTR) continue;
}

void UringEngine::await(Command& command) {
  if (engine_of_thread == this) {
    execute(*ring_, command);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      command.status = Status::system(ECANCELED, "io_uring_register");
      return;
    }
    commands_.push_back(&command);
  }
  wake();
  std::unique_lock lock(command.mutex);
  command.signal.wait(lock, [&command] { return command.done; });
}

Status UringEngine::register_memory(std::byte* data, size_t bytes) {
  Command command;
  command.kind = Command::Kind::kRegister;
  command.data = data;
  command.bytes = bytes;
  await(command);
  return std::move(command.status);
}

void UringEngine::unregister_memory(std::byte* data, size_t bytes) {
  Command command;
  command.kind = Command::Kind::kUnregister;
  command.data = data;
  command.bytes = bytes;
  await(command);
}

bool UringEngine::stop(std::chrono::milliseconds limit) {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake();
  return worker_.join_within(limit);
}

double UringEngine::cpu_seconds() const { return worker_.cpu_seconds(); }

}  // namespace snapshard
