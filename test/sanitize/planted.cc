// An add-on that does what sanitizers must find: `prove` calls it where the real one would be.
#include <node_api.h>

#include <cstdlib>
#include <thread>

namespace {

volatile int sink = 0;

void overflow() {
  int* volatile cells = new int[4];
  sink = cells[std::abs(sink) + 4];
  delete[] cells;
}

void use_after_free() {
  int* cell = new int(1);
  delete cell;
  sink = *cell;
}

void leak() {
  int* volatile cells = new int[1000];
  cells[0] = 1;
  cells = nullptr;
}

void undefined() {
  volatile int large = 0x7fffffff;
  sink = large + 1;
}

void race() {
  int cell = 0;
  std::thread other([&cell] { cell = 1; });
  cell = 2;
  other.join();
  sink = cell;
}

template <void (*kFault)()>
void add(napi_env env, napi_value exports, const char* name) {
  napi_value made = nullptr;
  const napi_callback call = [](napi_env, napi_callback_info) -> napi_value {
    kFault();
    return nullptr;
  };
  napi_create_function(env, name, NAPI_AUTO_LENGTH, call, nullptr, &made);
  napi_set_named_property(env, exports, name, made);
}

napi_value initialize(napi_env env, napi_value exports) {
  add<overflow>(env, exports, "overflow");
  add<use_after_free>(env, exports, "use_after_free");
  add<leak>(env, exports, "leak");
  add<undefined>(env, exports, "undefined");
  add<race>(env, exports, "race");
  return exports;
}

}  // namespace

NAPI_MODULE(planted, initialize)
