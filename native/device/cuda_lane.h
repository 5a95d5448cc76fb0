#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/status.h"
#include "base/worker.h"
#include "device/cuda_device.h"
#include "device/cuda_memory.h"

namespace snapshard {

// One stretch to copy: between device memory and host memory, or within device memory (both are addresses to the
// driver).
struct CudaCopy {
  uint64_t to = 0;
  uint64_t from = 0;
  uint64_t bytes = 0;
};

enum class CudaDirection : uint8_t { kToHost, kToDevice, kWithinDevice };

// A stream of one device, and the thread that waits for it. One job at a time uses a lane; copies of one lane happen in
// the order in which they were asked for.
//
// 1. Whatever fails, `done` is called once, on the lane's thread, and not before all that was asked of the driver for
//    these copies has ended: host memory may be used again from then on.
// 2. Copies that follow each other on both sides are made as one; the rest of a call goes to the driver in one batch
//    where the driver has that (CUDA 12.8), else one by one; none of them waits for another's end.
// 3. A device that never answers holds up the lane's thread, and nobody else. (Host memory that is not registered with
//    the driver is another matter: it may keep the caller of copy() until the copy has ended.)
class CudaLane {
  // Only create() makes one.
  struct Key {};

 public:
  using Done = std::function<void(Status status)>;

  static Status create(std::shared_ptr<CudaDevice> device, std::unique_ptr<CudaLane>& lane);
  CudaLane(Key /*key*/, std::shared_ptr<CudaDevice> device) : device_(std::move(device)) {}
  // After stop().
  ~CudaLane() = default;
  CudaLane(const CudaLane&) = delete;
  CudaLane& operator=(const CudaLane&) = delete;

  [[nodiscard]] CudaDevice& device() const { return *device_; }

  // What is copied after this call waits, on the device, for what `order` names as it stands now.
  Status wait_for(const CudaOrder& order);
  // From any thread; returns at once. `copies` is read before it returns. After stop(), `done` is called at once, with
  // kClosed.
  void copy(CudaDirection direction, std::span<const CudaCopy> copies, Done done);
  // Runs on the lane's thread, where the device's context is current, after the copies asked for before. `cancelled`
  // when the lane was stopped.
  void run(std::function<void(bool cancelled)> task);

  // Ends the thread; copies under way are waited for. False when the device did not answer within the limit: then the
  // lane, and all it points to, must be leaked.
  bool stop(std::chrono::milliseconds limit);
  [[nodiscard]] double cpu_seconds() const { return worker_.cpu_seconds(); }

 private:
  // Something that the thread waits for, then tells: copies, or a task.
  struct Pending {
    // Recorded behind the copies; nullptr where nothing was asked of the driver.
    void* event = nullptr;
    // The stream itself has to be waited for: no event could be recorded behind the copies.
    bool drain = false;
    Status status;
    Done done;
    std::function<void(bool cancelled)> task;
    bool cancelled = false;
  };

  Status start();
  Status start_thread();
  Pending issue(CudaDirection direction, std::span<const CudaCopy> copies);
  Status take_event(void*& event);
  void run_thread();
  bool next(Pending& pending);
  void finish_all();
  Status wait_for_copies(Pending& pending);
  bool stopping();
  // With the context current.
  void destroy();

  const std::shared_ptr<CudaDevice> device_;
  void* stream_ = nullptr;
  // Held while the driver is asked, so that what is pending has the order of the stream.
  std::mutex issue_mutex_;
  std::mutex mutex_;
  std::condition_variable signal_;
  std::deque<Pending> pending_;
  // Events that nobody waits for any more.
  std::vector<void*> spare_events_;
  bool stopping_ = false;
  Worker worker_;
};

}  // namespace snapshard
