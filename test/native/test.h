// A test program is one file of `TEST(name) { ... }`; test_main.cc runs them in order. A check that fails ends its
// test.
#pragma once

#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace snapshard::test {

struct Case {
  const char* name;
  void (*body)();
};

// A check that does not hold.
struct Failed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What this machine or this process cannot do; the test is reported as skipped.
struct Skipped : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

struct Registration {
  Registration(const char* name, void (*body)()) { cases().push_back({name, body}); }
};

[[noreturn]] inline void fail(const char* file, int line, const std::string& what) {
  throw Failed(std::string(file) + ":" + std::to_string(line) + ": " + what);
}

template <typename Actual, typename Expected>
void check_equal(const char* file, int line, const char* text, const Actual& actual, const Expected& expected) {
  if (actual == expected) return;
  std::ostringstream what;
  what << text << " is " << actual << ", not " << expected;
  fail(file, line, what.str());
}

}  // namespace snapshard::test

#define TEST(name)                                                                \
  static void name();                                                             \
  static const snapshard::test::Registration registration_of_##name(#name, name); \
  static void name()

#define CHECK(condition) ((condition) ? void() : snapshard::test::fail(__FILE__, __LINE__, #condition))
#define CHECK_EQUAL(actual, expected) snapshard::test::check_equal(__FILE__, __LINE__, #actual, (actual), (expected))
// For a Status: says what went wrong.
#define CHECK_OK(status)                                                                            \
  do {                                                                                              \
    const snapshard::Status checked = (status);                                                     \
    if (!checked.ok()) snapshard::test::fail(__FILE__, __LINE__, #status ": " + checked.message()); \
  } while (false)
