#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <system_error>
#include <utility>

#include "base/sizes.h"
#include "codec/digest.h"
#include "napi/calls.h"
#include "napi/convert.h"
#include "napi/environment.h"

namespace snapshard {

namespace {

using Work = std::function<Status(Directory&)>;

std::shared_ptr<Store> find_store(const Napi::CallbackInfo& info) {
  auto store = Environment::of(info.Env()).find_store(to_handle(info[0]));
  if (store == nullptr) throw_closed(info.Env(), "store");
  return store;
}

// Runs `work` on the store's thread; the promise resolves to what `fill` makes afterwards.
// `kept` is not collected before that.
Napi::Value run(Napi::Env env, const std::shared_ptr<Store>& store, Work work, Environment::Fill fill = nullptr,
                Napi::Object kept = Napi::Object()) {
  const auto environment = Environment::of(env).shared_from_this();
  Napi::Promise promise;
  const uint64_t id = environment->open_promise(env, promise, kept);
  store->thread.post([environment, id, job = std::move(work), make = std::move(fill)](Directory* directory) {
    Status status = directory != nullptr ? job(*directory) : Status::failure(Failure::kClosed, "the store is closed");
    Environment::settle(environment, id, std::move(status), make);
  });
  return promise;
}

// A store whose thread runs and whose directory is yet to be opened.
struct NewStore {
  std::shared_ptr<Environment> environment;
  uint32_t handle;
  uint64_t promise;

  void settle(Status status) const {
    environment->queue->post([store = *this, result = std::move(status)](Napi::Env js) {
      if (result.ok()) return store.environment->resolve(js, store.promise, Napi::Number::New(js, store.handle));
      store.environment->end_store(store.handle);
      store.environment->reject(js, store.promise, result);
    });
  }
};

NewStore begin_store(Napi::Env env, const std::shared_ptr<Store>& store, Napi::Promise& promise) {
  const auto environment = Environment::of(env).shared_from_this();
  try {
    store->thread.start();
  } catch (const std::system_error&) {
    throw_status(env, Status::system(EAGAIN, "pthread_create"));
  }
  const uint32_t handle = environment->next_handle();
  environment->stores.emplace(handle, store);
  return {environment, handle, environment->open_promise(env, promise)};
}

Napi::Value open_store(const Napi::CallbackInfo& info) {
  const std::string path = to_text(info[0], "a path");
  const auto store = std::make_shared<Store>();
  Napi::Promise promise;
  const NewStore opening = begin_store(info.Env(), store, promise);
  store->thread.post([opening, path](Directory* directory) {
    opening.settle(directory != nullptr ? directory->open(path) : Status::failure(Failure::kClosed, "closed"));
  });
  return promise;
}

// The parent's thread opens the directory, and hands it over.
Napi::Value open_store_below(const Napi::CallbackInfo& info) {
  const auto parent = find_store(info);
  const std::string path = to_text(info[1], "a path");
  const auto store = std::make_shared<Store>();
  Napi::Promise promise;
  const NewStore opening = begin_store(info.Env(), store, promise);
  parent->thread.post([opening, store, path](Directory* outer) {
    auto opened = std::make_shared<Directory>();
    Status status =
        outer != nullptr ? opened->open_in(*outer, path) : Status::failure(Failure::kClosed, "the store is closed");
    if (!status.ok()) return opening.settle(std::move(status));
    store->thread.post([opening, opened = std::move(opened)](Directory* directory) {
      if (directory == nullptr) return opening.settle(Status::failure(Failure::kClosed, "closed"));
      *directory = std::move(*opened);
      opening.settle({});
    });
  });
  return promise;
}

Napi::Value close_store(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto store = find_store(info);
  const auto environment = Environment::of(env).shared_from_this();
  const uint32_t handle = to_handle(info[0]);
  store->closing = true;
  Napi::Promise promise;
  const uint64_t id = environment->open_promise(env, promise);
  // Behind all calls made before; the thread is idle when JavaScript hears of it. The directory is closed by then:
  // others may still hold the store for a moment.
  store->thread.post([environment, handle, id](Directory* directory) {
    if (directory != nullptr) *directory = Directory();
    environment->queue->post([environment, handle, id](Napi::Env js) {
      environment->end_store(handle);
      environment->resolve(js, id, js.Undefined());
    });
  });
  return promise;
}

Napi::Value make_directory(const Napi::CallbackInfo& info) {
  const bool hold = to_flag(info[2], "a boolean");
  return run(info.Env(), find_store(info), [path = to_text(info[1], "a path"), hold](Directory& directory) {
    return directory.make_directory(path, hold);
  });
}

Status write_and_sync(Directory& directory, const std::vector<std::string>& paths,
                      const std::vector<std::span<const std::byte>>& contents) {
  constexpr size_t kOpenFilesMax = 64;
  for (size_t begin = 0; begin < paths.size(); begin += kOpenFilesMax) {
    const size_t count = std::min(kOpenFilesMax, paths.size() - begin);
    std::vector<UniqueFd> files(count);
    for (size_t i = 0; i < count; ++i) {
      Status status = directory.write_file(paths[begin + i], contents[begin + i], files[i]);
      if (!status.ok()) return status;
    }
    for (size_t i = 0; i < count; ++i) {
      if (::fsync(files[i].get()) != 0) return Status::system(errno, "fsync", paths[begin + i]);
      if (::close(files[i].release()) != 0 && errno != EINTR) return Status::system(errno, "close", paths[begin + i]);
    }
  }
  return {};
}

Napi::Value write_files(const Napi::CallbackInfo& info) {
  constexpr const char* kExpected = "as many Uint8Arrays as paths";
  auto paths = to_texts(info[1], "a list of paths");
  if (!info[2].IsArray()) throw_argument(info.Env(), kExpected);
  const auto list = info[2].As<Napi::Array>();
  if (list.Length() != paths.size()) throw_argument(info.Env(), kExpected);
  // Not copied: write(2) answers EFAULT, and does not crash, should JavaScript take the memory away.
  std::vector<std::span<const std::byte>> contents;
  for (uint32_t i = 0; i < list.Length(); ++i) contents.push_back(view_bytes(list.Get(i), kExpected));
  return run(
      info.Env(), find_store(info),
      [paths = std::move(paths), contents = std::move(contents)](Directory& root) {
        return write_and_sync(root, paths, contents);
      },
      nullptr, list);
}

// Large ones are handed over as they are: V8 ends the process where it finds no memory for a copy.
Napi::Value to_array(Napi::Env env, const std::shared_ptr<std::vector<std::byte>>& bytes) {
  constexpr size_t kCopiedBytesMax = kMiB;
  if (bytes->size() <= kCopiedBytesMax) {
    auto array = Napi::Uint8Array::New(env, bytes->size());
    if (!bytes->empty()) std::memcpy(array.Data(), bytes->data(), bytes->size());
    return array;
  }
  auto* kept = new std::shared_ptr<std::vector<std::byte>>(bytes);
  const auto let_go = [](Napi::Env, void*, std::shared_ptr<std::vector<std::byte>>* ending) { delete ending; };
  const auto buffer = Napi::ArrayBuffer::New(env, bytes->data(), bytes->size(), let_go, kept);
  return Napi::Uint8Array::New(env, bytes->size(), buffer, 0);
}

using Read = Status (Directory::*)(const std::string& path, uint64_t bytes_max, std::vector<std::byte>& bytes);

template <Read read>
Napi::Value read_bytes(const Napi::CallbackInfo& info) {
  const uint64_t bytes_max = to_bytes(info[2], "a number of bytes");
  const auto bytes = std::make_shared<std::vector<std::byte>>();
  return run(
      info.Env(), find_store(info),
      [path = to_text(info[1], "a path"), bytes_max, bytes](Directory& directory) {
        return (directory.*read)(path, bytes_max, *bytes);
      },
      [bytes](Napi::Env env) { return to_array(env, bytes); });
}

// Resolves to the digest of a file, and its length; hashes it piece by piece.
Napi::Value digest_file(const Napi::CallbackInfo& info) {
  struct Found {
    Hasher hasher;
    uint64_t bytes = 0;
  };
  const uint64_t bytes_max = to_bytes(info[2], "a number of bytes");
  const auto found = std::make_shared<Found>();
  return run(
      info.Env(), find_store(info),
      [path = to_text(info[1], "a path"), bytes_max, found](Directory& directory) {
        return directory.visit_file(path, bytes_max, [&found](std::span<const std::byte> piece) {
          found->hasher.update(piece.data(), piece.size());
          found->bytes += piece.size();
        });
      },
      [found](Napi::Env env) -> Napi::Value {
        auto result = Napi::Object::New(env);
        result.Set("digest", Napi::String::New(env, to_hex(found->hasher.digest())));
        result.Set("bytes", Napi::Number::New(env, static_cast<double>(found->bytes)));
        return result;
      });
}

Napi::Value list(const Napi::CallbackInfo& info) {
  const auto names = std::make_shared<std::vector<std::string>>();
  return run(
      info.Env(), find_store(info),
      [path = to_text(info[1], "a path"), prefixes = to_texts(info[2], "a list of prefixes"),
       names](Directory& directory) { return directory.list(path, prefixes, *names); },
      [names](Napi::Env env) -> Napi::Value {
        auto array = Napi::Array::New(env, names->size());
        for (uint32_t i = 0; i < names->size(); ++i) array.Set(i, Napi::String::New(env, (*names)[i]));
        return array;
      });
}

Napi::Value count_bytes(const Napi::CallbackInfo& info) {
  const auto bytes = std::make_shared<uint64_t>(0);
  return run(
      info.Env(), find_store(info),
      [path = to_text(info[1], "a path"), bytes](Directory& directory) { return directory.count_bytes(path, *bytes); },
      [bytes](Napi::Env env) -> Napi::Value { return Napi::Number::New(env, static_cast<double>(*bytes)); });
}

// Whoever receives the descriptor closes it.
Napi::Value create_file(const Napi::CallbackInfo& info) {
  const auto file = std::make_shared<UniqueFd>();
  return run(
      info.Env(), find_store(info),
      [path = to_text(info[1], "a path"), file](Directory& directory) { return directory.create_file(path, *file); },
      [file](Napi::Env env) -> Napi::Value { return Napi::Number::New(env, file->release()); });
}

Napi::Value rename(const Napi::CallbackInfo& info) {
  return run(info.Env(), find_store(info),
             [from = to_text(info[1], "a path"), to = to_text(info[2], "a path")](Directory& directory) {
               return directory.rename(from, to);
             });
}

Napi::Value sync_directories(const Napi::CallbackInfo& info) {
  return run(info.Env(), find_store(info), [paths = to_texts(info[1], "a list of paths")](Directory& directory) {
    for (const std::string& path : paths) {
      Status status = directory.sync(path);
      if (!status.ok()) return status;
    }
    return Status();
  });
}

Napi::Value remove_tree(const Napi::CallbackInfo& info) {
  return run(info.Env(), find_store(info),
             [path = to_text(info[1], "a path")](Directory& directory) { return directory.remove_tree(path); });
}

Napi::Value reclaim(const Napi::CallbackInfo& info) {
  const auto reclaimed = std::make_shared<bool>(false);
  const auto idle_seconds = static_cast<double>(to_bytes(info[3], "a number of seconds"));
  return run(
      info.Env(), find_store(info),
      [from = to_text(info[1], "a path"), to = to_text(info[2], "a path"), idle_seconds, reclaimed](Directory& root) {
        return root.reclaim(from, to, idle_seconds, *reclaimed);
      },
      [reclaimed](Napi::Env env) -> Napi::Value { return Napi::Boolean::New(env, *reclaimed); });
}

}  // namespace

void export_store_calls(Napi::Env env, Napi::Object exports) {
  export_call<open_store>(env, exports, "openStore");
  export_call<open_store_below>(env, exports, "openStoreBelow");
  export_call<close_store>(env, exports, "closeStore");
  export_call<make_directory>(env, exports, "makeDirectory");
  export_call<write_files>(env, exports, "writeFiles");
  export_call<read_bytes<&Directory::read_file>>(env, exports, "readFile");
  export_call<read_bytes<&Directory::read_tail>>(env, exports, "readTail");
  export_call<digest_file>(env, exports, "digestFile");
  export_call<list>(env, exports, "list");
  export_call<count_bytes>(env, exports, "countBytes");
  export_call<create_file>(env, exports, "createFile");
  export_call<rename>(env, exports, "rename");
  export_call<sync_directories>(env, exports, "syncDirectories");
  export_call<remove_tree>(env, exports, "removeTree");
  export_call<reclaim>(env, exports, "reclaim");
}

}  // namespace snapshard
