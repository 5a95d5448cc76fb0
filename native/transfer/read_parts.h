// The parts of a read that its source files share.
#pragma once

#include <atomic>

#include "io/input_file.h"
#include "transfer/read.h"

namespace snapshard {

struct Read::Piece : IoRequest {
  size_t file = 0;
  ReadLayout::Span span;
  // Of the pool; nullptr where the piece goes straight into its target.
  std::byte* block = nullptr;
  // Bytes from the start of the span on that have landed.
  uint64_t landed_bytes = 0;
  int attempts = 0;
  // Lanes that still copy from it.
  std::atomic<int> copies_left{0};

  [[nodiscard]] std::byte* memory() const { return block != nullptr ? block : span.into; }
};

struct Read::File {
  InputFile input;
  // Under the read's mutex.
  bool open = false;
  std::atomic<size_t> chunks_left{0};
};

}  // namespace snapshard
