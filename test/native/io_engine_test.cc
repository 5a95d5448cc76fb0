// One suite over both engines.
#include "io/io_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/sizes.h"
#include "base/unique_fd.h"
#include "files.h"
#include "io/thread_engine.h"
#include "io/uring.h"
#include "io/uring_engine.h"
#include "memory/mapping.h"
#include "random.h"
#include "test.h"

using snapshard::IoEngine;
using snapshard::IoListener;
using snapshard::IoRequest;
using snapshard::kKiB;
using snapshard::kMiB;
using snapshard::Mapping;
using snapshard::Status;
using snapshard::ThreadEngine;
using snapshard::UniqueFd;
using snapshard::UringEngine;
using snapshard::test::Random;
using snapshard::test::read_whole;
using snapshard::test::TemporaryDirectory;
using std::chrono::seconds;

namespace {

// Collects what each request came to.
class Collector : public IoListener {
 public:
  void on_completed(IoRequest& request, int64_t result) override {
    const std::lock_guard lock(mutex_);
    results_.emplace_back(&request, result);
    signal_.notify_all();
  }

  std::vector<std::pair<IoRequest*, int64_t>> wait_for(size_t count) {
    std::unique_lock lock(mutex_);
    CHECK(signal_.wait_for(lock, seconds(60), [&] { return results_.size() >= count; }));
    return results_;
  }

  [[nodiscard]] int64_t only_result() { return wait_for(1)[0].second; }

 private:
  std::mutex mutex_;
  std::condition_variable signal_;
  std::vector<std::pair<IoRequest*, int64_t>> results_;
};

// Keeps each thread that completes something.
class Holder : public IoListener {
 public:
  void on_completed(IoRequest&, int64_t) override { let_go_.wait(false); }
  void let_go() {
    let_go_ = true;
    let_go_.notify_all();
  }

 private:
  std::atomic<bool> let_go_ = false;
};

std::unique_ptr<UringEngine> make_uring() {
  std::unique_ptr<UringEngine> engine;
  const Status status = UringEngine::create(engine);
  if (!status.ok()) throw snapshard::test::Skipped(snapshard::describe_uring_failure(status));
  return engine;
}

// Stops what it was given: an engine must never be destroyed while its threads run.
struct StoppedAtEnd {
  explicit StoppedAtEnd(std::unique_ptr<IoEngine> the_engine) : engine(std::move(the_engine)) {}
  ~StoppedAtEnd() { (void)engine->stop(seconds(60)); }
  StoppedAtEnd(const StoppedAtEnd&) = delete;
  StoppedAtEnd& operator=(const StoppedAtEnd&) = delete;
  IoEngine* operator->() const { return engine.get(); }

  std::unique_ptr<IoEngine> engine;
};

using MakeEngine = std::unique_ptr<IoEngine> (*)();

struct Target {
  explicit Target(int flags = O_WRONLY | O_CREAT) : fd(::open(folder.at("file").c_str(), flags, 0644)) {
    CHECK(fd.valid());
  }

  TemporaryDirectory folder;
  UniqueFd fd;
};

IoRequest request_of(int fd, std::byte* data, size_t bytes, uint64_t offset, IoListener& listener) {
  IoRequest request;
  request.fd = fd;
  request.data = data;
  request.bytes = static_cast<uint32_t>(bytes);
  request.offset = offset;
  request.listener = &listener;
  return request;
}

// Blocks of a file, in any order, from several threads at once.
void writes_everything(MakeEngine make, int extra_flags, bool buffered) {
  constexpr size_t kBlock = 64 * kKiB;
  constexpr size_t kCount = 600;
  Target target(O_WRONLY | O_CREAT | extra_flags);
  Mapping memory;
  CHECK_OK(Mapping::create(kBlock * kCount, memory));
  Random(1).fill(memory.data(), memory.bytes());
  Collector collector;
  std::vector<IoRequest> requests;
  for (size_t i = 0; i < kCount; ++i) {
    requests.push_back(request_of(target.fd.get(), memory.data() + i * kBlock, kBlock, i * kBlock, collector));
    requests.back().buffered = buffered;
  }
  const StoppedAtEnd engine(make());
  std::vector<std::thread> threads;
  for (size_t part = 0; part < 3; ++part) {
    threads.emplace_back([&engine, &requests, part] {
      for (size_t i = part; i < kCount; i += 3) engine->submit(&requests[(i * 7) % kCount]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& [request, result] : collector.wait_for(kCount)) CHECK_EQUAL(result, int64_t{kBlock});
  CHECK(engine->cpu_seconds() > 0);
  const std::vector<std::byte> written = read_whole(target.folder.at("file"));
  CHECK(written.size() == memory.bytes() && std::equal(written.begin(), written.end(), memory.data()));
}

void reports_errors(MakeEngine make) {
  Mapping memory;
  CHECK_OK(Mapping::create(kMiB, memory));
  const StoppedAtEnd engine(make());
  const auto result_of = [&](int fd) {
    Collector collector;
    IoRequest request = request_of(fd, memory.data(), kMiB, 0, collector);
    engine->submit(&request);
    return collector.only_result();
  };
  const UniqueFd full(::open("/dev/full", O_WRONLY));
  const UniqueFd read_only(::open("/dev/zero", O_RDONLY));
  CHECK_EQUAL(result_of(full.get()), -ENOSPC);
  CHECK_EQUAL(result_of(read_only.get()), -EBADF);
  CHECK_EQUAL(result_of(1'000'000), -EBADF);
}

// Both tell of the bytes that went through, as a file system does that fills up in the middle.
void reports_short_writes(MakeEngine make) {
  rlimit before{};
  CHECK(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  Target target;
  Mapping memory;
  CHECK_OK(Mapping::create(kMiB, memory));
  Collector first;
  Collector second;
  IoRequest across = request_of(target.fd.get(), memory.data(), kMiB, 0, first);
  IoRequest beyond = request_of(target.fd.get(), memory.data(), kMiB, kMiB, second);
  const StoppedAtEnd engine(make());
  const rlimit small{300 * kKiB, before.rlim_max};
  CHECK(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  engine->submit(&across);
  const int64_t written = first.only_result();
  engine->submit(&beyond);
  const int64_t refused = second.only_result();
  CHECK(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  CHECK_EQUAL(written, int64_t{300 * kKiB});
  CHECK_EQUAL(refused, -EFBIG);
}

// Submits its request again and again, as a transfer does after a short write.
class Repeater : public IoListener {
 public:
  Repeater(IoEngine& engine, int times) : engine_(engine), left_(times) {}

  void on_completed(IoRequest& request, int64_t result) override {
    if (result > 0 && --left_ > 0) {
      request.offset += request.bytes;
      engine_.submit(&request);
    } else {
      done_.on_completed(request, result);
    }
  }
  int64_t result() { return done_.only_result(); }

 private:
  IoEngine& engine_;
  int left_;
  Collector done_;
};

void takes_requests_from_its_own_threads(MakeEngine make) {
  Target target;
  Mapping memory;
  CHECK_OK(Mapping::create(kMiB, memory));
  const StoppedAtEnd engine(make());
  Repeater repeater(*engine.engine, 50);
  IoRequest request = request_of(target.fd.get(), memory.data(), 4 * kKiB, 0, repeater);
  engine->submit(&request);
  CHECK_EQUAL(repeater.result(), int64_t{4 * kKiB});
  CHECK_EQUAL(read_whole(target.folder.at("file")).size(), 50 * 4 * kKiB);
}

// Every request completes once, wherever the end catches it.
void completes_what_it_took_when_stopped(MakeEngine make) {
  constexpr size_t kCount = 400;
  for (int round = 0; round < 20; ++round) {
    Target target;
    Mapping memory;
    CHECK_OK(Mapping::create(kMiB, memory));
    Collector collector;
    std::vector<IoRequest> requests;
    for (size_t i = 0; i < kCount; ++i) {
      requests.push_back(request_of(target.fd.get(), memory.data(), 4 * kKiB, i * 4 * kKiB, collector));
    }
    const std::unique_ptr<IoEngine> engine = make();
    std::thread submitter([&] {
      for (IoRequest& request : requests) engine->submit(&request);
    });
    std::this_thread::sleep_for(std::chrono::microseconds(100 * round));
    CHECK(engine->stop(seconds(60)));
    submitter.join();
    const auto results = collector.wait_for(kCount);
    CHECK_EQUAL(results.size(), kCount);
    for (const auto& [request, result] : results) CHECK(result == 4 * kKiB || result == -ECANCELED);
    CHECK(engine->stop(seconds(0)));
  }
}

void leaves_nothing_behind(MakeEngine make) {
  const size_t before = snapshard::test::open_descriptors().size();
  for (int round = 0; round < 20; ++round) CHECK(make()->stop(seconds(60)));
  CHECK_EQUAL(snapshard::test::open_descriptors().size(), before);
}

std::unique_ptr<IoEngine> uring() { return make_uring(); }
std::unique_ptr<IoEngine> threads() { return std::make_unique<ThreadEngine>(); }

// However many requests of one owner are under way, another one's are carried out.
void serves_each_owner(MakeEngine make) {
  constexpr size_t kHeld = 100;
  Target target;
  Mapping memory;
  CHECK_OK(Mapping::create(kMiB, memory));
  Holder holder;
  Collector collector;
  std::vector<IoRequest> held(kHeld, request_of(target.fd.get(), memory.data(), 4096, 0, holder));
  std::vector<IoRequest> others(kHeld, request_of(target.fd.get(), memory.data(), 4096, 0, collector));
  const StoppedAtEnd engine(make());
  for (IoRequest& request : held) {
    request.owner = &holder;
    engine->submit(&request);
  }
  for (IoRequest& request : others) {
    request.owner = &collector;
    engine->submit(&request);
  }
  for (const auto& [request, result] : collector.wait_for(kHeld)) CHECK_EQUAL(result, int64_t{4096});
  holder.let_go();
}

}  // namespace

TEST(uring_writes_direct) { writes_everything(uring, O_DIRECT, false); }
TEST(uring_writes_through_the_cache) { writes_everything(uring, 0, false); }
TEST(uring_reports_errors) { reports_errors(uring); }
TEST(uring_reports_short_writes) { reports_short_writes(uring); }
TEST(uring_takes_requests_from_its_own_thread) { takes_requests_from_its_own_threads(uring); }
TEST(uring_completes_what_it_took_when_stopped) { completes_what_it_took_when_stopped(uring); }
TEST(uring_leaves_nothing_behind) { leaves_nothing_behind(uring); }

TEST(threads_write_direct) { writes_everything(threads, O_DIRECT, false); }
TEST(threads_write_buffered) { writes_everything(threads, 0, true); }
TEST(threads_report_errors) { reports_errors(threads); }
TEST(threads_report_short_writes) { reports_short_writes(threads); }
TEST(threads_take_requests_from_their_own) { takes_requests_from_its_own_threads(threads); }
TEST(threads_complete_what_they_took_when_stopped) { completes_what_it_took_when_stopped(threads); }
TEST(threads_serve_each_owner) { serves_each_owner(threads); }
TEST(threads_leave_nothing_behind) { leaves_nothing_behind(threads); }

TEST(uring_writes_from_registered_memory) {
  const std::unique_ptr<UringEngine> engine = make_uring();
  Target target(O_WRONLY | O_CREAT | O_DIRECT);
  Mapping memory;
  CHECK_OK(Mapping::create(4 * kMiB, memory));
  Random(2).fill(memory.data(), memory.bytes());
  for (int round = 0; round < 3; ++round) {
    const Status registered = engine->register_memory(memory.data(), memory.bytes());
    Collector collector;
    IoRequest request = request_of(target.fd.get(), memory.data() + kMiB, 2 * kMiB, 0, collector);
    engine->submit(&request);
    const int64_t result = collector.only_result();
    engine->unregister_memory(memory.data(), memory.bytes());
    CHECK_OK(registered);
    CHECK_EQUAL(result, int64_t{2 * kMiB});
  }
  CHECK(engine->stop(seconds(60)));
  CHECK(!engine->register_memory(memory.data(), memory.bytes()).ok());
  engine->unregister_memory(memory.data(), memory.bytes());
  const std::vector<std::byte> written = read_whole(target.folder.at("file"));
  CHECK(std::equal(written.begin(), written.end(), memory.data() + kMiB));
}

// The last owner of a pool may be the thread of the ring, which then cannot wait for itself.
TEST(uring_unregisters_on_its_own_thread) {
  struct Unregister : IoListener {
    void on_completed(IoRequest& request, int64_t result) override {
      engine->unregister_memory(memory.data(), memory.bytes());
      done.on_completed(request, result);
    }
    UringEngine* engine = nullptr;
    Mapping memory;
    Collector done;
  };
  const std::unique_ptr<UringEngine> engine = make_uring();
  Target target;
  Unregister listener;
  listener.engine = engine.get();
  CHECK_OK(Mapping::create(kMiB, listener.memory));
  CHECK_OK(engine->register_memory(listener.memory.data(), kMiB));
  IoRequest request = request_of(target.fd.get(), listener.memory.data(), kMiB, 0, listener);
  engine->submit(&request);
  CHECK_EQUAL(listener.done.only_result(), int64_t{kMiB});
  CHECK(engine->stop(seconds(60)));
}
