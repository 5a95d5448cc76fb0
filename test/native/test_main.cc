#include <cstdio>
#include <cstring>

#include "test.h"

namespace {

// Arguments are names of tests, or parts of them; none means all.
bool wanted(const char* name, int count, char** arguments) {
  for (int i = 1; i < count; ++i) {
    if (std::strstr(name, arguments[i]) != nullptr) return true;
  }
  return count == 1;
}

}  // namespace

int main(int count, char** arguments) {
  int failures = 0;
  for (const snapshard::test::Case& test : snapshard::test::cases()) {
    if (!wanted(test.name, count, arguments)) continue;
    try {
      test.body();
      std::printf("ok      %s\n", test.name);
    } catch (const snapshard::test::Skipped& reason) {
      std::printf("skipped %s: %s\n", test.name, reason.what());
    } catch (const std::exception& error) {
      std::printf("FAILED  %s: %s\n", test.name, error.what());
      ++failures;
    }
    std::fflush(stdout);
  }
  return failures == 0 ? 0 : 1;
}
