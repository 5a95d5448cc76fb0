// Tells sanitizers what they cannot see by themselves. In a build without them all of this is nothing.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
extern "C" {
void __asan_loadN(void* address, size_t bytes);
void __asan_storeN(void* address, size_t bytes);
}
#elif defined(__SANITIZE_THREAD__)
extern "C" {
void __tsan_read_range(void* address, size_t bytes);
void __tsan_write_range(void* address, size_t bytes);
}
#endif

namespace snapshard {

// What the kernel does with memory behind a ring, from when it is asked until it has answered: called at both ends, it
// counts as done by the calling thread. Who else touches that memory meanwhile, or has freed it, is then found.
inline void kernel_reads([[maybe_unused]] std::byte* data, [[maybe_unused]] size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __asan_loadN(data, bytes);
#elif defined(__SANITIZE_THREAD__)
  __tsan_read_range(data, bytes);
#endif
}

inline void kernel_writes([[maybe_unused]] std::byte* data, [[maybe_unused]] size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __asan_storeN(data, bytes);
#elif defined(__SANITIZE_THREAD__)
  __tsan_write_range(data, bytes);
#endif
}

// Memory that goes back to where it came from, and so is nobody's; as if freed.
inline void memory_returned([[maybe_unused]] std::byte* data, [[maybe_unused]] size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_POISON_MEMORY_REGION(data, bytes);
#elif defined(__SANITIZE_THREAD__)
  __tsan_write_range(data, bytes);
#endif
}

// It is somebody's again. Also before it is unmapped: what is mapped there next is not poisoned.
inline void memory_taken([[maybe_unused]] std::byte* data, [[maybe_unused]] size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(data, bytes);
#endif
}

}  // namespace snapshard
