// The parts of a transfer that its three source files share.
#pragma once

#include <atomic>
#include <string>

#include "io/output_file.h"
#include "io/request_queue.h"
#include "transfer/transfer.h"

namespace snapshard {

// One block of one file. `remaining` counts down to a full block; the request then owns it until it is written.
struct Transfer::Block : IoRequest {
  std::byte* memory = nullptr;
  size_t index = 0;
  size_t file = 0;
  bool prepared = false;
  bool in_place = false;
  int attempts = 0;
  std::atomic<uint64_t> remaining{0};
  // With in-place blocks: writes to wait for before the item of this index is checked again.
  std::atomic<int> check_waits{0};
  // Lanes that still copy for the item of this index.
  std::atomic<int> copies_left{0};
};

struct Transfer::File {
  std::string path;
  OutputFile output;
  std::atomic<size_t> blocks_left{0};
  // Under the transfer's mutex: full blocks that wait for the file to be created.
  bool open = false;
  RequestQueue parked;
};

// Walks the segments of one file forwards.
struct Transfer::Cursor {
  const Layout& layout;
  const Layout::File& file;
  size_t segment;

  Cursor(const Layout& the_layout, size_t file_index, uint64_t offset)
      : layout(the_layout), file(the_layout.files()[file_index]), segment(layout.segment_at(file, offset)) {}

  void move_to(uint64_t offset) {
    while (layout.segment_end(segment) <= offset) ++segment;
  }
  [[nodiscard]] uint32_t source() const { return layout.segment_source(segment); }
  [[nodiscard]] uint64_t source_offset(uint64_t offset) const {
    return layout.segment_source_offset(segment) + (offset - layout.segment_begin(segment));
  }
};

}  // namespace snapshard
