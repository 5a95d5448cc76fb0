#include "io/uring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>

namespace snapshard {

namespace {

#ifndef IORING_SETUP_COOP_TASKRUN
#define IORING_SETUP_COOP_TASKRUN (1U << 8)
#endif
#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif

int setup(unsigned entries, io_uring_params* parameters) {
  return static_cast<int>(::syscall(__NR_io_uring_setup, entries, parameters));
}

std::byte* at(void* base, unsigned offset) { return static_cast<std::byte*>(base) + offset; }

std::atomic<unsigned>* shared_word(void* base, unsigned offset) {
  return reinterpret_cast<std::atomic<unsigned>*>(at(base, offset));
}

}  // namespace

Uring::~Uring() {
  if (entries_ != nullptr) ::munmap(entries_, entries_bytes_);
  if (ring_ != nullptr) ::munmap(ring_, ring_bytes_);
}

Status Uring::create(unsigned entries) {
  constexpr unsigned kFlagSets[] = {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_COOP_TASKRUN,
                                    0};
  int error = 0;
  for (const unsigned flags : kFlagSets) {
    io_uring_params parameters{};
    parameters.flags = flags;
    fd_ = UniqueFd(setup(entries, &parameters));
    error = errno;
    if (fd_.valid()) {
      Status status = map(parameters);
      return status.ok() ? try_out() : status;
    }
    if (error != EINVAL) break;
  }
  return Status::system(error, "io_uring_setup");
}

Status Uring::map(const io_uring_params& parameters) {
  if ((parameters.features & IORING_FEAT_SINGLE_MMAP) == 0) return Status::system(ENOSYS, "io_uring_setup");
  ring_bytes_ = std::max(parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned),
                         parameters.cq_off.cqes + parameters.cq_entries * sizeof(io_uring_cqe));
  entries_bytes_ = parameters.sq_entries * sizeof(io_uring_sqe);
  constexpr int kProtection = PROT_READ | PROT_WRITE;
  constexpr int kFlags = MAP_SHARED | MAP_POPULATE;
  void* ring = ::mmap(nullptr, ring_bytes_, kProtection, kFlags, fd_.get(), IORING_OFF_SQ_RING);
  if (ring == MAP_FAILED) return Status::system(errno, "mmap");
  ring_ = ring;
  void* entries = ::mmap(nullptr, entries_bytes_, kProtection, kFlags, fd_.get(), IORING_OFF_SQES);
  if (entries == MAP_FAILED) return Status::system(errno, "mmap");
  entries_ = static_cast<io_uring_sqe*>(entries);
  entry_count_ = parameters.sq_entries;
  submit_head_ = shared_word(ring_, parameters.sq_off.head);
  submit_tail_ = shared_word(ring_, parameters.sq_off.tail);
  submit_mask_ = *reinterpret_cast<unsigned*>(at(ring_, parameters.sq_off.ring_mask));
  submit_array_ = reinterpret_cast<unsigned*>(at(ring_, parameters.sq_off.array));
  complete_head_ = shared_word(ring_, parameters.cq_off.head);
  complete_tail_ = shared_word(ring_, parameters.cq_off.tail);
  complete_mask_ = *reinterpret_cast<unsigned*>(at(ring_, parameters.cq_off.ring_mask));
  completions_ = reinterpret_cast<io_uring_cqe*>(at(ring_, parameters.cq_off.cqes));
  local_tail_ = submit_tail_->load(std::memory_order_relaxed);
  return {};
}

Status Uring::try_out() {
  // Cleared, it is IORING_OP_NOP.
  (void)next_entry();
  int error = submit_and_wait();
  while (error == EINTR) error = submit_and_wait();
  if (error != 0) return Status::system(error, "io_uring_enter");
  reap([](uint64_t, int) {});
  return {};
}

io_uring_sqe* Uring::next_entry() {
  if (local_tail_ - submit_head_->load(std::memory_order_acquire) >= entry_count_) return nullptr;
  const unsigned slot = local_tail_ & submit_mask_;
  submit_array_[slot] = slot;
  io_uring_sqe* entry = &entries_[slot];
  ::memset(entry, 0, sizeof(*entry));
  ++local_tail_;
  ++pending_;
  return entry;
}

int Uring::submit_and_wait() {
  submit_tail_->store(local_tail_, std::memory_order_release);
  const long submitted =
      ::syscall(__NR_io_uring_enter, fd_.get(), pending_, 1U, IORING_ENTER_GETEVENTS, nullptr, size_t{0});
  if (submitted < 0) return errno;
  pending_ -= static_cast<unsigned>(submitted);
  return 0;
}

int Uring::register_buffer_table(unsigned slots) {
#ifdef IORING_RSRC_REGISTER_SPARSE
  io_uring_rsrc_register table{};
  table.nr = slots;
  table.flags = IORING_RSRC_REGISTER_SPARSE;
  const long done = ::syscall(__NR_io_uring_register, fd_.get(), IORING_REGISTER_BUFFERS2, &table, sizeof(table));
  return done < 0 ? errno : 0;
#else
  (void)slots;
  return ENOSYS;
#endif
}

int Uring::set_buffer(unsigned slot, std::byte* data, size_t bytes) {
  iovec memory{data, bytes};
  __u64 tag = 0;
  io_uring_rsrc_update2 update{};
  update.offset = slot;
  update.data = reinterpret_cast<__u64>(&memory);
  update.tags = reinterpret_cast<__u64>(&tag);
  update.nr = 1;
  const long done =
      ::syscall(__NR_io_uring_register, fd_.get(), IORING_REGISTER_BUFFERS_UPDATE, &update, sizeof(update));
  return done < 0 ? errno : 0;
}

Status probe_uring() {
  Uring ring;
  return ring.create(4);
}

std::string describe_uring_failure(const Status& status) {
  const std::string said = status.message();
  switch (status.error()) {
    case EPERM:
      return said +
             " (a sandbox or kernel.io_uring_disabled denies it: allow the calls of io_uring, or go on with pwrite)";
    case ENOSYS:
      return said + " (this kernel or sandbox has no io_uring: Linux 5.6 or newer is needed)";
    case ENOMEM:
      return said + " (raise RLIMIT_MEMLOCK, `ulimit -l`)";
    case EMFILE:
    case ENFILE:
      return said + " (raise RLIMIT_NOFILE, `ulimit -n`)";
    default:
      return said;
  }
}

}  // namespace snapshard
