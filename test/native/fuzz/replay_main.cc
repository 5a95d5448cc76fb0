// Runs a fuzz target without libFuzzer: over the files of the folders named, and over random inputs.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "../files.h"
#include "../random.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using snapshard::test::Random;

constexpr size_t kLengthMax = 200;

void run(const std::vector<std::byte>& bytes) {
  (void)LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

size_t run_folder(const std::string& folder) {
  size_t count = 0;
  if (!std::filesystem::exists(folder)) return 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    run(snapshard::test::read_whole(entry.path().string()));
    ++count;
  }
  return count;
}

}  // namespace

// FOLDER… --random COUNT
int main(int count, char** arguments) {
  size_t executions = 0;
  for (int i = 1; i < count; ++i) {
    if (std::strcmp(arguments[i], "--random") != 0) {
      executions += run_folder(arguments[i]);
      continue;
    }
    const unsigned long inputs = i + 1 < count ? std::strtoul(arguments[++i], nullptr, 10) : 0;
    for (unsigned long seed = 0; seed < inputs; ++seed, ++executions) {
      Random random(seed);
      run(random.bytes(random.up_to(kLengthMax)));
    }
  }
  std::printf("%zu executions\n", executions);
  return executions > 0 ? 0 : 1;
}
