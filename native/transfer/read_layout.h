#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "transfer/target.h"

namespace snapshard {

// What is to be read, as JavaScript planned it: see ReadRequest in lib/binding.ts.
struct ReadInput {
  std::vector<std::string> paths;
  std::vector<uint32_t> chunk_file;
  std::vector<uint64_t> chunk_offset;
  std::vector<uint32_t> chunk_bytes;
  std::vector<uint32_t> chunk_copies;
  std::vector<uint32_t> copy_from;
  std::vector<uint32_t> copy_bytes;
  std::vector<uint32_t> copy_target;
  std::vector<uint64_t> copy_to;
  std::vector<Target> targets;
};

// The geometry of one read: chunks of files, and where their bytes go.
class ReadLayout {
 public:
  // One file, and the chunks that are read from it.
  struct File {
    uint32_t path = 0;
    size_t chunk_begin = 0;
    size_t chunk_end = 0;
  };

  // What one request to the engine covers: chunks [chunk_begin, chunk_end) of a file, and the aligned stretch
  // [begin, end) around them. `into` is where it goes if no block is needed.
  struct Span {
    size_t chunk_begin = 0;
    size_t chunk_end = 0;
    uint64_t begin = 0;
    uint64_t end = 0;
    std::byte* into = nullptr;
  };

  // How a file is read, and how much at a time.
  struct Grain {
    uint64_t block_bytes = 0;
    uint64_t offset_alignment = 1;
    uint64_t memory_alignment = 1;
  };

  // Checks that chunks follow each other and that no copy leaves its chunk or its target.
  static Status create(ReadInput input, ReadLayout& layout);

  [[nodiscard]] const std::vector<File>& files() const { return files_; }
  [[nodiscard]] const std::string& path(const File& file) const { return input_.paths[file.path]; }
  [[nodiscard]] size_t chunk_count() const { return input_.chunk_offset.size(); }
  [[nodiscard]] uint64_t chunk_begin(size_t chunk) const { return input_.chunk_offset[chunk]; }
  [[nodiscard]] uint64_t chunk_bytes(size_t chunk) const { return input_.chunk_bytes[chunk]; }
  [[nodiscard]] uint64_t chunk_end(size_t chunk) const { return chunk_begin(chunk) + chunk_bytes(chunk); }
  [[nodiscard]] size_t copies_begin(size_t chunk) const { return copies_begin_[chunk]; }
  [[nodiscard]] size_t copies_end(size_t chunk) const { return copies_begin_[chunk + 1]; }
  [[nodiscard]] const Target& target(uint32_t index) const { return input_.targets[index]; }
  [[nodiscard]] const std::vector<Target>& targets() const { return input_.targets; }
  // At the end: nothing may be copied any more.
  [[nodiscard]] std::vector<Target> take_targets() { return std::move(input_.targets); }
  // `chunk` is where the bytes of the copy's chunk are.
  [[nodiscard]] TargetCopy copy(size_t index, const std::byte* chunk) const {
    return {chunk + input_.copy_from[index], input_.copy_bytes[index], input_.copy_target[index],
            input_.copy_to[index]};
  }

  // The chunks from `first` on that are read at once: into the target itself where they make a long run there, else
  // with their neighbours into a block.
  [[nodiscard]] Span next_span(const File& file, size_t first, const Grain& grain) const;

 private:
  Status place_chunks();
  Status check_copies(size_t chunk) const;
  [[nodiscard]] std::byte* place_in_target(size_t chunk, const Grain& grain) const;
  [[nodiscard]] Span run_in_target(const File& file, size_t first, const Grain& grain) const;
  [[nodiscard]] Span span_of_block(const File& file, size_t first, size_t no_run_before, const Grain& grain) const;

  ReadInput input_;
  std::vector<File> files_;
  // One more than there are chunks.
  std::vector<size_t> copies_begin_;
};

}  // namespace snapshard
