#include "core/lanes.h"

#include <sys/types.h>
#include <unistd.h>

#include <csignal>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "support.h"

namespace hostbrick::test {

namespace {

// Lanes are never destroyed: their idle threads outlive the test.
Lanes& new_lanes() { return *new Lanes; }

std::shared_ptr<Job> post(Lanes& lanes, const std::string& lane, std::function<void()> work,
                          std::function<void()> interrupt = {}) {
  auto job = std::make_shared<Job>(
      [work = std::move(work)] {
        work();
        return Job::Delivery();
      },
      std::move(interrupt));
  lanes.post(lane, job);
  return job;
}

// A job that runs from the moment that its constructor returns until it is let go.
class HeldJob {
 public:
  HeldJob(Lanes& lanes, const std::string& lane, std::function<void()> interrupt = {}) {
    job_ = post(
        lanes, lane,
        [gates = gates_] {
          gates->started.open();
          CHECK(gates->finish.pass());
        },
        std::move(interrupt));
    REQUIRE(gates_->started.pass());
  }

  void let_go() { gates_->finish.open(); }
  [[nodiscard]] const std::shared_ptr<Job>& job() const { return job_; }

 private:
  struct Gates {
    Gate started;
    Gate finish;
  };
  std::shared_ptr<Gates> gates_ = std::make_shared<Gates>();
  std::shared_ptr<Job> job_;
};

// Runs a job on a lane and waits for it: all that was posted to the lane before has ended then.
void run_through(Lanes& lanes, const std::string& lane) {
  const auto ran = std::make_shared<Gate>();
  post(lanes, lane, [ran] { ran->open(); });
  REQUIRE(ran->pass());
}

bool comes_to_rest(Lanes& lanes) {
  return eventually([&] {
    const auto now = lanes.statistics();
    return now.queued == 0 && now.running == 0 && now.parked == 0;
  });
}

TEST_SUITE_BEGIN("lanes");

TEST_CASE("a result is delivered when its lane is free again") {
  auto& lanes = new_lanes();
  std::promise<Lanes::Statistics> delivered;
  lanes.post("lane", std::make_shared<Job>([&] { return [&] { delivered.set_value(lanes.statistics()); }; }));
  const auto statistics = delivered.get_future().get();
  CHECK(statistics.running == 0);
  CHECK(statistics.queued == 0);
}

TEST_CASE("the jobs of one lane run in order and one at a time") {
  auto& lanes = new_lanes();
  HeldJob first(lanes, "a");
  // No mutex around these: that no two jobs overlap is what ThreadSanitizer checks here.
  auto order = std::make_shared<std::vector<int>>();
  for (int i = 0; i < 100; ++i) post(lanes, "a", [order, i] { order->push_back(i); });
  CHECK(lanes.statistics().queued == 100);
  CHECK(lanes.statistics().running == 1);
  CHECK(lanes.statistics().threads == 1);

  first.let_go();
  run_through(lanes, "a");
  REQUIRE(order->size() == 100);
  for (int i = 0; i < 100; ++i) CHECK((*order)[static_cast<std::size_t>(i)] == i);
  CHECK(comes_to_rest(lanes));
}

TEST_CASE("lanes run side by side") {
  auto& lanes = new_lanes();
  HeldJob first(lanes, "a");
  HeldJob second(lanes, "b");
  CHECK(lanes.statistics().running == 2);
  run_through(lanes, "c");
  second.let_go();
  run_through(lanes, "b");
  first.let_go();
  CHECK(comes_to_rest(lanes));
}

TEST_CASE("a lane with much to do does not keep others waiting") {
  auto& lanes = new_lanes();
  HeldJob busy(lanes, "busy");
  for (int i = 0; i < 10; ++i) post(lanes, "busy", [] {});
  run_through(lanes, "other");
  busy.let_go();
  run_through(lanes, "busy");
  CHECK(comes_to_rest(lanes));
}

TEST_CASE("an abandoned queued job never runs") {
  auto& lanes = new_lanes();
  HeldJob first(lanes, "a");
  const auto ran = std::make_shared<std::string>();
  post(lanes, "a", [ran] { *ran += "1"; });
  const auto given_up = post(lanes, "a", [ran] { *ran += "2"; }, [ran] { *ran += "interrupted"; });
  post(lanes, "a", [ran] { *ran += "3"; });
  CHECK(lanes.statistics().queued == 3);

  lanes.abandon(given_up);
  lanes.abandon(given_up);
  CHECK(lanes.statistics().queued == 2);
  CHECK(lanes.statistics().parked == 0);
  first.let_go();
  run_through(lanes, "a");
  CHECK(*ran == "13");
  CHECK(comes_to_rest(lanes));
}

TEST_CASE("a lane whose only queued job was abandoned goes on") {
  auto& lanes = new_lanes();
  HeldJob first(lanes, "a");
  lanes.abandon(post(lanes, "a", [] { FAIL_CHECK("an abandoned job ran"); }));
  first.let_go();
  CHECK(comes_to_rest(lanes));
  run_through(lanes, "a");
}

TEST_CASE("an abandoned running job is parked and blocks only its own lane") {
  auto& lanes = new_lanes();
  HeldJob stuck(lanes, "a");
  lanes.abandon(stuck.job());
  lanes.abandon(stuck.job());
  auto now = lanes.statistics();
  CHECK(now.running == 0);
  CHECK(now.parked == 1);

  const auto behind = std::make_shared<Gate>();
  post(lanes, "a", [behind] { behind->open(); });
  run_through(lanes, "b");
  CHECK(lanes.statistics().queued == 1);

  stuck.let_go();
  CHECK(behind->pass());
  CHECK(comes_to_rest(lanes));
}

TEST_CASE("interrupt is called for a running job and only for that") {
  auto& lanes = new_lanes();
  const auto interrupted = std::make_shared<Gate>();
  const auto job =
      post(lanes, "a", [interrupted] { CHECK(interrupted->pass()); }, [interrupted] { interrupted->open(); });
  REQUIRE(eventually([&] { return lanes.statistics().running == 1; }));
  lanes.abandon(job);
  CHECK(comes_to_rest(lanes));

  const auto finished = post(lanes, "a", [] {}, [] { FAIL_CHECK("a finished job was interrupted"); });
  run_through(lanes, "a");
  lanes.abandon(finished);
  CHECK(comes_to_rest(lanes));
}

TEST_CASE("what a job owns is freed when it has run") {
  auto& lanes = new_lanes();
  auto owned = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = owned;
  const auto job = post(lanes, "a", [owned = std::move(owned)] { CHECK(*owned == 1); });
  run_through(lanes, "a");
  CHECK(watched.expired());
}

TEST_CASE("what an abandoned queued job owns is freed at once, whatever its lane waits for") {
  auto& lanes = new_lanes();
  HeldJob first(lanes, "a");
  // Its end may ask the lanes something.
  const auto look = [&lanes](const int* number) {
    CHECK(lanes.statistics().queued == 0);
    delete number;
  };
  std::shared_ptr<int> worked(new int(1), look);
  std::shared_ptr<int> interrupting(new int(2), look);
  const std::weak_ptr<int> watched_work = worked;
  const std::weak_ptr<int> watched_interrupt = interrupting;
  const auto job = post(
      lanes, "a", [worked = std::move(worked)] { FAIL_CHECK("an abandoned job ran with " << *worked); },
      [interrupting = std::move(interrupting)] { FAIL_CHECK("it was interrupted by " << *interrupting); });
  lanes.abandon(job);
  CHECK(watched_work.expired());
  CHECK(watched_interrupt.expired());
  first.let_go();
  CHECK(comes_to_rest(lanes));
}

TEST_CASE("idle threads are used again") {
  auto& lanes = new_lanes();
  for (int i = 0; i < 100; ++i) {
    run_through(lanes, "lane " + std::to_string(i));
    REQUIRE(comes_to_rest(lanes));
  }
  CHECK(lanes.statistics().threads == 1);
}

TEST_CASE("a burst of 100 lanes runs at once and leaves few threads behind") {
  auto& lanes = new_lanes();
  for (int burst = 0; burst < 3; ++burst) {
    std::deque<HeldJob> jobs;
    for (int i = 0; i < 100; ++i) jobs.emplace_back(lanes, "lane " + std::to_string(i));
    CHECK(lanes.statistics().running == 100);
    CHECK(lanes.statistics().threads == 100);
    for (auto& job : jobs) job.let_go();
    CHECK(comes_to_rest(lanes));
    CHECK(eventually([&] { return lanes.statistics().threads <= 8; }));
  }
}

TEST_CASE("jobs from many threads on few lanes all run and none beside another of its lane") {
  auto& lanes = new_lanes();
  constexpr std::size_t lane_count = 4;
  auto counts = std::make_shared<std::array<int, lane_count>>();
  {
    std::vector<std::jthread> posters;
    for (int poster = 0; poster < 4; ++poster) {
      posters.emplace_back([&] {
        for (std::size_t i = 0; i < 500; ++i) {
          const auto lane = i % lane_count;
          post(lanes, std::to_string(lane), [counts, lane] { ++(*counts)[lane]; });
          lanes.abandon(post(lanes, std::to_string(lane), [] {}));
        }
      });
    }
  }
  for (std::size_t lane = 0; lane < lane_count; ++lane) {
    run_through(lanes, std::to_string(lane));
    CHECK((*counts)[lane] == 500);
  }
  CHECK(comes_to_rest(lanes));
}

TEST_CASE("the program's signals are not for the threads of lanes") {
  auto& lanes = new_lanes();
  const auto checked = std::make_shared<Gate>();
  post(lanes, "a", [checked] {
    sigset_t blocked;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    for (const auto signal : {SIGINT, SIGTERM, SIGCHLD, SIGHUP, SIGPIPE}) CHECK(::sigismember(&blocked, signal) == 1);
    checked->open();
  });
  CHECK(checked->pass());
  sigset_t ours;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &ours);
  CHECK(::sigismember(&ours, SIGTERM) == 0);
}

TEST_CASE("the lanes of the process are always the same") { CHECK(&Lanes::shared() == &Lanes::shared()); }

TEST_SUITE_END();

}  // namespace

}  // namespace hostbrick::test
