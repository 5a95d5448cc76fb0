// The parts of the driver double. One mutex guards all of it, but for the bytes that are copied.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "control.h"

#define CUDA_DOUBLE_API extern "C" __attribute__((visibility("default")))

namespace cuda_double {

enum Result : int {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kNotInitialized = 3,
  kNoDevice = 100,
  kInvalidDevice = 101,
  kInvalidContext = 201,
  kMapFailed = 205,
  kAlreadyMapped = 208,
  kInvalidHandle = 400,
  kNotFound = 500,
  kNotReady = 600,
  kIllegalAddress = 700,
  kContextIsDestroyed = 709,
  kAlreadyRegistered = 712,
  kNotRegistered = 713,
  kNotSupported = 801
};

struct IpcBytes {
  char bytes[64];
};

// What names something of another process: a memory file that it has open.
struct IpcName {
  uint64_t nonce;
  int64_t process;
  int64_t file;
  uint64_t bytes;
  int64_t is_event;
};

struct Context;

// Device memory: the pointer is an address that the CPU cannot touch, the bytes lie elsewhere.
struct Allocation {
  ~Allocation();
  uint64_t pointer = 0;
  size_t bytes = 0;
  size_t piece_bytes = 0;
  Context* context = nullptr;
  std::byte* data = nullptr;
  size_t file_bytes = 0;
  int file = -1;
  uint64_t nonce = 0;
  bool opened = false;
  std::atomic<int> uses{0};
  // Copies of a device that was lost meanwhile are no uses.
  int64_t losses = 0;
};

// How often it was recorded, and the last of these that has been reached.
struct Counters {
  std::atomic<uint64_t> nonce;
  std::atomic<uint64_t> recorded;
  std::atomic<uint64_t> reached;
};

struct Event {
  ~Event();
  Context* context = nullptr;
  Counters* counters = nullptr;
  int file = -1;
  bool opened = false;
};

struct Operation {
  std::function<bool()> ready;
  std::function<void()> act;
  // What was asked for before the device was lost is never done.
  int64_t losses = 0;
};

struct Stream {
  Context* context = nullptr;
  bool blocking = true;
  bool held = false;
  bool destroyed = false;
  uint64_t asked = 0;
  uint64_t ended = 0;
  std::deque<Operation> operations;
};

struct Context {
  int device = 0;
  int retained = 0;
  std::shared_ptr<Stream> legacy;
};

struct Failure {
  std::string function;
  int64_t nth = 0;
  int error = 0;
  int64_t calls = 0;
  bool happened = false;
};

struct State {
  std::mutex mutex;
  std::condition_variable changed;
  bool initialized = false;
  int broken = 0;
  // How often the device was lost, and what streams are doing just now: that much is waited for all the same.
  int64_t losses = 0;
  int acting = 0;
  bool hangs = false;
  int64_t copies_until_broken = -1;
  int break_error = 0;
  int64_t copies_until_hang = -1;
  int64_t delay_us_max = 100;
  size_t memory_bytes = 0;
  int driver_version = 0;
  std::vector<Failure> failures;
  std::vector<std::unique_ptr<Context>> contexts;
  std::map<uint64_t, std::shared_ptr<Allocation>> allocations;
  std::map<void*, std::shared_ptr<Stream>> streams;
  std::map<void*, std::shared_ptr<Event>> events;
  std::map<std::byte*, size_t> registrations;
  Tally tally{};
};

using Lock = std::unique_lock<std::mutex>;

// Never freed: streams go on until the process ends.
State& state();
// Tells of a mistake of the caller.
void misuse(const std::string& what);

// First in each function: what it must answer instead of doing its work, or kSuccess. Takes the lock for the rest of
// it.
class Call {
 public:
  enum class Needs { kNothing, kInit, kContext };
  Call(const char* function, Needs needs);
  [[nodiscard]] Result result() const { return result_; }
  // What a function answers that ends something: it has done so all the same.
  [[nodiscard]] Result after(Result done) const { return result_ != kSuccess ? result_ : done; }
  Lock lock;

 private:
  Result result_ = kSuccess;
};

// The context of this thread, or nullptr.
Context* current_context();

// The live stream of a handle in the current context; the legacy one for 0 and 1, and for 2 here. nullptr: no such.
std::shared_ptr<Stream> find_stream(void* handle);
void start_stream(const std::shared_ptr<Stream>& stream);
void enqueue(const std::shared_ptr<Stream>& stream, Operation operation);
// What the driver answers once the device is lost: kSuccess when it is not.
Result broken_result(Lock& lock);
void lose_device(int error);
Result wait_for_stream(Lock& lock, const std::shared_ptr<Stream>& stream);
std::shared_ptr<Event> find_event(void* handle);

// The allocation that holds all of these bytes, or nullptr.
std::shared_ptr<Allocation> find_allocation(uint64_t pointer, size_t bytes);
bool is_registered(const void* data, size_t bytes);

// A memory file of this process, mapped; or another process's of this name. -1: none.
int make_memory_file(size_t bytes, void*& data);
int open_memory_file(const IpcName& name, size_t bytes, void*& data);
uint64_t fresh_nonce();

}  // namespace cuda_double
