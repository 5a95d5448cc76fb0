// Memory that JavaScript may pull away (detach, resize, grow, collect) while a thread reads it.
#pragma once

#include <cstddef>

namespace snapshard {

enum class MemoryReader { kProcessVmReadv, kProcSelfMem, kJavaScriptThread };

// The first of them that the kernel and the sandbox allow; probed once.
MemoryReader memory_reader();

// Copies `bytes` of this process through the kernel. Returns 0, or EFAULT where the source is no longer mapped.
// Only for a `memory_reader()` other than kJavaScriptThread.
[[nodiscard]] int read_own_memory(std::byte* destination, const std::byte* source, size_t bytes);

}  // namespace snapshard
