// Whatever handles are opened and let go, in whatever order: each is open once, as long as somebody has it.
#include <map>
#include <memory>

#include "../test.h"
#include "device/ipc_registry.h"
#include "fuzz.h"

using snapshard::CudaIpcHandle;
using snapshard::Failure;
using snapshard::IpcRegistry;
using snapshard::Status;

namespace {

using Key = std::pair<int, size_t>;

// How often each handle is open at the driver.
std::map<Key, int> open_count;

class Opened {
 public:
  explicit Opened(Key key) : key_(key) { ++open_count[key_]; }
  ~Opened() { --open_count[key_]; }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  [[nodiscard]] const Key& key() const { return key_; }

 private:
  const Key key_;
};

}  // namespace

FUZZ {
  IpcRegistry<Opened> registry;
  open_count.clear();
  std::vector<std::shared_ptr<Opened>> users;
  while (!input.empty()) {
    const size_t what = input.up_to(3);
    if (what == 0 && !users.empty()) {
      users.erase(users.begin() + static_cast<ptrdiff_t>(input.byte() % users.size()));
      continue;
    }
    const Key key(static_cast<int>(input.up_to(1)), input.up_to(5));
    CudaIpcHandle handle{};
    handle[key.second % 2 == 0 ? 0 : handle.size() - 1] = std::byte{static_cast<uint8_t>(key.second)};
    std::shared_ptr<Opened> opened;
    const Status status = registry.open(key.first, handle, opened, [&](std::unique_ptr<Opened>& fresh) {
      if (what == 1) return Status::failure(Failure::kCuda, "refused");
      fresh = std::make_unique<Opened>(key);
      return Status();
    });
    CHECK_EQUAL(status.ok(), opened != nullptr);
    if (opened == nullptr) continue;
    CHECK(opened->key() == key);
    users.push_back(std::move(opened));
  }
  std::map<Key, bool> used;
  for (const auto& user : users) used[user->key()] = true;
  for (const auto& [key, count] : open_count) CHECK_EQUAL(count, used.contains(key) ? 1 : 0);
  users.clear();
  for (const auto& [key, count] : open_count) CHECK_EQUAL(count, 0);
}
