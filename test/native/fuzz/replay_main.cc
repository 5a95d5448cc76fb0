// Runs a fuzz target without libFuzzer: over the inputs of a corpus, one a line in hexadecimal digits, and over random
// ones.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "../random.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using snapshard::test::Random;

constexpr size_t kLengthMax = 200;

void run(const std::vector<std::byte>& bytes) {
  (void)LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

size_t run_corpus(const char* path) {
  constexpr int kHexadecimal = 16;
  size_t count = 0;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line); ++count) {
    std::vector<std::byte> bytes;
    for (size_t at = 0; at + 1 < line.size(); at += 2) {
      bytes.push_back(static_cast<std::byte>(std::stoul(line.substr(at, 2), nullptr, kHexadecimal)));
    }
    run(bytes);
  }
  return count;
}

}  // namespace

// CORPUS… --random COUNT
int main(int count, char** arguments) {
  size_t executions = 0;
  for (int i = 1; i < count; ++i) {
    if (std::strcmp(arguments[i], "--random") != 0) {
      executions += run_corpus(arguments[i]);
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
