#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "base/sizes.h"
#include "base/status.h"
#include "base/worker.h"
#include "codec/digest.h"
#include "device/cuda_lane.h"
#include "io/thread_engine.h"
#include "io/uring_engine.h"
#include "transfer/job.h"
#include "transfer/lanes.h"
#include "transfer/source.h"
#include "transfer/target.h"
#include "transfer/trace.h"

namespace snapshard {

class Staging;

// What one stager thread keeps between pieces of work.
class Stager {
 public:
  explicit Stager(uint32_t number) : number_(number) {}

  // Of the threads of its engine, from 0.
  [[nodiscard]] uint32_t number() const { return number_; }
  Hasher hasher;
  SourceReader reader;
  GatherClock clock;
  // What waits to be copied on the JavaScript thread; empty between pieces of work.
  std::vector<TargetCopy>& copies() { return copies_; }
  // The same, for devices.
  LaneCopies& device_copies() { return device_copies_; }
  // kPieceBytes.
  std::byte* scratch() {
    if (scratch_.empty()) scratch_.resize(kPieceBytes);
    return scratch_.data();
  }

 private:
  const uint32_t number_;
  std::vector<std::byte> scratch_;
  std::vector<TargetCopy> copies_;
  LaneCopies device_copies_;
};

// The threads of one JavaScript environment: stagers, which take work from all stagings in turn, and the engines of
// input and output. Work is claimed under one lock, at the grain of blocks.
class Engine : public std::enable_shared_from_this<Engine> {
 public:
  Engine() = default;

  // Starts the ring's thread on first use; why there is none, otherwise. From any thread.
  const Status& uring_status();
  // After uring_status() was good.
  [[nodiscard]] UringEngine* uring() { return uring_.get(); }
  [[nodiscard]] ThreadEngine& threads() { return threads_; }

  // Starts stagers until there are as many as this staging may use; more come when all of them are at work.
  Status add(std::shared_ptr<Staging> staging);
  void remove(const Staging* staging);

  // A lane of this device that no other job uses, kept with the engine. From any thread.
  Status take_lane(const std::shared_ptr<CudaDevice>& device, CudaLane*& lane);
  void give_back(CudaLane* lane);

  // There may be new work. Not while holding a job's lock.
  void notify();
  [[nodiscard]] std::mutex& mutex() { return mutex_; }

  // Fails every job, and ends all threads once what is in flight has landed. False when a device did not answer
  // within the limit: then the engine, and all it points to, must be leaked.
  bool stop(std::chrono::milliseconds limit);

  // Processor seconds of all threads so far.
  double cpu_seconds();

 private:
  struct Work {
    std::shared_ptr<Staging> staging;
    std::shared_ptr<Job> job;
    size_t item = 0;
    Step step = Step::kFirst;
  };

  void run(uint32_t number);
  bool start_stager();
  bool find_work(Work& work);
  static bool claim(Staging& staging, Work& work);
  static bool claim_of(const std::vector<std::shared_ptr<Job>>& jobs, bool& may_take_blocks, Work& work);
  void release_stagings();

  std::once_flag uring_once_;
  Status uring_status_;
  std::unique_ptr<UringEngine> uring_;
  ThreadEngine threads_;

  std::mutex mutex_;
  std::condition_variable signal_;
  std::vector<std::shared_ptr<Staging>> stagings_;
  size_t turn_ = 0;
  bool stopping_ = false;
  std::vector<std::unique_ptr<Worker>> stagers_;
  size_t busy_stagers_ = 0;
  // As many as all stagings together may use.
  size_t stagers_wanted_ = 0;
  std::vector<std::unique_ptr<CudaLane>> lanes_;
  std::vector<CudaLane*> idle_lanes_;
};

}  // namespace snapshard
