#pragma once

#include <cstddef>
#include <memory>
#include <set>
#include <tuple>
#include <vector>

#include "base/status.h"
#include "device/cuda_lane.h"
#include "device/cuda_memory.h"

namespace snapshard {

class Engine;

// The lanes of one job: one for each device that memory of it is on.
class Lanes {
 public:
  Lanes() = default;
  ~Lanes();
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  // Takes a lane of the memory's device where there is none yet, and puts it behind what the memory's order names now.
  Status add(Engine& engine, const CudaMemory& memory);
  // Gives the lanes back; no copy is under way any more. `held` goes on a lane's thread: to free memory of a device may
  // mean to wait for the device.
  void give_back(std::shared_ptr<void> held);

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] size_t size() const { return entries_.size(); }
  [[nodiscard]] CudaLane& operator[](size_t index) const { return *entries_[index].lane; }
  [[nodiscard]] const std::shared_ptr<CudaDevice>& device(size_t index) const { return entries_[index].device; }
  // Of the device of memory that was added.
  [[nodiscard]] size_t index_of(const CudaMemory& memory) const;

 private:
  using OrderKey = std::tuple<CudaOrder::Kind, CudaHandle, const CudaIpcEvent*>;
  struct Entry {
    CudaLane* lane = nullptr;
    std::shared_ptr<CudaDevice> device;
    std::set<OrderKey> orders;
  };

  Engine* engine_ = nullptr;
  std::vector<Entry> entries_;
};

// What one stager collects for each lane of a job, to be asked for at once.
class LaneCopies {
 public:
  void add(size_t lane, const CudaCopy& copy) {
    if (lane >= copies_.size()) copies_.resize(lane + 1);
    copies_[lane].push_back(copy);
  }
  void clear() {
    for (auto& some : copies_) some.clear();
  }
  // How many lanes have something to copy.
  [[nodiscard]] int lanes() const {
    int count = 0;
    for (const auto& some : copies_) count += some.empty() ? 0 : 1;
    return count;
  }
  [[nodiscard]] bool empty() const { return lanes() == 0; }
  // Calls `visit(lane, copies)` for each of them.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (size_t lane = 0; lane < copies_.size(); ++lane) {
      if (!copies_[lane].empty()) visit(lane, copies_[lane]);
    }
  }

 private:
  std::vector<std::vector<CudaCopy>> copies_;
};

}  // namespace snapshard
