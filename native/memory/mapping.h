#pragma once

#include <cstddef>

#include "base/status.h"

namespace snapshard {

// Anonymous memory of its own: zeroed, aligned to 2 MiB, huge pages asked for. Unmapped with the object.
class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  static Status create(size_t bytes, Mapping& mapping);

  // Pages that are not there yet come from this NUMA node as long as it has any. Only a wish.
  void prefer_node(int node);

  // Makes every page present now, so that no copy pays for it later. Fails with ENOMEM where memory is short.
  [[nodiscard]] Status prefault();

  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] size_t bytes() const { return bytes_; }

 private:
  void unmap();

  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
  size_t mapped_bytes_ = 0;
};

// Makes the pages of a page-aligned stretch present, as far as that can be had: whoever writes next does not fault.
void fault_in(std::byte* data, size_t bytes);

}  // namespace snapshard
