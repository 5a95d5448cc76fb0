#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "base/status.h"
#include "device/cuda_memory.h"

namespace snapshard {

// What this process has opened of others: each handle once for each device, until its last user is gone. Holds nothing
// alive. From any thread.
template <typename Opened>
class IpcRegistry {
 public:
  // `open_fresh` runs where nobody has the handle open; nobody else opens or closes one meanwhile.
  template <typename OpenFresh>
  Status open(int device, const CudaIpcHandle& handle, std::shared_ptr<Opened>& opened, OpenFresh open_fresh) {
    const Key key(device, handle);
    std::unique_lock lock(mutex_);
    // Its last user is just closing it: the driver must see that first.
    signal_.wait(lock, [&] { return !entries_.contains(key) || (opened = entries_[key].lock()) != nullptr; });
    if (opened != nullptr) return {};
    std::unique_ptr<Opened> fresh;
    if (Status status = open_fresh(fresh); !status.ok()) return status;
    opened = std::shared_ptr<Opened>(fresh.release(), [this, key](Opened* last) { close(key, last); });
    entries_[key] = opened;
    return {};
  }

 private:
  using Key = std::pair<int, CudaIpcHandle>;

  void close(const Key& key, Opened* last) {
    const std::lock_guard lock(mutex_);
    std::default_delete<Opened>()(last);
    entries_.erase(key);
    signal_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable signal_;
  std::map<Key, std::weak_ptr<Opened>> entries_;
};

}  // namespace snapshard
