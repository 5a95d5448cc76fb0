// What tests ask of the driver double, beside the functions of the driver: found by dlsym, since nothing links it. The
// same can be set by the environment, where a test only starts a process:
//
// CUDA_DOUBLE_DEVICES         how many devices there are (1)
// CUDA_DOUBLE_DRIVER_VERSION  what cuDriverGetVersion answers (13000)
// CUDA_DOUBLE_MEMORY          bytes of memory of each device (1 GiB)
// CUDA_DOUBLE_DELAY_US        the most that a piece of work of a stream is late, at random (100)
// CUDA_DOUBLE_FAIL            `function:nth:error`, several with commas: that call answers so, counted from 1; nth 0:
// all CUDA_DOUBLE_BREAK           `copies:error`: after so many copies the device is lost, and every call answers so
// CUDA_DOUBLE_HANG            after so many copies no stream goes on any more
// CUDA_DOUBLE_TALLY           a file that gets the tally at exit: `name value` lines
//
// A function that ends something (destroys, frees, releases) does so, and then answers with the error.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cuda_double {

// What there is now: all of the first seven are 0 when nothing leaks.
struct Tally {
  int64_t contexts;
  int64_t allocations;
  int64_t streams;
  int64_t events;
  int64_t ipc_memories;
  int64_t ipc_events;
  int64_t registrations;
  // What no correct program does; each is also told on stderr.
  int64_t misuses;
  // What was asked for so far.
  int64_t calls;
  int64_t copies;
  int64_t batches;
  int64_t unregistered_copies;
  int64_t copied_bytes;
  int64_t ipc_opens;
};

extern "C" {

void cuda_double_tally(Tally* tally);
// The next `nth` call of `function` (counted from 1 and from now on; 0: all) answers `error`. nullptr: none fails.
void cuda_double_fail(const char* function, int64_t nth, int error);
// Whether the failure asked for last has come.
int cuda_double_failed();
// Every call answers `error` from now on, and work is dropped; 0: the device is whole again.
void cuda_double_break(int error);
// No stream goes on until this is taken back.
void cuda_double_hang(int hangs);
// The stream does not begin what is waiting in it.
void cuda_double_hold_stream(void* stream, int holds);
// Where the CPU finds the bytes of device memory; nullptr where there is none.
void* cuda_double_bytes(uint64_t pointer);
// Device memory in a reserved range that is mapped in pieces of this many bytes, as expandable segments are.
int cuda_double_allocate_pieces(uint64_t* pointer, size_t bytes, size_t piece_bytes);

}  // extern "C"

}  // namespace cuda_double
