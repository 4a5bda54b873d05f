#include "core/lanes.h"

#include <sys/prctl.h>

#include <csignal>
#include <system_error>
#include <thread>
#include <utility>

#include "core/system_error.h"

namespace hostbrick {

namespace {

// Idle threads that are kept for the next burst.
constexpr std::size_t kept_threads = 8;

// Signals belong to the threads of the program that hosts us.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

Lanes& Lanes::shared() {
  static auto* const lanes = new Lanes;
  return *lanes;
}

void Lanes::post(const std::string& lane, std::shared_ptr<Job> job) {
  const std::lock_guard lock(mutex_);
  auto& queue = lanes_[lane];
  queue.jobs.push_back(std::move(job));
  ++queued_;
  if (queue.busy || queue.jobs.size() > 1) return;
  ready_.push_back(lane);
  if (idle_ >= ready_.size()) {
    work_.notify_one();
    return;
  }
  try {
    start_thread();
  } catch (const std::system_error& failure) {
    ready_.pop_back();
    lanes_.erase(lane);
    --queued_;
    throw SystemError(failure.code().value(), "pthread_create");
  }
}

void Lanes::start_thread() {
  const SignalsBlocked signals;
  std::thread([this] { serve(); }).detach();
  ++threads_;
}

void Lanes::serve() {
  ::prctl(PR_SET_NAME, "hostbrick");
  std::unique_lock lock(mutex_);
  for (;;) {
    while (!ready_.empty()) run_next(lock);
    if (idle_ >= kept_threads) break;
    ++idle_;
    work_.wait(lock, [this] { return !ready_.empty(); });
    --idle_;
  }
  --threads_;
}

void Lanes::run_next(std::unique_lock<std::mutex>& lock) {
  const auto name = std::move(ready_.front());
  ready_.pop_front();
  const auto job = std::move(lanes_[name].jobs.front());
  lanes_[name].jobs.pop_front();

  Job::Delivery deliver;
  if (job->state_ == Job::State::queued) {
    --queued_;
    ++running_;
    job->state_ = Job::State::running;
    lanes_[name].busy = true;
    lock.unlock();
    deliver = job->work_();
    lock.lock();
    lanes_[name].busy = false;
    --(job->state_ == Job::State::abandoned ? parked_ : running_);
    job->state_ = Job::State::finished;
  }
  // What they hold goes now, not when JavaScript's garbage is collected.
  job->work_ = {};
  job->interrupt_ = {};

  if (lanes_[name].jobs.empty()) {
    lanes_.erase(name);
  } else {
    ready_.push_back(name);
  }
  if (!deliver) return;
  lock.unlock();
  deliver();
  lock.lock();
}

void Lanes::abandon(const std::shared_ptr<Job>& job) {
  // What a job that never runs holds goes now, not when its lane moves; and without the mutex, as it may take a while.
  std::function<Job::Delivery()> work;
  std::function<void()> interrupt;
  const std::lock_guard lock(mutex_);
  if (job->state_ == Job::State::queued) {
    --queued_;
    work.swap(job->work_);
    interrupt.swap(job->interrupt_);
  } else if (job->state_ == Job::State::running) {
    --running_;
    ++parked_;
    if (job->interrupt_) job->interrupt_();
  } else {
    return;
  }
  job->state_ = Job::State::abandoned;
}

Lanes::Statistics Lanes::statistics() {
  const std::lock_guard lock(mutex_);
  return {threads_, queued_, running_, parked_};
}

}  // namespace hostbrick
